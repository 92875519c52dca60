"""One SQLite file that survives: opening, versions, transactions, the lock of a long writer, plain errors.

What stands in the tables is `store.py`'s affair; here is only their shape and how they are reached.
"""

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from sulan.errors import BrokenArtefact, InputError

BUSY_TIMEOUT = 30.0
"""Seconds to wait for another writer's transaction, which takes milliseconds."""

_APPLICATION = 0x53554C41  # "SULA": tells our files from other programs' SQLite files

# The statements that lead from version n to n + 1; never edited once released, only added to.
_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE snapshots (
            id INTEGER PRIMARY KEY, day TEXT NOT NULL, source TEXT NOT NULL, revision INTEGER NOT NULL,
            first_fetched_at TEXT NOT NULL, fetched_at TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('open', 'complete')),
            sha256 TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (day, source, revision))""",
        "CREATE TABLE papers (sha256 TEXT PRIMARY KEY, id TEXT NOT NULL, record TEXT NOT NULL)",
        "CREATE INDEX papers_by_id ON papers (id)",
        """CREATE TABLE listed (
            snapshot INTEGER NOT NULL REFERENCES snapshots (id), position INTEGER NOT NULL,
            paper TEXT NOT NULL REFERENCES papers (sha256),
            PRIMARY KEY (snapshot, position)) WITHOUT ROWID""",
        """CREATE TABLE signals (
            paper TEXT NOT NULL, source TEXT NOT NULL, at TEXT NOT NULL, upvotes INTEGER, comments INTEGER,
            stars INTEGER, PRIMARY KEY (paper, source, at)) WITHOUT ROWID""",
        """CREATE TABLE failures (
            day TEXT NOT NULL, source TEXT NOT NULL, at TEXT NOT NULL, message TEXT NOT NULL,
            resolved INTEGER NOT NULL DEFAULT 0)""",
        "CREATE INDEX failures_by_day ON failures (day, source)",
        """CREATE TABLE arxiv (
            id TEXT NOT NULL, version INTEGER NOT NULL, fetched_at TEXT NOT NULL, record TEXT NOT NULL,
            PRIMARY KEY (id, version)) WITHOUT ROWID""",
    ),
)
VERSION = len(_MIGRATIONS)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, made or brought to this version where need be, in write-ahead mode.

    Raises
    ------
    BrokenArtefact
        It is another program's file, or of a newer Sulan. (Damage shows as `sqlite3.DatabaseError`.)
    """
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
    try:
        # SQLite does not wait for a lock while it changes the journal mode, so openers queue here.
        with _queued(path.parent):
            _check(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            _migrate(connection)
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool) -> Iterator[None]:
    """Everything in the block or nothing; `write` takes the only writer's place from the start."""
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def mapped(path: Path) -> Iterator[None]:
    """Turn what SQLite, the file system and damaged records raise into Sulan's errors."""
    try:
        yield
    except sqlite3.OperationalError as error:  # locked, read-only, disk full, cannot open
        raise InputError(
            f"the store {path} cannot be used: {error}", hint="check space and rights"
        ) from error
    except (sqlite3.DatabaseError, ValidationError, json.JSONDecodeError) as error:
        reason = str(error).partition("\n")[0]
        raise BrokenArtefact(
            f"the store {path} is damaged: {reason}",
            hint="it was left as it is; move it away and fetch again, or restore a copy",
        ) from error
    except OSError as error:
        raise InputError(f"the store {path} cannot be used: {error.strerror}") from error


@contextmanager
def alone(lock: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold `lock` for the block, so that two scheduled runs do not fetch the same days at once.

    The kernel frees it when the process dies, however it dies. Readers and single transactions need it not.

    Parameters
    ----------
    lock
        The lock's file, which stays, empty.
    wait
        Seconds to wait for another holder.

    Raises
    ------
    InputError
        Another process holds it, or the file cannot be made.
    """
    deadline = time.monotonic() + wait
    with mapped(lock):
        stream = lock.open("a")
    with stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise InputError(
                        f"another run is fetching into {lock.parent}",
                        hint="wait for it to end, or name another folder",
                    ) from error
                time.sleep(0.05)
        yield


@contextmanager
def _queued(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def _check(connection: sqlite3.Connection, path: Path) -> None:
    application, tables = _pragma(connection, "application_id"), _pragma(connection, "schema_version")
    if application != _APPLICATION and (application or tables):
        raise BrokenArtefact(f"{path} is another program's file", hint="name another folder")
    if (version := _pragma(connection, "user_version")) > VERSION:
        raise BrokenArtefact(
            f"{path} has version {version}, this Sulan knows {VERSION}", hint="upgrade Sulan"
        )


def _migrate(connection: sqlite3.Connection) -> None:
    if _pragma(connection, "user_version") == VERSION:
        return
    with transaction(connection, write=True):
        for version in range(_pragma(connection, "user_version"), VERSION):
            for statement in _MIGRATIONS[version]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
