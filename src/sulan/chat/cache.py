"""Replies that were paid for, in one SQLite file: the same request is answered from it and never sent again.

A reply is committed as soon as it arrives, so a process that is killed loses only requests under way. Replies
that ended by themselves (`stop`) are kept, and so are those cut at their limit (`length`): they were paid
for, the limit is part of the key, so raising it asks again, and a rerun must take the same steps as the run
that it repeats, the failed ones included. A refusal (`content_filter`) is not kept: services change their
filters.
"""

import hashlib
import json
import logging
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, replace
from pathlib import Path

from sulan.chat.protocol import Chat, Reply, Request
from sulan.errors import BrokenArtefact, InputError

logger = logging.getLogger(__name__)

CACHE_VERSION = 1
"""Part of every key and the file's `user_version`: a change of meaning makes the old replies unreachable."""

APPLICATION_ID = 0x53554C41
"""Marks the SQLite file as ours: the letters SULA."""

KEPT = frozenset({"stop", "length"})

BUSY_SECONDS = 30.0
"""How long to wait for another process that is writing."""


def key(model: str, request: Request) -> str:
    """SHA-256 of the canonical JSON of everything that may change a reply."""
    content = {"version": CACHE_VERSION, "model": model, "request": asdict(request)}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Cached:
    """A chat that answers what it was asked before from a file; thread-safe, many processes may share the
    file.

    Parameters
    ----------
    chat
        Answers what the file does not hold.
    path
        The SQLite file; made with its folder when absent.
    replayed
        Called with every reply that cost no call.

    Raises
    ------
    BrokenArtefact
        The file is damaged, or is not a cache of this version.
    InputError
        The file cannot be opened or written.
    """

    def __init__(
        self, chat: Chat, path: Path, *, replayed: Callable[[Reply], None] = lambda reply: None
    ) -> None:
        self._chat = chat
        self._path = path
        self._replayed = replayed
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[Reply]] = {}
        self._database = self._open()

    @property
    def model(self) -> str:
        """Identity of the chat behind."""
        return self._chat.model

    def reply(self, request: Request) -> Reply:
        """Answer from the file, or ask and keep the reply. Equal requests at the same time make one call."""
        name = key(self.model, request)
        with self._lock:
            found = self._read(name)
            waiting = self._under_way.get(name)
            if found is None and waiting is None:
                self._under_way[name] = Future()
        if found is None and waiting is None:
            return self._ask(name, request)
        if found is None and waiting is not None:
            found = replace(waiting.result(), cached=True)
        assert found is not None
        self._replayed(found)
        return found

    def close(self) -> None:
        """Close the file and the chat behind."""
        with self._lock:
            self._database.close()
        self._chat.close()

    def _ask(self, name: str, request: Request) -> Reply:
        future = self._under_way[name]
        try:
            reply = self._chat.reply(request)
            if reply.finish in KEPT:
                self._keep(name, reply)
        except BaseException as error:  # whatever it was, those who wait for this call must hear of it
            future.set_exception(error)
            raise
        else:
            future.set_result(reply)
        finally:
            with self._lock:
                del self._under_way[name]
        return reply

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self._path, timeout=BUSY_SECONDS, check_same_thread=False)
        except (sqlite3.OperationalError, OSError) as error:
            raise InputError(
                f"cannot open the reply cache {self._path}: {error}", hint="name another file with cache"
            ) from error
        try:
            self._prepare(database)
        except sqlite3.OperationalError as error:
            database.close()
            raise InputError(
                f"cannot use the reply cache {self._path}: {error}", hint="name another file with cache"
            ) from error
        except sqlite3.DatabaseError as error:
            database.close()
            raise self._broken(error) from error
        except BrokenArtefact:
            database.close()
            raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        application, version, tables = (
            database.execute(query).fetchone()[0]
            for query in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_schema WHERE name != 'replies'",
            )
        )
        if (application, version) not in {(0, 0), (APPLICATION_ID, CACHE_VERSION)} or tables:
            raise self._broken("it is not a reply cache of this version")
        # WAL: readers do not wait for writers. NORMAL: a killed process loses nothing; a power cut may lose
        # the last replies but does not damage the file.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {CACHE_VERSION}")
        with database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS replies"
                " (key TEXT PRIMARY KEY, model TEXT, reply TEXT) WITHOUT ROWID"
            )

    def _read(self, name: str) -> Reply | None:
        try:
            row = self._database.execute("SELECT reply FROM replies WHERE key = ?", (name,)).fetchone()
            return Reply(**json.loads(row[0]), cached=True) if row else None
        except (sqlite3.DatabaseError, ValueError, TypeError) as error:
            raise self._broken(error) from error

    def _keep(self, name: str, reply: Reply) -> None:
        fields = {field: value for field, value in asdict(reply).items() if field != "cached"}
        try:
            with self._lock, self._database:
                self._database.execute(
                    "INSERT OR REPLACE INTO replies VALUES (?, ?, ?)", (name, self.model, json.dumps(fields))
                )
        except sqlite3.OperationalError as error:
            # A full disk or a locked file must not cost the reply that was just paid for.
            logger.warning("a reply could not be kept in %s: %s", self._path, error)
        except sqlite3.DatabaseError as error:
            raise self._broken(error) from error

    def _broken(self, reason: object) -> BrokenArtefact:
        return BrokenArtefact(
            f"the reply cache {self._path} cannot be read: {reason}",
            hint=f"move {self._path} away; the replies in it will be asked for again",
        )
