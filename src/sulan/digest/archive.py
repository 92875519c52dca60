"""The editions below a folder: found, read one at a time, and reduced to what overview pages need.

A `Day` is what is remembered of an edition (titles, scores, votes, keywords); the edition itself is read
again when its page is made, so memory does not grow with the abstracts.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sulan.digest import display
from sulan.digest.edition import SCORE_NAMES, Edition, Language
from sulan.errors import BrokenArtefact

MAX_BYTES = 64 * 2**20
"""A larger edition.json is refused: 1,000 papers in two languages take about 6 MB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Brief:
    """One paper as overview pages show it. `scores` are in the order of `SCORE_NAMES`, empty when unknown."""

    id: str
    title: str
    upvotes: int | None
    scores: tuple[float, ...]
    keywords: tuple[tuple[str, str], ...]

    @property
    def recommendation(self) -> float | None:
        """The score that papers are ranked by."""
        return self.scores[SCORE_NAMES.index("recommendation")] if self.scores else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """One edition as overview pages show it; `fingerprint` is the SHA-256 of its edition.json."""

    day: str
    path: Path
    fingerprint: str
    revision: int
    languages: tuple[Language, ...]
    updated: str
    papers: tuple[Brief, ...]

    @property
    def month(self) -> str:
        """`YYYY-MM`."""
        return self.day[:7]

    def to_json(self) -> list[Any]:
        """Return what `from_json` takes back; lists, because a site has tens of thousands of papers."""
        papers = [[p.id, p.title, p.upvotes, p.scores, p.keywords] for p in self.papers]
        return [self.day, self.fingerprint, self.revision, self.languages, self.updated, papers]

    @staticmethod
    def from_json(path: Path, stored: list[Any]) -> "Day":
        """Return the day that `to_json` wrote."""
        day, fingerprint, revision, languages, updated, papers = stored
        return Day(
            day=day,
            path=path,
            fingerprint=fingerprint,
            revision=revision,
            languages=tuple(languages),
            updated=updated,
            papers=tuple(
                Brief(
                    id=id,
                    title=title,
                    upvotes=upvotes,
                    scores=tuple(scores),
                    keywords=tuple((term, translation) for term, translation in keywords),
                )
                for id, title, upvotes, scores, keywords in papers
            ),
        )


def find(folder: Path) -> Iterator[Path]:
    """Yield every `edition.json` of `folder` and of its subfolders, by name."""
    if (folder / "edition.json").is_file():
        yield folder / "edition.json"
    yield from sorted(path for path in folder.glob("*/edition.json") if path.is_file())


def content(path: Path) -> bytes:
    """Return the bytes of an edition.json.

    Raises
    ------
    BrokenArtefact
        It cannot be read, or is too large to be an edition.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BrokenArtefact(f"{path} is larger than {MAX_BYTES >> 20} MB")
        return path.read_bytes()
    except OSError as error:
        raise BrokenArtefact(f"{path} cannot be read: {error.strerror}") from error


def parse(path: Path, data: bytes) -> Edition:
    """Return the edition that `data`, read from `path`, holds.

    Raises
    ------
    BrokenArtefact
        It is not an edition of this schema, or one of its times is not a time.
    """
    try:
        edition = Edition.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = f"{where}: {first['msg']}" if where else first["msg"]
        raise BrokenArtefact(f"{path} is not an edition: {display.visible(reason)[:200]}") from error
    for updated in (edition.updated, *(entry.updated for entry in edition.entries)):
        display.moment(updated)
    return edition


def fingerprint(data: bytes) -> str:
    """Return the SHA-256 of an edition's bytes."""
    return hashlib.sha256(data).hexdigest()


def day(edition: Edition, *, path: Path, fingerprint: str) -> Day:
    """Return what the overview pages need of an edition."""
    papers = []
    for entry in edition.entries:
        summary = next((entry.summaries[each] for each in edition.languages if each in entry.summaries), None)
        complete = summary is not None and all(name in summary.scores for name in SCORE_NAMES)
        papers.append(
            Brief(
                id=entry.paper.id,
                title=display.prose(entry.paper.title) or entry.paper.id,
                upvotes=entry.paper.upvotes,
                scores=tuple(summary.scores[name].value for name in SCORE_NAMES)
                if summary and complete
                else (),
                keywords=tuple(
                    (display.prose(keyword.term), display.prose(keyword.translation))
                    for keyword in (summary.keywords if summary else ())
                ),
            )
        )
    return Day(
        day=edition.day,
        path=path,
        fingerprint=fingerprint,
        revision=edition.revision,
        languages=edition.languages,
        updated=edition.updated,
        papers=tuple(papers),
    )
