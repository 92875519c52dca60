"""Records out of files: JSON Lines, JSON, CSV, TSV, plain text and foreign Parquet, one dictionary each.

A record that cannot be read costs one clear line with file and line number, or is counted and left out; which
of the two is the caller's choice (`Problems`). Not covered: what the fields mean (`convert`).
"""

import codecs
import csv
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from sulan.documents import json_stream, streams
from sulan.documents.schema import first_line
from sulan.documents.streams import Source
from sulan.errors import BrokenArtefact, InputError

Errors = Literal["raise", "skip", "replace"]

BAD_BYTES = "surrogateescape"
"""How bytes that are not UTF-8 travel inside a string: as lone surrogates, which cost the record that they
are in, when its values are looked at (`convert`), and no other."""

SKIP = 'mend it, or leave such records out with errors="skip"'

_SHOWN = 10
_BATCH = 2048


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record: where it was (`file:line`) and its fields."""

    where: str
    fields: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Whole lines of a JSON Lines file, from line `line` on; not parsed yet."""

    line: int
    data: bytes


class Problems:
    """Counts what could not be read, or raises at the first.

    Parameters
    ----------
    errors
        `raise`: the first problem is an InputError. `skip`: the record is left out and counted. `replace`: as
        `skip`, but bytes that are not UTF-8 become U+FFFD and their record is kept.
    limit
        Problems after which the input is taken for something else than it was said to be, and given up.
    """

    def __init__(self, errors: Errors, limit: int) -> None:
        self.errors = errors
        self.skipped: Counter[str] = Counter()
        self.repaired = 0
        self.shown: list[str] = []
        self._limit = limit

    def add(self, where: str, reason: str, *, kind: str) -> None:
        """Note that the record at `where` is left out, for a reason of this kind.

        Raises
        ------
        InputError
            With `errors="raise"`, or when there were more than `limit`.
        """
        message = f"{where}: {reason}"
        if self.errors == "raise":
            raise InputError(message, hint=SKIP)
        self.skipped[kind] += 1
        if len(self.shown) < _SHOWN:
            self.shown.append(message)
        if self.skipped.total() > self._limit:
            raise InputError(
                f"more than {self._limit} records cannot be read; the first: {self.shown[0]}",
                hint="check the format, or raise max_errors",
            )


def pieces(
    source: Source,
    problems: Problems,
    *,
    paragraphs: bool,
    max_document: int,
    max_expansion: int,
    stdin: BinaryIO | None = None,
) -> Iterator[Block | list[Record] | pa.RecordBatch]:
    """Yield what a file holds, in pieces of bounded size: raw blocks for JSON Lines, rows for Parquet.

    Parameters
    ----------
    source
        The file.
    problems
        Where broken records go.
    paragraphs
        Plain text: a document is what stands between blank lines; else it is the whole file.
    max_document
        Bytes of a line, a record or a text file; a longer one is a problem.
    max_expansion, stdin
        See `streams.chunks`.
    """
    if source.format == "parquet":
        yield from _parquet(source)
        return
    stream = streams.chunks(source, max_expansion=max_expansion, stdin=stdin)
    try:
        if source.format == "jsonl":
            yield from _blocks(source, stream, problems, max_document)
        elif source.format == "json":
            yield from _json(source, stream, problems, max_document)
        elif source.format in ("csv", "tsv"):
            yield from _batched(_table(source, stream, problems, max_document))
        else:
            yield from _batched(_text(source, stream, problems, max_document, paragraphs))
    except BrokenArtefact as error:
        if problems.errors == "raise":
            raise
        problems.add(source.name, f"the rest of the file is left out: {error}", kind="damaged file")


def parsed(block: Block, source: Source, problems: Problems) -> Iterator[Record]:
    """Yield the records of a block of JSON Lines; blank lines are none, broken ones go to `problems`."""
    for number, line in enumerate(block.data.split(b"\n"), block.line):
        if not line.strip():
            continue
        where = f"{source.name}:{number}"
        try:
            value = json.loads(line.decode(errors=BAD_BYTES))
        except json.JSONDecodeError as error:
            problems.add(where, f"broken JSON at column {error.colno}: {error.msg}", kind="broken JSON")
        except (ValueError, RecursionError) as error:  # thousands of digits, thousands of brackets
            problems.add(where, f"broken JSON: {first_line(error)}", kind="broken JSON")
        else:
            yield from _objects(value, where, problems)


def _objects(value: Any, where: str, problems: Problems) -> Iterator[Record]:
    if isinstance(value, dict):
        yield Record(where=where, fields=value)
    else:
        problems.add(where, f"a JSON {_kind(value)}, not an object", kind="not an object")


def _blocks(source: Source, stream: Iterable[bytes], problems: Problems, longest: int) -> Iterator[Block]:
    def too_long(line: int) -> None:
        problems.add(f"{source.name}:{line}", f"a line of more than {longest} bytes", kind="too long")

    for line, data in streams.blocks(stream, max_line=longest, too_long=too_long):
        yield Block(line=line, data=data)


