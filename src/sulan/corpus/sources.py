"""The inputs of extraction, divided into units of work: by the files alone, so that workers do not matter.

A gzipped WARC has one member a record, and is cut at members without being read through. Not covered: remote files,
and cutting WARC files that are compressed otherwise or not at all (each is one unit).
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from sulan.documents import streams
from sulan.errors import InputError, MissingFile
from sulan.runs import fingerprints

UNIT_BYTES = 4 << 20
"""Compressed bytes of a WARC in a unit: about a thousand web pages, some seconds of extraction."""

UNIT_FILES = 512
"""HTML files in a unit."""

WARC = (".warc", ".wet")
HTML = (".html", ".htm", ".xhtml")
MEMBER = b"\x1f\x8b\x08"

Kind = Literal["warc", "html", "records"]


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A piece of the input.

    Attributes
    ----------
    kind
        `warc`: the records that begin in bytes [start, stop) of one file; `html`: pages, one a file; `records`:
        one file of JSON Lines, CSV, Parquet or text.
    root
        The file, or the folder of `html`.
    names
        `html`: files below `root`.
    start, stop
        `warc`: bytes.
    fingerprint
        What the file was when the work began.
    """

    kind: Kind
    root: str
    names: tuple[str, ...] = ()
    start: int = 0
    stop: int = 0
    fingerprint: str = ""


def units(inputs: Sequence[Path]) -> list[Unit]:
    """Divide inputs, in the order given and a folder's files by name.

    Parameters
    ----------
    inputs
        WARC or WET files, HTML files, JSON Lines, CSV, Parquet or text, compressed or not; and folders of them,
        searched at every depth.

    Raises
    ------
    MissingFile
        There is nothing at a path, or nothing of a known kind in a folder.
    InputError
        What a file holds cannot be told from its name.
    """
    found: list[Unit] = []
    for given in inputs:
        if given.is_dir():
            found += _folder(given)
        elif given.is_file():
            kind = _kind(given)
            if kind is None:
                raise InputError(f"what {given} holds cannot be told from its name", hint=_known())
            found += [_page_files(given.parent, [given.name])] if kind == "html" else _file(given, kind)
        else:
            raise MissingFile(f"no file or folder at {given}")
    if not found:
        raise InputError("no input was given")
    return found


def next_record(stream: BinaryIO, position: int, end: int) -> int:
    """Return where the first gzip member that holds a WARC record begins, at `position` or later; `end` if none."""
    overlap = len(MEMBER) - 1
    while position < end:
        stream.seek(position)
        chunk = stream.read(1 << 16)
        at = chunk.find(MEMBER)
        while at >= 0:
            if _is_record(stream, position + at):
                return min(position + at, end)
            at = chunk.find(MEMBER, at + 1)
        if len(chunk) <= overlap:
            break
        position += len(chunk) - overlap
    return end


def is_gzip(path: Path) -> bool:
    """Tell whether a file begins as gzip does."""
    with path.open("rb") as stream:
        return stream.read(len(MEMBER)) == MEMBER


def _is_record(stream: BinaryIO, position: int) -> bool:
    stream.seek(position)
    try:
        return zlib.decompressobj(wbits=31).decompress(stream.read(4096), 5) == b"WARC/"
    except zlib.error:  # the three bytes stood inside compressed data
        return False


def _folder(folder: Path) -> Iterator[Unit]:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    visible = [name for name in names if not any(part.startswith(".") for part in name.split("/"))]
    pages = [name for name in visible if _kind(Path(name)) == "html"]
    others = [(name, kind) for name in visible if (kind := _kind(Path(name))) and kind != "html"]
    if not pages and not others:
        raise MissingFile(f"no file with a known ending in {folder}", hint=_known())
    for start in range(0, len(pages), UNIT_FILES):
        yield _page_files(folder, pages[start : start + UNIT_FILES])
    for name, kind in others:
        yield from _file(folder / name, kind)


def _page_files(folder: Path, names: Sequence[str]) -> Unit:
    digests = "".join(fingerprints.file(folder / name) for name in names)
    return Unit(kind="html", root=str(folder), names=tuple(names), fingerprint=digests)


def _file(path: Path, kind: Kind) -> Iterator[Unit]:
    fingerprint, size = fingerprints.file(path), path.stat().st_size
    if kind == "records" or not is_gzip(path):
        yield Unit(kind=kind, root=str(path), stop=size, fingerprint=fingerprint)
        return
    with path.open("rb") as stream:
        start = 0
        while start < size:
            stop = next_record(stream, start + UNIT_BYTES, size)
            yield Unit(kind=kind, root=str(path), start=start, stop=stop, fingerprint=fingerprint)
            start = stop


def _kind(path: Path) -> Kind | None:
    name = Path(path.stem) if path.suffix.lower() in streams.COMPRESSED else path
    ending = name.suffix.lower()
    if ending in WARC:
        return "warc"
    if ending in HTML:
        return "html"
    return "records" if ending in streams.ENDINGS else None


def _known() -> str:
    return f"known endings: {', '.join((*WARC, *HTML, *streams.ENDINGS))}, with {', '.join(streams.COMPRESSED)} or not"
