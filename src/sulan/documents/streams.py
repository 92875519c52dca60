"""The files people have, as bounded streams of bytes: found in folders, decompressed, cut at line ends.

Compression (gzip, zstandard, bzip2) is told by the first bytes and not by the name. Nothing here holds more
than a block and one line, however large or however compressed the file is. Not covered: archives (tar, zip)
and remote files.
"""

import bz2
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast, get_args

import pyarrow as pa

from sulan.documents.schema import first_line
from sulan.errors import BrokenArtefact, InputError, MissingFile

Format = Literal["jsonl", "json", "csv", "tsv", "txt", "parquet"]

ENDINGS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "txt",
    ".parquet": "parquet",
}
COMPRESSED = (".gz", ".zst", ".bz2")

CHUNK = 1 << 20
BLOCK_BYTES = 8 << 20
"""Whole lines that are parsed at once."""

MAX_EXPANSION = 1100
"""Bytes that one compressed byte may become. Deflate cannot exceed 1032 to 1; zstandard and bzip2 can, and
text that does so is a decompression bomb."""

_FREE = 64 << 20
"""Bytes that any file may become before the ratio counts."""

STDIN = Path("-")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One input file: where it is, how errors and `source` name it, and its format."""

    path: Path
    name: str
    format: Format


def find(inputs: Path | Sequence[Path], *, format: Format | None = None) -> tuple[Source, ...]:
    """Return the files that are meant, those of a folder sorted by their relative path.

    Parameters
    ----------
    inputs
        Files, folders (searched at every depth, hidden names left out) or `-` for standard input.
    format
        What all of them hold; none: told by the ending, with `.gz`, `.zst` or `.bz2` after it or not. With a
        format given, a folder's files of every ending are taken.

    Raises
    ------
    MissingFile
        A path does not exist, or a folder has no file with a known ending.
    InputError
        The ending says nothing and no format was given.
    """
    found: list[Source] = []
    for given in [inputs] if isinstance(inputs, Path) else inputs:
        if given == STDIN:
            found.append(Source(path=given, name="standard input", format=format or "jsonl"))
        elif given.is_dir():
            inside = [
                Source(path=path, name=path.relative_to(given).as_posix(), format=kind)
                for path in sorted(given.rglob("*"), key=lambda path: path.relative_to(given).as_posix())
                if path.is_file()
                and not _hidden(path.relative_to(given))
                and (kind := format or _ending(path))
            ]
            if not inside:
                raise MissingFile(f"no file with a known ending in {given}", hint=_known())
            found += inside
        elif given.is_file():
            kind = format or _ending(given)
            if kind is None:
                raise InputError(f"what {given} holds cannot be told from its name", hint=_known())
            found.append(Source(path=given, name=given.name, format=kind))
        else:
            raise MissingFile(f"no file or folder at {given}")
    if not found:
        raise InputError("no input was given")
    return tuple(found)


def chunks(
    source: Source, *, max_expansion: int = MAX_EXPANSION, stdin: BinaryIO | None = None
) -> Iterator[bytes]:
    """Yield the bytes of a file, decompressed, at most `CHUNK` at a time.

    Parameters
    ----------
    source
        What to read.
    max_expansion
        Bytes that one compressed byte may become, past the first 64 MiB.
    stdin
        What `-` reads; none: standard input.

    Raises
    ------
    BrokenArtefact
        The compressed data are damaged or end early.
    InputError
        The file grows past `max_expansion`, or cannot be read.
    """
    with ExitStack() as stack:
        try:
            if source.path == STDIN:
                raw = stdin or sys.stdin.buffer
            else:
                raw = stack.enter_context(source.path.open("rb"))
        except OSError as error:
            raise InputError(f"cannot read {source.path}: {error.strerror}") from error
        counted = _Counted(raw)
        stream = _decompressed(counted)
        size = 0
        while True:
            try:
                chunk = stream.read(CHUNK)
            except (EOFError, OSError, zlib.error, pa.ArrowInvalid) as error:
                raise BrokenArtefact(
                    f"{source.name} is damaged or cut off: {first_line(error)}",
                    hint='fetch the file again, or keep what came before with errors="skip"',
                ) from error
            if not chunk:
                return
            size += len(chunk)
            if size > _FREE and size > max_expansion * counted.size and stream is not counted:
                raise InputError(
                    f"{source.name}: {counted.size} bytes became more than {size}: a decompression bomb",
                    hint="raise max_expansion if you trust this file",
                )
            yield bytes(chunk)


def blocks(
    stream: Iterable[bytes],
    *,
    max_line: int,
    too_long: Callable[[int], None],
    block: int = BLOCK_BYTES,
) -> Iterator[tuple[int, bytes]]:
    r"""Yield whole lines in blocks, each with the number of its first line, from 1.

    Parameters
    ----------
    stream
        The file's bytes. A UTF-8 byte order mark at the start is dropped.
    max_line
        Bytes of a line; a longer one is left out, and never held.
    too_long
        Called with the number of each line that is left out.
    block
        A block is yielded once it has this many bytes.

    Raises
    ------
    BrokenArtefact
        As `stream`, after all whole lines before the damage.

    Examples
    --------
    >>> list(blocks([b"a\nb", b"b\nccccc\nd"], max_line=4, too_long=lambda line: None, block=1))
    [(1, b'a\n'), (2, b'bb\n'), (4, b'd')]
    """
    waiting, line, discarding = bytearray(), 1, False
    source, first, damage = iter(stream), True, None
    while True:
        try:
            chunk = next(source, b"")
        except BrokenArtefact as error:
            damage = error
            break
        if not chunk:
            break
        if first:
            chunk, first = chunk.removeprefix(b"\xef\xbb\xbf"), False
        if discarding:
            _, found, chunk = chunk.partition(b"\n")
            if not found:
                continue
            discarding, line = False, line + 1
        waiting += chunk
        if len(waiting) < block and len(waiting) <= max_line:
            continue
        end = waiting.rfind(b"\n") + 1
        whole, waiting = bytes(waiting[:end]), waiting[end:]
        yield from _without_long(line, whole, max_line, too_long)
        line += whole.count(b"\n")
        if len(waiting) > max_line:
            too_long(line)
            waiting, discarding = bytearray(), True
    if damage is not None:  # the last line is cut off; those before it are whole
        yield from _without_long(line, bytes(waiting[: waiting.rfind(b"\n") + 1]), max_line, too_long)
        raise damage
    yield from _without_long(line, bytes(waiting), max_line, too_long)


def _without_long(
    line: int, whole: bytes, max_line: int, too_long: Callable[[int], None]
) -> Iterator[tuple[int, bytes]]:
    if len(whole) <= max_line:  # then no line in it is longer
        if whole:
            yield line, whole
        return
    start, first = 0, line
    position = 0
    while position < len(whole):
        end = whole.find(b"\n", position) + 1 or len(whole)
        if end - position > max_line + 1:
            if position > start:
                yield first, whole[start:position]
            too_long(line)
            start, first = end, line + 1
        position, line = end, line + 1
    if start < len(whole):
        yield first, whole[start:]


class _Counted(io.RawIOBase):
    """A stream that knows how many bytes were taken from it and can show the next few."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._head = b""
        self.size = 0

    def peek(self, size: int) -> bytes:
        while len(self._head) < size and (more := self._raw.read(size - len(self._head))):
            self._head += more
        return self._head

    def read(self, size: int = -1) -> bytes:
        data, self._head = self._head, b""
        if size < 0 or len(data) < size:
            data += self._raw.read(size - len(data) if size >= 0 else -1) or b""
        elif len(data) > size:
            data, self._head = data[:size], data[size:]
        self.size += len(data)
        return data

    def readable(self) -> bool:
        return True


def _decompressed(raw: _Counted) -> BinaryIO:
    head = raw.peek(4)
    if head.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw, mode="rb"))
    if head.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(raw, "rb"))
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd"))
    return cast(BinaryIO, raw)


def _ending(path: Path) -> Format | None:
    name = Path(path.stem) if path.suffix.lower() in COMPRESSED else path
    return ENDINGS.get(name.suffix.lower())


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _known() -> str:
    return (
        f"known endings: {', '.join(ENDINGS)}, with {', '.join(COMPRESSED)} or not; or say format="
        + "|".join(get_args(Format))
    )
