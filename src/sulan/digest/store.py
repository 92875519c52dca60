"""What was fetched, for good: days, their revisions, votes over time, arXiv records, in one SQLite file.

Nothing known is lost. A day's papers are merged, never replaced: a paper that an answer lacks stays listed,
a field that it leaves empty keeps its value, a failed fetch only leaves a line in `failures`. Every change
to what a list says is a new revision and the old one stays; votes, comments and stars change all the time
and are kept beside, by time, so they make no revision. Nor does another order of the same papers.

Each `save` is one transaction of a write-ahead log: a process killed at any point leaves the day as it was.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import zstandard

from sulan.digest.database import connect, mapped, transaction
from sulan.digest.paper import Paper
from sulan.digest.records import Source
from sulan.errors import MissingFile

FILE = "store.sqlite"

LOCK = "store.lock"
"""Beside the file: held by a verb that fetches, for as long as it fetches (`database.alone`)."""

PREFERRED: tuple[Source, ...] = ("hf", "file", "arxiv", "shipped")
"""Which source's list of a day is taken where several are stored: the Hub's own list first."""

SIGNALS = ("upvotes", "comments", "stars")

State = Literal["open", "complete"]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The papers of a day as last known.

    Attributes
    ----------
    day, source
        Which list.
    papers
        In the order of the list; votes, comments and stars as of the last fetch that had the paper.
    state
        `open` if the list could still grow when it was last fetched, else `complete`.
    revision
        From 1; grows by one whenever the list says something else.
    fetched_at
        ISO 8601, UTC: the last fetch that succeeded.
    notes
        Lines for the reader on how this snapshot came about, such as a refetch that failed.
    """

    day: date
    source: Source
    papers: tuple[Paper, ...]
    state: State
    revision: int
    fetched_at: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What a `save` changed: numbers of papers, and the ids that an earlier answer had and this one lacks."""

    papers: int
    new: int
    revised: int
    absent: tuple[str, ...]
    revision: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a day stands in the store.

    `papers`, `state`, `revision` and `fetched_at` are None where no fetch ever succeeded; `failures` counts
    the failed fetches that no good one from the same source followed, `failure` is what the last one said.
    """

    day: date
    source: Source | None
    papers: int | None
    state: State | None
    revision: int | None
    fetched_at: str | None
    failures: int
    failure: str


