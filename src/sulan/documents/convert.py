"""Make a corpus out of the files people have: one pass, memory flat in the size of the input.

JSON Lines, JSON, CSV, TSV, plain text and Parquet, compressed or not, files and folders and standard input.
Texts are taken as they are, to the byte. Most JSON Lines go through pyarrow's parser a block at a time; a
block that it does not like is parsed again line by line, which gives the same documents or finds the line.
"""

import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from sulan.documents import records, streams
from sulan.documents.records import Block, Errors, Problems, Record
from sulan.documents.schema import ID, MESSAGES, OPTIONAL, REQUIRED, TEXT
from sulan.documents.streams import Format, Source
from sulan.documents.writer import Writer
from sulan.errors import InputError
from sulan.runs.progress import progress

TEXT_FIELDS = ("text", "content", "body")
"""Fields that hold the text where none is named: the first of these that the first records have."""

MAX_DOCUMENT = 64 << 20
"""Bytes of one line, record or text file. A web page of 100 MB on one line is an accident of extraction."""

MAX_ERRORS = 1000
"""Broken records after which the input is taken for something else than it was said to be."""

_PROBED = 100
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What became of the input: every record is in `documents` or in `skipped`.

    Attributes
    ----------
    files
        Files read.
    documents
        Documents written.
    skipped
        Records left out, by kind of problem.
    repaired
        Values with bytes that are not UTF-8, replaced by U+FFFD (`errors="replace"`).
    problems
        The first ten problems, each with file and line.
    columns
        Columns of the corpus.
    """

    files: int
    documents: int
    skipped: Mapping[str, int]
    repaired: int
    problems: tuple[str, ...]
    columns: tuple[str, ...]


def text_id(text: str | bytes) -> str:
    """Return the id of a document that came without one: 128 bits of BLAKE2b of its text, in hexadecimal.

    It depends on the text alone, so neither order nor sharding changes it, and equal texts have equal ids
    (`reader.duplicates` finds them). Of n different texts, two share one with odds below n**2 / 2**129.

    Examples
    --------
    >>> text_id("The quick brown fox")
    '9f06451b586b30a5e8bf55e22fcd3cc5'
    """
    data = text.encode() if isinstance(text, str) else text
    return blake2b(data, digest_size=16).hexdigest()


def convert(
    inputs: Path | Sequence[Path],
    folder: Path,
    *,
    format: Format | None = None,
    columns: Mapping[str, str] | None = None,
    paragraphs: bool = False,
    errors: Errors = "raise",
    max_errors: int = MAX_ERRORS,
    max_document: int = MAX_DOCUMENT,
    max_expansion: int = streams.MAX_EXPANSION,
    stdin: BinaryIO | None = None,
) -> Converted:
    """Write the documents of files as a corpus.

    Parameters
    ----------
    inputs
        Files, folders or `-`; see `streams.find`. Their order is the order of the corpus.
    folder
        Where the parts go: what `runs.outputs.folder` gave.
    format
        What the files hold; none: told by their endings. Standard input is JSON Lines unless said otherwise.
    columns
        Column of the corpus -> field of the input, e.g. `{"text": "content", "id": "doc_id"}`. The text is
        looked for in `TEXT_FIELDS` where not named, the id in `id`. The optional columns of a corpus (`lang`,
        `source`, ...) come along when the first records of the first file have them; name them when only
        later files do. Any other column must be named here; it is text, whole numbers, numbers or booleans,
        as the first records have it. Chats without a text get the plain reading of `messages` as their text.
    paragraphs
        Plain text: a document is what stands between blank lines. Otherwise it is the whole file.
    errors
        `raise`: the first broken record ends it. `skip`: such records are left out and counted. `replace`: as
        `skip`, but bytes that are not UTF-8 become U+FFFD.
    max_errors
        Broken records after which it ends all the same.
    max_document
        Bytes of one line, record or text file.
    max_expansion
        Bytes that one compressed byte may become.
    stdin
        What `-` reads; none: standard input.

    Returns
    -------
    Converted
        Counts that add up.

    Raises
    ------
    MissingFile
        An input does not exist.
    InputError
        A record cannot be read, a field that was named is nowhere, or there is no document at all.
    BrokenArtefact
        A compressed file is damaged or cut off.
    """
    problems = Problems(errors, max_errors)
    sources = streams.find(inputs, format=format)
    plan: _Plan | None = None
    with ExitStack() as stack:
        writer: Writer | None = None
        for source in progress(sources, label="convert"):
            for piece in records.pieces(
                source,
                problems,
                paragraphs=paragraphs,
                max_document=max_document,
                max_expansion=max_expansion,
                stdin=stdin,
            ):
                if plan is None or writer is None:
                    sample = _sample(piece, source)
                    if not sample:
                        for _ in _rows(piece, source, problems):  # nothing can be read: let that be counted
                            pass
                        continue
                    plan = _Plan.of(sample, columns or {}, where=source.name)
                    writer = stack.enter_context(Writer(folder, schema=plan.schema))
                table = plan.parse(piece, source) if isinstance(piece, Block) else None
                if table is None:
                    table = plan.table(_rows(piece, source, problems), problems)
                writer.write(table)
        if writer is None or plan is None:
            raise InputError(f"no document in {', '.join(source.name for source in sources[:3])}")
    return Converted(
        files=len(sources),
        documents=writer.documents,
        skipped=dict(sorted(problems.skipped.items())),
        repaired=problems.repaired,
        problems=tuple(problems.shown),
        columns=tuple(plan.schema.names),
    )


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """Which field of the input becomes which column, and what type the field has."""

    fields: Mapping[str, str]
    types: Mapping[str, pa.DataType]
    schema: pa.Schema

    @classmethod
    def of(cls, sample: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, where: str) -> "_Plan":
        seen: dict[str, Any] = {}
        for record in sample:
            for name, value in record.items():
                if value is not None:
                    seen.setdefault(name, value)
        absent = [field for field in columns.values() if field not in seen]
        if absent:
            raise InputError(f"{where} has no field {absent[0]}; it has {', '.join(seen) or 'none'}")
        fields = dict(columns)
        if TEXT not in fields:
            fields[TEXT] = next((name for name in TEXT_FIELDS if isinstance(seen.get(name), str)), "")
            if not fields[TEXT] and not isinstance(seen.get(fields.get("messages", "messages")), list):
                raise InputError(
                    f"{where} has no field {', '.join(TEXT_FIELDS)}; it has {', '.join(seen) or 'none'}",
                    hint='name the field that holds it, columns={"text": "FIELD"}',
                )
        fields.setdefault(ID, "id")
        for name, kind in OPTIONAL.items():
            if name not in fields and _fits(seen.get(name), kind):
                fields[name] = name
        types = {
            name: (REQUIRED | OPTIONAL).get(name) or _scalar(seen[fields[name]], name) for name in fields
        }
        ordered = [*REQUIRED, *(name for name in fields if name not in REQUIRED)]
        if isinstance(seen.get(fields[ID]), int):
            types[ID] = pa.int64()
        return cls(
            fields={name: fields[name] for name in ordered},
            types=types,
            schema=pa.schema([(name, REQUIRED.get(name, types[name])) for name in ordered]),
        )

    def parse(self, block: Block, source: Source) -> pa.Table | None:
        """Return the documents of a block of JSON Lines, or None where it must be looked at line by line."""
        if not self.fields[TEXT] or len(set(self.fields.values())) < len(self.fields):
            return None
        explicit = pa.schema([(field, self.types[name]) for name, field in self.fields.items()])
        try:
            block.data.decode()
            found = pyarrow.json.read_json(
                io.BytesIO(block.data),
                parse_options=pyarrow.json.ParseOptions(
                    explicit_schema=explicit, newlines_in_values=False, unexpected_field_behavior="ignore"
                ),
            )
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
            return None
        lines = sum(1 for line in block.data.split(b"\n") if line.strip())
        table = found.select([*self.fields.values()]).rename_columns([*self.fields])
        if len(table) != lines or table[TEXT].null_count:
            return None
        ids = table[ID].cast(pa.string())
        wanting = pc.or_kleene(ids.is_null(), pc.equal(ids, "")).fill_null(True)
        if pc.any(wanting, min_count=0).as_py():
            made = pa.chunked_array([_ids(chunk) for chunk in table[TEXT].chunks], pa.string())
            ids = pc.if_else(wanting, made, ids)
        return table.set_column(table.column_names.index(ID), ID, ids)

    def table(self, found: Iterable[Record], problems: Problems) -> pa.Table:
        """Return the documents of records; those that do not fit go to `problems`."""
        values: dict[str, list[Any]] = {name: [] for name in self.fields}
        for record in found:
            row = self._row(record, problems)
            if row is not None:
                for name, column in values.items():
                    column.append(row[name])
        return pa.table(
            [pa.array(values[field.name], field.type) for field in self.schema], schema=self.schema
        )

    def _row(self, record: Record, problems: Problems) -> dict[str, Any] | None:
        row: dict[str, Any] = {name: record.fields.get(field) for name, field in self.fields.items()}
        if row[TEXT] is None and not self.fields[TEXT]:
            row[TEXT] = _spoken(record.fields.get(self.fields.get("messages", "messages")))
        if row[TEXT] is None:
            problems.add(record.where, f"no {self.fields[TEXT] or 'messages'}", kind="no text")
            return None
        if isinstance(row[ID], int) and not isinstance(row[ID], bool):
            row[ID] = str(row[ID])
        for name, value in row.items():
            kind = REQUIRED.get(name, self.types[name])
            if value is None:
                continue
            row[name] = value = _coerced(value, kind)
            if not _fits(value, kind):
                shown = json.dumps(value, ensure_ascii=True, default=str)[:40]
                problems.add(
                    record.where, f"{self.fields[name]} is {shown}, not {_word(kind)}", kind="wrong type"
                )
                return None
            if _broken(value):
                if problems.errors != "replace":
                    problems.add(record.where, f"{name} is not UTF-8", kind="encoding")
                    return None
                problems.repaired += 1
                row[name] = _mended(value)
        row[ID] = row[ID] or text_id(row[TEXT])
        return row


def _sample(piece: Block | list[Record] | pa.RecordBatch, source: Source) -> list[dict[str, Any]]:
    quiet = Problems("skip", _PROBED * _PROBED)
    if isinstance(piece, Block):
        return [record.fields for record in islice(records.parsed(piece, source, quiet), _PROBED)]
    if isinstance(piece, pa.RecordBatch):
        return piece.slice(0, _PROBED).to_pylist()
    return [record.fields for record in piece[:_PROBED]]


def _rows(
    piece: Block | list[Record] | pa.RecordBatch, source: Source, problems: Problems
) -> Iterable[Record]:
    if isinstance(piece, Block):
        return records.parsed(piece, source, problems)
    if isinstance(piece, pa.RecordBatch):
        return [Record(where=source.name, fields=row) for row in piece.to_pylist()]
    return piece


def _ids(texts: pa.Array) -> pa.Array:
    return pa.array([text_id(text) for text in texts.cast(pa.large_binary()).to_pylist()], pa.string())


def _spoken(messages: Any) -> str | None:
    """Return the plain reading of a chat: what was said, one message after another, a blank line between."""
    if not _fits(messages, MESSAGES):
        return None
    return "\n\n".join(message["content"] for message in messages if message.get("content"))


def _scalar(value: Any, name: str) -> pa.DataType:
    kinds = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    if type(value) not in kinds:
        raise InputError(
            f"column {name} would hold a {type(value).__name__}; text, numbers and booleans can be"
        )
    return kinds[type(value)]


def _coerced(value: Any, kind: pa.DataType) -> Any:
    if kind == pa.float64() and type(value) is int:
        return float(value)
    if pa.types.is_list(kind) and isinstance(value, list):
        names = [field.name for field in kind.value_type]
        return [{n: item.get(n) for n in names} if isinstance(item, dict) else item for item in value]
    return value


def _fits(value: Any, kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        inner = {field.name: field.type for field in kind.value_type}
        return isinstance(value, list) and all(
            isinstance(item, dict)
            and all(item.get(name) is None or _fits(item[name], part) for name, part in inner.items())
            for item in value
        )
    if kind == pa.int64():
        return type(value) is int and -(2**63) <= value < 2**63
    if kind == pa.float64():
        return type(value) is float
    return type(value) is bool if kind == pa.bool_() else isinstance(value, str)


def _broken(value: Any) -> bool:
    if isinstance(value, str):
        return not value.isascii() and _SURROGATES.search(value) is not None
    if isinstance(value, list):
        return any(_broken(part) for item in value for part in item.values())
    return False


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [{name: _mended(part) for name, part in item.items()} for item in value]
    return value


def _word(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return "a list as the corpus has it"
    return {pa.int64(): "a whole number", pa.float64(): "a number", pa.bool_(): "a boolean"}.get(kind, "text")
