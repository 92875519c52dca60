"""Which papers a day has, from wherever they can be had, and which of them an edition shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from sulan.digest import days, huggingface, inputs, snapshots, stored
from sulan.digest.paper import Paper
from sulan.digest.records import Source
from sulan.digest.store import Store
from sulan.digest.transport import Patience
from sulan.errors import BackendError, InputError, MissingFile
from sulan.runs import folders

HURRIED = Patience(attempts=2, timeout=10.0)
"""For the day that ships with Sulan: without a network the reader should not wait two minutes to learn it."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A day's papers and how they came.

    Attributes
    ----------
    papers
        In the order of the list.
    state
        `open` while the list may still grow.
    source
        As in `Edition`.
    listed_at
        ISO 8601: when the list was fetched; of a file or the shipped day, the day itself.
    remarks
        Lines for the reader.
    problems
        Lines for the user: records that could not be used.
    """

    papers: tuple[Paper, ...]
    state: Literal["open", "complete"]
    source: Source
    listed_at: str
    remarks: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def gather(day: date, *, file: Path | None, store: Path | None, offline: bool, now: datetime) -> Listed:
    """Return a day's papers: from `file` where there is one, else the store, the network, the shipped day.

    Parameters
    ----------
    day
        UTC, not in the future.
    file
        What the user gave as input.
    store
        Folder of the store; None: the user's.
    offline
        Make no call.
    now
        The present time.

    Raises
    ------
    InputError
        The day has no papers, or the file's papers cannot be used.
    MissingFile, BackendError
        The day cannot be had.
    """
    listed = _from_file(day, file) if file else _from_store(day, store, offline=offline, now=now)
    if not listed.papers:
        raise InputError(f"no papers are listed on {day}", hint="weekends and holidays are often empty")
    return listed


def select(
    papers: Sequence[Paper], *, top: int | None, min_upvotes: int, keywords: Sequence[str]
) -> tuple[Paper, ...]:
    """Return the papers that pass the filters, in the order of the list.

    Parameters
    ----------
    papers
        Of one day.
    top
        The papers with the most votes, so many; equal votes keep the order of the list.
    min_upvotes
        At least so many votes; a paper whose votes are unknown has none.
    keywords
        One of them in title or abstract, whatever the case.

    Raises
    ------
    InputError
        A filter makes no sense, or nothing passes.

    Examples
    --------
    >>> papers = [Paper(id=f"2309.0000{n}", title=f"Net {n}", upvotes=n) for n in (1, 3, 2)]
    >>> [paper.upvotes for paper in select(papers, top=2, min_upvotes=0, keywords=())]
    [3, 2]
    """
    if top is not None and top < 1:
        raise InputError(f"top must be at least 1, not {top}")
    words = [word.casefold() for word in keywords]
    passed = [
        paper
        for paper in papers
        if (paper.upvotes or 0) >= min_upvotes
        and (not words or any(word in f"{paper.title} {paper.abstract}".casefold() for word in words))
    ]
    if top is not None:
        best = sorted(passed, key=lambda paper: -(paper.upvotes or 0))[:top]
        passed = [paper for paper in passed if paper in best]
    if not passed:
        raise InputError(f"none of the day's {len(papers)} papers passes the filters")
    return tuple(passed)


def _from_file(day: date, file: Path) -> Listed:
    read = inputs.read_listing(file)
    bare = inputs.bare(read.papers)
    if bare:
        raise InputError(
            f"{file} has only the id of {', '.join(bare[:3])}{' ...' * (len(bare) > 3)}",
            hint=f"sulan digest fetch {day} --input {file}",
        )
    of_day = snapshots.by_day(read, [day])[day]
    return Listed(
        papers=of_day.papers,
        state="complete",
        source="file",
        listed_at=f"{day}T00:00:00Z",
        remarks=of_day.remarks,
        problems=of_day.skipped,
    )


def _from_store(day: date, folder: Path | None, *, offline: bool, now: datetime) -> Listed:
    shipped = stored.papers(day.isoformat())
    try:
        with (
            Store.open(folder or folders.data() / "digest") as store,
            huggingface.client(patience=HURRIED if shipped else None) as client,
        ):
            snapshot = snapshots.obtain(day, store, now=now, offline=offline, client=client)
    except (MissingFile, BackendError):
        if shipped is None:
            raise
        return Listed(papers=shipped, state="complete", source="shipped", listed_at=f"{day}T00:00:00Z")
    return Listed(
        papers=snapshot.papers,
        state=snapshot.state,
        source=snapshot.source,
        listed_at=snapshot.fetched_at,
        remarks=snapshot.notes,
    )


def today(text: str) -> tuple[date, datetime]:
    """Return the day that the user typed, and the present time."""
    now = days.clock()
    return days.parse(text, now=now), now
