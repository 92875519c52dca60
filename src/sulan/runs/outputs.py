"""Outputs that are whole or absent: written aside, renamed when complete.

A folder is filled under a hidden name beside its destination. When the block ends it takes the destination's
place; when the block fails it is removed, and only the failed run's record stays, as `NAME.failed.json`.
A process that is killed leaves the hidden folder, which the next run to the same destination removes.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from sulan.errors import InputError
from sulan.runs import fingerprints

RECORD = "run.json"

_VOLATILE = frozenset({"start", "end", "environment", "libraries", "commit", "peak_memory_mb", "metrics"})
"""Keys of a record that may differ between two runs that made the same thing."""


def write_bytes(path: Path, data: bytes) -> None:
    """Write one file so that `path` holds either its old or its new content, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
        aside = Path(stream.name)
        try:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            aside.chmod(0o666 & ~_umask())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Write one UTF-8 text file so that `path` holds either its old or its new content, never a part."""
    write_bytes(path, text.encode())


@contextmanager
def folder(out: Path) -> Iterator[Path]:
    """Give a folder to write into that becomes `out` when the block ends.

    If `out` already holds a complete artefact made from the same configuration and inputs, byte for byte the
    same, it is left as it was: repeating a finished run changes nothing on disk.

    Parameters
    ----------
    out
        Destination. An artefact of an earlier run (a folder with `run.json`) is replaced; any other non-empty
        folder is refused.

    Raises
    ------
    InputError
        `out` is a file, or a non-empty folder that no run of Sulan made.
    """
    out = Path(os.path.abspath(out))  # noqa: PTH100  resolve() would follow a link that the user chose
    aside, previous = out.with_name(f".{out.name}.partial"), out.with_name(f".{out.name}.previous")
    failed = out.with_name(f"{out.name}.failed.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    with locked(out):
        if previous.exists() and not out.exists():
            previous.rename(out)  # killed between the two renames below: the old artefact is still whole
        _check_replaceable(out)
        for leftover in (aside, previous):
            shutil.rmtree(leftover, ignore_errors=True)
        aside.mkdir()
        try:
            yield aside
        except BaseException:
            if (aside / RECORD).exists():
                (aside / RECORD).replace(failed)
            shutil.rmtree(aside, ignore_errors=True)
            raise
        failed.unlink(missing_ok=True)
        if _same_artefact(out, aside):
            shutil.rmtree(aside)
            return
        if out.exists():
            out.rename(previous)
        aside.rename(out)
        shutil.rmtree(previous, ignore_errors=True)


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the destination `out` for the block; another run that wants it gets an InputError."""
    lock = out.with_name(f".{out.name}.lock")
    with lock.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel frees it when the process dies
        except BlockingIOError as error:
            raise InputError(
                f"another run is writing {out}", hint="wait for it, or name another folder"
            ) from error
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _check_replaceable(out: Path) -> None:
    if out.is_file():
        raise InputError(f"{out} is a file", hint="name a folder that does not exist yet")
    if out.is_dir() and any(out.iterdir()) and not (out / RECORD).exists():
        raise InputError(
            f"{out} holds files that no run of Sulan made",
            hint="name a new folder, or empty this one yourself",
        )


def _same_artefact(old: Path, new: Path) -> bool:
    if not ((old / RECORD).exists() and (new / RECORD).exists()):
        return False
    records = []
    for place in (old, new):
        try:
            record = json.loads((place / RECORD).read_text())
        except ValueError:
            return False
        records.append({name: value for name, value in record.items() if name not in _VOLATILE})
    return records[0] == records[1] and fingerprints.path(old) == fingerprints.path(new)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
