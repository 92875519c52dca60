"""Stages that the tests map over shards: top-level functions that a fresh process can import."""

import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any


def describe(shard: Path, folder: Path, *, note: str = "") -> dict[str, Any]:
    """Write what a file holds in upper case, return its size."""
    text = shard.read_text()
    (folder / "upper.txt").write_text(text.upper() + note)
    return {"size": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def logged(shard: int, folder: Path, *, log: str) -> int:
    """Square a number; leave one line in `log` for each time that this was really done."""
    with (Path(log) / f"{shard}.log").open("a") as stream:
        stream.write("done\n")
    (folder / "square.txt").write_text(str(shard**2))
    return shard**2


def dies_once(shard: int, folder: Path, *, log: str, at: int = 2) -> int:
    """As `logged`, but kill the own process at the first try of shard `at`, in the middle of its output."""
    mark = Path(log) / "died"
    if shard == at and not mark.exists():
        mark.write_text("")
        (folder / "square.txt").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
    return logged(shard, folder, log=log)


def slow(shard: int, folder: Path, *, log: str, seconds: float) -> int:
    """As `logged`, but write half, wait, then write the rest."""
    (folder / "square.txt").write_text("half")
    time.sleep(seconds)
    return logged(shard, folder, log=log)


def fails(shard: int, folder: Path) -> int:
    """Fail in several ways."""
    if shard == 1:
        raise Unpicklable(shard, reason="it is one")
    if shard == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / "done.txt").write_text("")
    return shard


class Unpicklable(Exception):
    """An exception that cannot be sent between processes, as many are: its arguments are not its `args`."""

    def __init__(self, shard: int, *, reason: str) -> None:
        super().__init__(f"shard {shard}: {reason}")


def threads(shard: int, folder: Path) -> dict[str, str]:
    """Return the thread settings that the process was started with."""
    return {name: value for name, value in os.environ.items() if name.endswith("_THREADS")}


def process(shard: int, folder: Path) -> int:
    """Return the number of the process."""
    return os.getpid()


def returns_a_set(shard: int, folder: Path) -> set[int]:
    """Return what JSON cannot hold."""
    return {shard}
