"""arXiv's API: what it adds to papers that are already known, and papers for ids or for a day of submissions.

Enrichment is a bonus (categories, comments, version, DOI): its failure never fails a day, and a record is
kept for ever by id and version. `submitted` is no daily list: it is everything that was first submitted on
that day in the given categories, which nobody chose. Not covered: full texts, OAI-PMH.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sulan.digest import identifiers, records
from sulan.digest.paper import MAX_ABSTRACT, MAX_TITLE, Paper, clean
from sulan.digest.records import Unusable
from sulan.digest.transport import Client, Patience
from sulan.errors import BackendError

_log = logging.getLogger(__name__)

ENDPOINT = "https://export.arxiv.org"
VARIABLE = "ARXIV_ENDPOINT"

FIRST_DAY = date(1991, 8, 14)
"""arXiv's first submission."""

INTERVAL = 3.0
"""Seconds between two requests, on one connection: arXiv's terms of use for its API."""

BATCH = 100
"""Ids in one request: as many as fit an address that every proxy takes."""

PAGE = 500
"""Results of a search asked for at once; arXiv allows 2,000 and is slow long before."""

CATEGORIES = ("cs.AI", "cs.CL", "cs.CV", "cs.LG", "stat.ML")
"""Where machine learning is submitted; default of `submitted`."""

MAX_RESULTS = 5_000
"""A day with more matches than this is a mistaken query."""

_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_SEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"


@dataclass(frozen=True, kw_only=True)
class Record:
    """One version of a paper as arXiv has it; texts cleaned, times ISO 8601 UTC, empty where not given.

    `comment` is the authors' remark (pages, venue); `published_at` is the first version's time, `updated_at`
    this version's.
    """

    id: str
    version: int
    title: str
    abstract: str
    authors: tuple[str, ...]
    published_at: str
    updated_at: str
    categories: tuple[str, ...]
    comment: str
    doi: str


def client(*, patience: Patience | None = None) -> Client:
    """Return a client that keeps arXiv's etiquette, also across retries; `ARXIV_ENDPOINT` names a mirror."""
    return Client(
        os.environ.get(VARIABLE) or ENDPOINT,
        variable=VARIABLE,
        patience=patience
        or Patience(interval=INTERVAL, first_wait=INTERVAL, longest_wait=60.0, timeout=60.0),
    )


def parse(document: bytes | str) -> tuple[list[Record], list[str], int | None]:
    """Return the records of an Atom feed, a line for each entry that cannot be used, and the total found.

    Raises
    ------
    Unusable
        It is not well-formed XML, not a feed, declares entities, or is arXiv's own error message.
    """
    try:
        feed = fromstring(document, forbid_dtd=True)
    except DefusedXmlException as error:
        raise Unusable("not an Atom feed: it declares a document type or entities") from error
    except (ParseError, ValueError) as error:
        raise Unusable(f"not an Atom feed: {clean(str(error), limit=200)}") from error
    if feed.tag != f"{_ATOM}feed":
        raise Unusable(f"not an Atom feed but <{clean(feed.tag, limit=80)}>")
    found, skipped = [], []
    for number, entry in enumerate(feed.iter(f"{_ATOM}entry"), start=1):
        address = _text(entry, f"{_ATOM}id", limit=300)
        if "/api/errors" in address:
            raise Unusable(f"arXiv says: {_text(entry, f'{_ATOM}summary', limit=200) or 'error'}")
        identity = identifiers.parse(address)
        title = _text(entry, f"{_ATOM}title", limit=MAX_TITLE)
        if identity is None or not title:
            skipped.append(f"entry {number}: {'no title' if identity else f'no arXiv id in {address!a}'}")
            continue
        categories = (clean(each.get("term", ""), limit=40) for each in entry.iter(f"{_ATOM}category"))
        found.append(
            Record(
                id=identity[0],
                version=identity[1] or 0,
                title=title,
                abstract=_text(entry, f"{_ATOM}summary", limit=MAX_ABSTRACT),
                authors=tuple(_authors(entry)),
                published_at=records.instant(_text(entry, f"{_ATOM}published", limit=40)),
                updated_at=records.instant(_text(entry, f"{_ATOM}updated", limit=40)),
                categories=tuple(dict.fromkeys(filter(None, categories))),
                comment=_text(entry, f"{_ARXIV}comment", limit=1_000),
                doi=_text(entry, f"{_ARXIV}doi", limit=200),
            )
        )
    total = _text(feed, f"{_SEARCH}totalResults", limit=9)
    return found, skipped, int(total) if total.isascii() and total.isdigit() else None


