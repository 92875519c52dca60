"""A record from outside as a `Paper`: whatever shape it comes in, field by field, forgiving.

A field that cannot be used becomes empty and costs a remark at most; a record that cannot be used at all is
reported and left out, and never costs the others. Understood are the Hub's nested items, its single papers,
flat records with the usual names, and our own `Paper` as JSON.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import ValidationError

from sulan.digest import identifiers
from sulan.digest.paper import MAX_ABSTRACT, MAX_TITLE, Paper, clean

Source = Literal["hf", "arxiv", "file", "shipped"]
SOURCES: tuple[Source, ...] = ("hf", "arxiv", "file", "shipped")

MAX_NAME = 200
"""Characters of a name (an author, an organisation, a keyword) that are kept."""

MAX_URL = 2_000
MAX_KEYWORDS = 50

MAX_COUNT = 10**9
"""A larger number of votes is an error of the record."""

# Names of one field in the records that people have, best first.
_ID = ("id", "arxiv_id", "arxivId", "paper_id", "paperId", "eprint", "url")
_ABSTRACT = ("abstract", "summary")
_PUBLISHED = ("published_at", "publishedAt", "published")
_FEATURED = ("featured_on", "submittedOnDailyAt")
_COMMENTS = ("comments", "numComments")
_STARS = ("stars", "githubStars")
_CODE = ("code_url", "githubRepo", "github")
_PROJECT = ("project_url", "projectPage")
_KEYWORDS = ("keywords", "ai_keywords")

_BREAK_REFERENCE = re.compile(r"&#(?:x0*[9ad]|0*(?:9|10|13));", re.IGNORECASE)
_COUNT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s?([km]?)", re.IGNORECASE)
_SCALE = {"": 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Papers in the order of their list.

    Attributes
    ----------
    papers
        One of each id.
    skipped
        One line per record that could not be used, with its place in the list and why.
    remarks
        One line per thing worth knowing that cost nothing: a cut abstract, a repeated id.
    """

    papers: tuple[Paper, ...]
    skipped: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Unusable(ValueError):
    """A record that cannot become a paper; the message is one line."""


def listing(items: Iterable[object], *, source: Source, place: str = "item", ids: bool = False) -> Listing:
    """Return the papers of a list of records, reporting those that cannot be used.

    Parameters
    ----------
    items
        JSON values; anything may come.
    source
        Becomes `Paper.source`; a record of our own that names its source keeps it.
    place
        What one record is called in a report: `item 3: no id`.
    ids
        Whether a text among the items is the arXiv id of a paper of which nothing else is known.
    """
    papers: dict[str, Paper] = {}
    skipped, remarks = [], []
    for number, item in enumerate(items, start=1):
        notes: list[str] = []
        try:
            if ids and isinstance(item, str):
                paper = _only_id(item, source)
            else:
                paper = parse(item, source=source, notes=notes)
        except Unusable as error:
            skipped.append(f"{place} {number}: {error}")
            continue
        remarks += [f"{paper.id}: {note}" for note in notes]
        if paper.id in papers:
            remarks.append(f"{paper.id}: listed twice, the first one is kept")
        else:
            papers[paper.id] = paper
    return Listing(papers=tuple(papers.values()), skipped=tuple(skipped), remarks=tuple(remarks))


def parse(item: object, *, source: Source, notes: list[str]) -> Paper:
    """Return one record as a paper.

    Parameters
    ----------
    item
        A JSON value. In the Hub's items the fields of the inner `paper` win over those around it: the outer
        `publishedAt` can be hours off.
    source
        As for `listing`.
    notes
        Gets a line for each thing worth knowing.

    Raises
    ------
    Unusable
        It is not an object, or has no usable id or title.
    """
    if not isinstance(item, Mapping):
        raise Unusable(f"not an object but {_kind(item)}")
    inner = item.get("paper", item)
    if not isinstance(inner, Mapping):
        raise Unusable(f"its paper is not an object but {_kind(inner)}")
    own, around = cast("Mapping[str, Any]", inner), cast("Mapping[str, Any]", item)
    paper_id = _id(own)
    title = _cleaned(_first(("title",), own, around), limit=MAX_TITLE)
    if not title:
        raise Unusable(f"{paper_id} has no title")
    abstract = _first(_ABSTRACT, own, around)
    if isinstance(abstract, str) and len(abstract) > MAX_ABSTRACT:
        notes.append(f"abstract of {len(abstract):,} characters cut to {MAX_ABSTRACT:,}")
    named = own.get("source")
    try:
        return Paper(
            id=paper_id,
            title=title,
            abstract=_cleaned(abstract, limit=MAX_ABSTRACT),
            authors=tuple(_authors(own.get("authors"))),
            published_at=instant(_first(_PUBLISHED, own)),
            featured_on=instant(_first(_FEATURED, own))[:10],
            upvotes=count(own.get("upvotes")),
            comments=count(_first(_COMMENTS, own, around)),
            stars=count(_first(_STARS, own)),
            code_url=link(_first(_CODE, own)),
            project_url=link(_first(_PROJECT, own)),
            organization=_organization(_first(("organization",), own, around)),
            categories=tuple(_names(own.get("categories"))),
            keywords=tuple(_names(_first(_KEYWORDS, own))),
            abstract_note=_cleaned(own.get("abstract_note"), limit=MAX_TITLE),
            source=named if named in SOURCES else source,
        )
    except ValidationError as error:
        fields = ", ".join(sorted({str(problem["loc"][0]) for problem in error.errors()}))
        raise Unusable(f"cannot be used: {fields}") from error