def _json(
    source: Source, stream: Iterator[bytes], problems: Problems, longest: int
) -> Iterator[Block | list[Record]]:
    first = next(stream, b"")
    whole = itertools.chain([first], stream)
    line = first.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")[0].strip()
    if line.startswith(b"{") and line.endswith(b"}"):  # JSON Lines under the name of JSON
        yield from _blocks(source, whole, problems, longest)
        return
    batch: list[Record] = []
    try:
        for number, value in json_stream.values(_decoded(whole), limit=longest):
            batch += _objects(value, f"{source.name}:{number}", problems)
            if len(batch) == _BATCH:
                yield batch
                batch = []
    except InputError as error:
        if problems.errors == "raise":
            raise InputError(f"{source.name}: {error}", hint=SKIP) from error
        yield batch
        batch = []
        problems.add(source.name, f"the rest of the file is left out: {error}", kind="broken JSON")
    except BrokenArtefact:
        yield batch  # what came before the damage
        raise
    yield batch


def _table(source: Source, stream: Iterable[bytes], problems: Problems, longest: int) -> Iterator[Record]:
    lines = _Lines(source, stream, problems, longest)
    before = csv.field_size_limit(longest)
    try:
        if source.format == "csv":
            rows = csv.reader(lines, strict=True)
        else:  # text/tab-separated-values has no quoting: a quotation mark is a character of the text
            rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        header: list[str] | None = None
        while True:
            start = lines.number + 1
            try:
                row = next(rows, None)
            except csv.Error as error:
                problems.add(
                    f"{source.name}:{start}", f"broken {source.format}: {error}", kind="broken table"
                )
                continue
            if row is None:
                return
            if not row:
                continue
            if header is None:
                header = row
            elif len(row) != len(header):
                reason = f"{len(row)} fields, the header has {len(header)}"
                problems.add(f"{source.name}:{start}", reason, kind="broken table")
            else:
                fields = {name: value for name, value in zip(header, row, strict=True) if value}
                yield Record(where=f"{source.name}:{start}", fields=fields)
    finally:
        csv.field_size_limit(before)


def _text(
    source: Source, stream: Iterable[bytes], problems: Problems, longest: int, paragraphs: bool
) -> Iterator[Record]:
    if not paragraphs:
        data = bytearray()
        for chunk in stream:
            data += chunk
            if len(data) > longest:
                problems.add(source.name, f"a text of more than {longest} bytes", kind="too long")
                return
        text = data.removeprefix(codecs.BOM_UTF8).decode(errors=BAD_BYTES)
        yield Record(where=source.name, fields={"text": text, "source": source.name})
        return
    lines = _Lines(source, stream, problems, longest)
    waiting: list[str] = []
    size = start = 0
    for line in itertools.chain(lines, [""]):  # the end of the file ends a paragraph
        if line.strip():
            start = start if size else lines.number
            size += len(line)
            waiting.append(line)
            if size > longest:
                waiting.clear()
        elif size:
            where = f"{source.name}:{start}"
            if size > longest:
                problems.add(where, f"a text of more than {longest} characters", kind="too long")
            else:
                text = "".join(waiting).rstrip("\r\n")
                yield Record(where=where, fields={"text": text, "source": source.name})
            waiting, size = [], 0


class _Lines:
    """The lines of a file as text, with the number of the last one that was handed out."""

    def __init__(self, source: Source, stream: Iterable[bytes], problems: Problems, longest: int) -> None:
        self.number = 0
        self._lines = self._decoded(source, stream, problems, longest)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._lines)

    def _decoded(
        self, source: Source, stream: Iterable[bytes], problems: Problems, longest: int
    ) -> Iterator[str]:
        for block in _blocks(source, stream, problems, longest):
            lines = block.data.split(b"\n")
            last = lines.pop()
            ended = [line + b"\n" for line in lines] + ([last] if last else [])
            for number, line in enumerate(ended, block.line):
                self.number = number
                yield line.decode(errors=BAD_BYTES)


def _parquet(source: Source) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(source.path) as file:
            yield from file.iter_batches(_BATCH)
    except (pa.ArrowInvalid, OSError) as error:
        raise BrokenArtefact(f"{source.name} is not a whole Parquet file: {first_line(error)}") from error


def _decoded(stream: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")(BAD_BYTES)
    for chunk in stream:
        if text := decoder.decode(chunk):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


def _batched(records: Iterator[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    size = 0
    try:
        for record in records:
            batch.append(record)
            size += sum(map(len, record.fields.values()))
            if len(batch) >= _BATCH or size >= streams.BLOCK_BYTES:
                yield batch
                batch, size = [], 0
    except BrokenArtefact:
        yield batch  # what came before the damage
        raise
    yield batch


def _kind(value: Any) -> str:
    names: Sequence[tuple[type, str]] = ((bool, "boolean"), (str, "string"), (list, "array"), (int, "number"))
    return next(
        (name for kind, name in names if isinstance(value, kind)), "null" if value is None else "number"
    )