class Store:
    """An open store; a context manager. One writer at a time, any number of readers."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path

    @classmethod
    def open(cls, folder: Path, *, create: bool = True) -> Self:
        """Open the store in `folder`.

        Parameters
        ----------
        folder
            Holds `store.sqlite`.
        create
            Make folder and file where they are missing.

        Raises
        ------
        MissingFile
            There is no store and `create` is false.
        BrokenArtefact
            The file is damaged, another program's, or of a newer Sulan. It is left as it is.
        InputError
            The folder cannot be written to.
        """
        path = folder / FILE
        if not create and not path.exists():
            raise MissingFile(f"no store at {path}", hint="sulan digest fetch DATE makes one")
        with mapped(path):
            folder.mkdir(parents=True, exist_ok=True)
            return cls(connect(path), path)

    def close(self) -> None:
        """Close the file; the last one to close folds the write-ahead log into it."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def papers(self, day: date, *, source: Source | None = None) -> Snapshot | None:
        """Return the latest revision of a day, or None where no fetch of it ever succeeded.

        Parameters
        ----------
        day
            A day in UTC.
        source
            Whose list; default: the first of `PREFERRED` that is stored.
        """
        with self._reading():
            for wanted in PREFERRED if source is None else (source,):
                if (row := self._latest(day, wanted)) is not None:
                    number, revision, fetched_at, state, _ = row
                    return Snapshot(
                        day=day,
                        source=wanted,
                        papers=self._listed(number, wanted, fetched_at),
                        state=state,
                        revision=revision,
                        fetched_at=fetched_at,
                    )
        return None

    def save(
        self,
        day: date,
        papers: Iterable[Paper],
        *,
        source: Source,
        state: State,
        fetched_at: str,
        body: bytes = b"",
        replace: bool = False,
    ) -> Saved:
        """Merge an answer into a day; see the head of this file for the rules.

        Parameters
        ----------
        day
            The day whose list it is.
        papers
            What the answer holds; none is a good answer too.
        source
            Whose list.
        state
            Whether the list could still grow at `fetched_at`.
        fetched_at
            ISO 8601, UTC.
        body
            The answer as it came, kept compressed beside a new revision.
        replace
            Take the answer as the whole list, on the user's word: what it lacks leaves the list.
        """
        with self._writing():
            latest = self._latest(day, source)
            known: dict[str, Paper] = {}
            if latest is not None:
                known = {paper.id: paper for paper in self._listed(latest[0], source, latest[2])}
            answer = {paper.id: paper for paper in papers}
            absent = tuple(paper_id for paper_id in known if paper_id not in answer)
            merged = list(answer.values())
            if not replace:
                merged = [_filled(paper, known.get(paper.id)) for paper in merged]
                merged += [known[paper_id] for paper_id in absent]
            records = {paper.id: _record(paper) for paper in merged}
            before = {name: _record(paper) for name, paper in known.items()}
            sha256 = _digest("\n".join(sorted(map(_digest, records.values()))))
            revision = latest[1] if latest else 0
            if latest is None or latest[4] != sha256:
                revision += 1
                self._insert(day, source, revision, fetched_at, state, sha256, body, records.values())
            else:
                self._connection.execute(
                    "UPDATE snapshots SET state = ?, fetched_at = ? WHERE id = ?",
                    (state, fetched_at, latest[0]),
                )
            self._connection.execute(
                "UPDATE failures SET resolved = 1 WHERE day = ? AND source = ?", (day.isoformat(), source)
            )
            self._connection.executemany(
                "INSERT OR REPLACE INTO signals VALUES (?, ?, ?, ?, ?, ?)",
                [(p.id, source, fetched_at, p.upvotes, p.comments, p.stars) for p in answer.values()],
            )
        return Saved(
            papers=len(merged),
            new=sum(paper_id not in known for paper_id in answer),
            revised=sum(records[paper_id] != before[paper_id] for paper_id in known if paper_id in records),
            absent=absent,
            revision=revision,
        )

    def fail(self, day: date, *, source: Source, at: str, message: str) -> None:
        """Note a fetch that failed; what is stored of the day stays."""
        with self._writing():
            self._connection.execute(
                "INSERT INTO failures (day, source, at, message) VALUES (?, ?, ?, ?)",
                (day.isoformat(), source, at, message),
            )

    def days(self, since: date, until: date) -> tuple[Standing, ...]:
        """Return how the days from `since` to `until` stand, in order; days never asked for are left out."""
        between = (since.isoformat(), until.isoformat())
        with self._reading():
            latest = self._connection.execute(
                # With max(), SQLite takes the other columns from the row that has it.
                """SELECT day, source, max(revision), fetched_at, state,
                          (SELECT count(*) FROM listed WHERE snapshot = snapshots.id)
                   FROM snapshots WHERE day BETWEEN ? AND ? GROUP BY day, source""",
                between,
            ).fetchall()
            failed = self._connection.execute(
                """SELECT day, message FROM failures
                   WHERE day BETWEEN ? AND ? AND NOT resolved ORDER BY rowid""",
                between,
            ).fetchall()
        best = {}
        for row in sorted(latest, key=lambda row: PREFERRED.index(row[1]), reverse=True):
            best[row[0]] = row
        messages: dict[str, list[str]] = {}
        for day, message in failed:
            messages.setdefault(day, []).append(message)
        standings = []
        for day in sorted(best.keys() | messages.keys()):
            _, source, revision, fetched_at, state, papers = best.get(
                day, (day, None, None, None, None, None)
            )
            since_then = messages.get(day, [])
            standings.append(
                Standing(
                    day=date.fromisoformat(day),
                    source=source,
                    papers=papers,
                    state=state,
                    revision=revision,
                    fetched_at=fetched_at,
                    failures=len(since_then),
                    failure=since_then[-1] if since_then else "",
                )
            )
        return tuple(standings)

    def arxiv(self, ids: Iterable[str]) -> dict[str, dict[str, object]]:
        """Return the newest stored arXiv record of each id that has one (see `sulan.digest.arxiv`)."""
        found = {}
        with self._reading():
            for paper_id in ids:
                row = self._connection.execute(
                    "SELECT record FROM arxiv WHERE id = ? ORDER BY version DESC LIMIT 1", (paper_id,)
                ).fetchone()
                if row is not None:
                    found[paper_id] = json.loads(row[0])
        return found

    def save_arxiv(self, records: Mapping[tuple[str, int], Mapping[str, object]], *, fetched_at: str) -> None:
        """Keep arXiv records by id and version, for ever: a version never changes."""
        with self._writing():
            self._connection.executemany(
                "INSERT OR IGNORE INTO arxiv VALUES (?, ?, ?, ?)",
                [
                    (paper_id, version, fetched_at, json.dumps(record, ensure_ascii=False, sort_keys=True))
                    for (paper_id, version), record in records.items()
                ],
            )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with mapped(self.path), transaction(self._connection, write=False):
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with mapped(self.path), transaction(self._connection, write=True):
            yield

    def _latest(self, day: date, source: Source) -> tuple[int, int, str, State, str] | None:
        return self._connection.execute(
            """SELECT id, revision, fetched_at, state, sha256 FROM snapshots
               WHERE day = ? AND source = ? ORDER BY revision DESC LIMIT 1""",
            (day.isoformat(), source),
        ).fetchone()

    def _listed(self, snapshot: int, source: Source, at: str) -> tuple[Paper, ...]:
        rows = self._connection.execute(
            """SELECT papers.record, signals.upvotes, signals.comments, signals.stars, max(signals.at)
               FROM listed JOIN papers ON papers.sha256 = listed.paper
               LEFT JOIN signals
               ON signals.paper = papers.id AND signals.source = ? AND signals.at <= ?
               WHERE listed.snapshot = ? GROUP BY listed.position ORDER BY listed.position""",
            (source, at, snapshot),
        )
        return tuple(
            Paper.model_validate_json(row[0]).model_copy(update=dict(zip(SIGNALS, row[1:4], strict=True)))
            for row in rows
        )

    def _insert(
        self,
        day: date,
        source: Source,
        revision: int,
        at: str,
        state: State,
        sha256: str,
        body: bytes,
        records: Iterable[str],
    ) -> None:
        cursor = self._connection.execute(
            """INSERT INTO snapshots
               (day, source, revision, first_fetched_at, fetched_at, state, sha256, body)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (day.isoformat(), source, revision, at, at, state, sha256, zstandard.compress(body)),
        )
        for position, record in enumerate(records):
            key = _digest(record)
            self._connection.execute(
                "INSERT OR IGNORE INTO papers VALUES (?, ?, ?)", (key, json.loads(record)["id"], record)
            )
            self._connection.execute("INSERT INTO listed VALUES (?, ?, ?)", (cursor.lastrowid, position, key))


def _record(paper: Paper) -> str:
    """What a list says of a paper, as canonical JSON without its signals."""
    fields = paper.model_dump(mode="json", exclude=set(SIGNALS))
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _filled(paper: Paper, known: Paper | None) -> Paper:
    """`paper` with what only `known` has."""
    if known is None:
        return paper
    kept = {
        name: getattr(known, name)
        for name in Paper.model_fields
        if name not in SIGNALS and not getattr(paper, name) and getattr(known, name)
    }
    return paper.model_copy(update=kept) if kept else paper