def count(value: object) -> int | None:
    """Return a number of votes, comments or stars, or None where `value` is none.

    Examples
    --------
    >>> count("1.2k"), count(7), count("1,234"), count(-1), count(None), count(True)
    (1200, 7, 1234, None, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        found = _COUNT.fullmatch(value.strip().replace(",", "")) if len(value) < 32 else None
        value = round(float(found[1]) * _SCALE[found[2].lower()]) if found else None
    if isinstance(value, float):
        value = round(value) if math.isfinite(value) else None
    return value if isinstance(value, int) and 0 <= value <= MAX_COUNT else None


def instant(value: object) -> str:
    """Return a time as `YYYY-MM-DDTHH:MM:SSZ` in UTC, or nothing where `value` is no ISO 8601 time.

    A time without a zone is taken as UTC, a day as its first second.

    Examples
    --------
    >>> instant("2023-09-12T01:30:00+08:00")
    '2023-09-11T17:30:00Z'
    """
    if not isinstance(value, str) or not 8 <= len(value) <= 40:
        return ""
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z".rjust(20, "0")  # %Y has no leading zeros on some systems


def link(value: object) -> str:
    """Return an http(s) address, or nothing for everything else (`javascript:`, `data:`, text with blanks).

    Examples
    --------
    >>> link("https://github.com/a/b"), link("javascript:alert(1)"), link(3)
    ('https://github.com/a/b', '', '')
    """
    if not isinstance(value, str) or len(value) > MAX_URL:
        return ""
    address = value.strip()
    if (
        not address.isprintable()
        or any(c in address for c in " <>\"'`\\")
        or address != clean(address, limit=MAX_URL)
    ):
        return ""
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return ""
    return address if usable and "@" not in parts.netloc else ""


def _only_id(text: str, source: Source) -> Paper:
    known = identifiers.parse(text)
    if known is None:
        raise Unusable(f"not an arXiv id: {text[:80]!a}")
    return Paper(id=known[0], title="", source=source)


def _id(record: Mapping[str, Any]) -> str:
    for name in _ID:
        value = record.get(name)
        if not isinstance(value, str) or not value.strip():
            continue
        if known := identifiers.parse(value):
            return known[0]
        plain = value.strip()
        # The id stands in addresses and anchors: nothing that climbs (..) or looks like a host.
        if name != "url" and not re.search(r"\.\.|//|/$", plain) and ":" not in plain:
            return plain
        raise Unusable(f"no usable id: {value[:80]!a}")
    raise Unusable("no id")


def _first(names: Iterable[str], *places: Mapping[str, Any]) -> Any:
    """The first of the fields that is there and not null, looked for in one place after the other."""
    return next((place[name] for place in places for name in names if place.get(name) is not None), None)


def _cleaned(value: object, *, limit: int) -> str:
    if not isinstance(value, str):
        return ""
    # Some titles carry their line wrapping as a character reference; other references are the author's text.
    return clean(_BREAK_REFERENCE.sub(" ", value[: 5 * limit]), limit=limit)


def _authors(value: object) -> Iterator[str]:
    """Names in order, from a list of names or objects or one text with commas; hidden authors left out."""
    if isinstance(value, str):
        value = value[:MAX_ABSTRACT].split(",")
    if not isinstance(value, list | tuple):
        return
    for author in value:
        if isinstance(author, Mapping):
            author = None if author.get("hidden") is True else author.get("name")
        if name := _cleaned(author, limit=MAX_NAME):
            yield name


def _names(value: object) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for name in value[:MAX_KEYWORDS]:
            if cleaned := _cleaned(name, limit=MAX_NAME):
                yield cleaned


def _organization(value: object) -> str:
    if isinstance(value, Mapping):
        value = value.get("fullname") or value.get("name")
    return _cleaned(value, limit=MAX_NAME)


def _kind(value: object) -> str:
    names: dict[type, str] = {
        str: "text",
        list: "an array",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "nothing" if value is None else type(value).__name__)
