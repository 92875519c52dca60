"""One document at a time in a child process: what hangs, crashes or eats memory costs itself and nothing else.

The child counts its own CPU time for each document, so that a busy machine changes no result, and dies by the
kernel's hand when a document takes too much. The parent starts another one and goes on with the next document. What
crosses is bytes behind a line of JSON, no pickle. Not covered: files and network, which the parser does not use.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

MEMORY = 4 << 30
"""Bytes of address space of the child."""

TOO_LONG = "took too much time"
CRASHED = "crashed the parser"


class Sandbox:
    """A child that turns pages into text; use it as a context manager.

    Parameters
    ----------
    seconds
        CPU seconds that one document may take.
    """

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def read(self, body: bytes, *, mime: str, charset: str | None) -> Mapping[str, Any]:
        """Return `text`, `title` and `charset` of a page, or `failed` with a reason."""
        connection = self._connection or self._start()
        asked = {"mime": mime, "charset": charset}
        try:
            _send(connection, asked, body)
            answer, text = _receive(connection)
        except (EOFError, OSError):
            return {"failed": self._stop()}
        return {**answer, "text": text.decode()}

    def _start(self) -> Connection:
        ours, theirs = Pipe()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno()), str(self._seconds)],
            pass_fds=[theirs.fileno()],
            env=environment,
            stderr=subprocess.DEVNULL,  # a crash is told by its signal
        )
        theirs.close()
        self._connection = ours
        return ours

    def _stop(self) -> str:
        """End the child; return why it had ended, if it had."""
        process, self._process = self._process, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if process is None:
            return CRASHED
        try:
            code = process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        return TOO_LONG if code == -signal.SIGPROF else CRASHED


def _send(connection: Connection, header: Mapping[str, Any], body: bytes) -> None:
    connection.send_bytes(json.dumps(header).encode() + b"\n" + body)


def _receive(connection: Connection) -> tuple[dict[str, Any], bytes]:
    header, _, body = connection.recv_bytes().partition(b"\n")
    return json.loads(header), body


# What happens inside the child.


def serve(connection: Connection, *, seconds: float) -> None:
    """Answer until the other end closes."""
    from sulan.corpus.html import read

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(
        resource.RLIMIT_AS, (MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard), hard)
    )
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with suppress(EOFError):
        while True:
            asked, body = _receive(connection)
            signal.setitimer(signal.ITIMER_PROF, seconds)
            page = read(body, mime=asked["mime"], charset=asked["charset"])
            signal.setitimer(signal.ITIMER_PROF, 0)
            _send(connection, {"title": page.title, "charset": page.charset}, page.text.encode())


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])), seconds=float(sys.argv[2]))