def by_id(ids: Sequence[str], client: Client) -> Iterator[list[Record]]:
    """Yield the records of arXiv ids, one batch of `BATCH` ids at a time; unknown ids are simply not there.

    Raises
    ------
    BackendError
        The service failed or sent no feed; the batches before are already yielded.
    """
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        yield _query(client, id_list=",".join(batch), start=0, max_results=len(batch))[0]


def submitted(day: date, client: Client, *, categories: Sequence[str] = CATEGORIES) -> list[Record]:
    """Return all papers first submitted to the categories on a day in UTC, in the order of submission.

    Raises
    ------
    BackendError
        The service failed, or sent fewer records than it says there are (which arXiv's API sometimes does).
    """
    end = day + timedelta(days=1)
    query = (
        f"({' OR '.join(f'cat:{name}' for name in categories)})"
        f" AND submittedDate:[{day:%Y%m%d}0000 TO {end:%Y%m%d}0000]"
    )
    found: dict[str, Record] = {}
    while True:
        page, total = _query(
            client,
            search_query=query,
            start=len(found),
            max_results=PAGE,
            sortBy="submittedDate",
            sortOrder="ascending",
        )
        fresh = {record.id: record for record in page if record.id not in found}
        found |= fresh
        if total is None or total > MAX_RESULTS:
            raise BackendError(f"{client.host} counts {total} papers for {day}, which cannot be right")
        if len(found) >= total:
            break
        if not fresh:
            raise BackendError(
                f"{client.host} sent {len(found)} of the {total} papers of {day}", hint="try again later"
            )
    # The query's range includes its end: the first minute of the next day is not this day's.
    return [record for record in found.values() if record.published_at[:10] == day.isoformat()]


def paper(record: Record) -> Paper:
    """Return a record as a paper of its own; it stood on no daily list, so `featured_on` stays empty."""
    return Paper(
        id=record.id,
        title=record.title,
        abstract=record.abstract,
        authors=record.authors,
        published_at=record.published_at,
        categories=record.categories,
        source="arxiv",
    )


def enriched(papers: Iterable[Paper], known: Mapping[str, Mapping[str, Any]]) -> tuple[Paper, ...]:
    """Return papers with the categories of their arXiv records, and with whatever else they lack.

    Parameters
    ----------
    papers
        Papers of any source.
    known
        Records by id, as `as_json` gives them and the store keeps them.
    """
    fields = ("title", "abstract", "authors", "published_at", "categories")
    result = []
    for each in papers:
        record = known.get(each.id, {})
        lacking = {name: record[name] for name in fields if not getattr(each, name) and record.get(name)}
        lacking |= {name: tuple(value) for name, value in lacking.items() if isinstance(value, list)}
        result.append(each.model_copy(update=lacking) if lacking else each)
    return tuple(result)


def as_json(record: Record) -> dict[str, Any]:
    """Return a record as the store keeps it."""
    return asdict(record)


def _query(client: Client, **parameters: str | int) -> tuple[list[Record], int | None]:
    body = client.get("/api/query", **parameters)
    try:
        found, skipped, total = parse(body)
    except Unusable as error:
        raise BackendError(
            f"{client.host} sent no list of papers: {error}", hint="try again later"
        ) from error
    for line in skipped:
        _log.warning("%s: %s", client.host, line)
    return found, total


def _text(element: Element, tag: str, *, limit: int) -> str:
    return clean((element.findtext(tag) or "")[: 5 * limit], limit=limit)


def _authors(entry: Element) -> Iterator[str]:
    for author in entry.iter(f"{_ATOM}author"):
        if name := _text(author, f"{_ATOM}name", limit=records.MAX_NAME):
            yield name
