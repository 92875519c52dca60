"""What a corpus is: `part-00000.parquet`, `part-00001.parquet`, ... in one folder, and the columns they hold.

Every part has the same columns. `id` and `text` are required; the columns of `OPTIONAL` have one meaning in
every room; any other column is a score or a label that some verb added. Not covered: what a text may contain
(the corpus room's filters), and who made the corpus (`run.json`, see `runs.record`).
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from sulan.errors import BrokenArtefact, MissingColumn, MissingFile

ID = "id"
TEXT = "text"

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.large_string())]))
MEDIA = pa.list_(pa.struct([("kind", pa.string()), ("path", pa.string())]))

REQUIRED: dict[str, pa.DataType] = {ID: pa.string(), TEXT: pa.large_string()}
"""Columns of every corpus. `large_string` counts with 64 bits, so a batch may exceed 2 GiB of text."""

OPTIONAL: dict[str, pa.DataType] = {
    "lang": pa.string(),
    "source": pa.string(),
    "url": pa.string(),
    "title": pa.string(),
    "messages": MESSAGES,
    "media": MEDIA,
}
"""Columns with a fixed meaning.

`lang` is a BCP-47 code; `source` names where the document came from; `messages` is the chat that `text`
spells out; `media` lists files (`kind` is image, audio or video, `path` is relative to the corpus folder).
"""

PART = re.compile(r"part-(\d{5,})\.parquet")
PARTIAL = ".partial"
"""Ending of a part that is being written. A folder that holds one is half-made."""


def part_name(number: int) -> str:
    """Return the file name of a part.

    Examples
    --------
    >>> part_name(7)
    'part-00007.parquet'
    """
    return f"part-{number:05d}.parquet"


def parts(corpus: Path) -> tuple[Path, ...]:
    """Return the parts of a corpus in their order; they are the shards that work is divided by.

    Raises
    ------
    MissingFile
        There is no such folder, or it holds no part.
    BrokenArtefact
        A part is missing from the sequence, or the corpus is half-made.
    """
    if not corpus.is_dir():
        raise MissingFile(f"no corpus at {corpus}", hint="a corpus is a folder of part-00000.parquet, ...")
    names = [path.name for path in corpus.iterdir()]
    if any(name.endswith(PARTIAL) for name in names):
        raise BrokenArtefact(f"{corpus} is half-made: its writer was stopped", hint="make it again")
    numbers = sorted(int(match[1]) for name in names if (match := PART.fullmatch(name)))
    if not numbers:
        raise MissingFile(f"no corpus at {corpus}: no part-00000.parquet in it")
    absent = next((expected for expected, number in enumerate(numbers) if expected != number), None)
    if absent is not None:
        raise BrokenArtefact(
            f"{corpus} lacks {part_name(absent)}: it has {len(numbers)} parts, not in sequence"
        )
    return tuple(corpus / part_name(number) for number in numbers)


def normal_type(name: str, found: pa.DataType) -> pa.DataType:
    """Return the type that a column named `name` has in a corpus, given the one it was found with.

    Score columns keep their type; dictionary-encoded and view strings become plain ones.
    """
    fixed = REQUIRED.get(name) or OPTIONAL.get(name)
    if fixed is not None:
        return fixed
    if pa.types.is_dictionary(found):
        return normal_type(name, found.value_type)
    return pa.string() if found == pa.string_view() else found


def check(found: pa.Schema, *, where: object) -> pa.Schema:
    """Return the schema that a corpus with these columns has, required columns first.

    Parameters
    ----------
    found
        Columns as they were found.
    where
        What the error names: a part, a corpus, a caller's table.

    Raises
    ------
    BrokenArtefact
        `id` or `text` is missing, a column occurs twice, or one of fixed meaning is of another kind.
    """
    names = found.names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BrokenArtefact(f"{where} has the column {repeated[0]} twice")
    absent = [name for name in REQUIRED if name not in names]
    if absent:
        raise BrokenArtefact(
            f"{where} has no column {' and no column '.join(absent)}; it has {', '.join(names) or 'none'}",
            hint="convert it with sulan.documents.convert, naming the columns that hold id and text",
        )
    for field in found:
        target = normal_type(field.name, field.type)
        if target != field.type and not _castable(field.type, target):
            raise BrokenArtefact(f"{where}: column {field.name} is {field.type}, a corpus has {target} there")
    ordered = [*REQUIRED, *(name for name in names if name not in REQUIRED)]
    return pa.schema([pa.field(name, normal_type(name, found.field(name).type)) for name in ordered])


def require(found: pa.Schema, columns: Iterable[str], *, where: object, hint: str = "") -> None:
    """Check that columns exist.

    Raises
    ------
    MissingColumn
        One does not; `hint` should be the command that makes it.
    """
    for name in columns:
        if name not in found.names:
            raise MissingColumn(f"{where} has no column {name}; it has {', '.join(found.names)}", hint=hint)


def conform(batch: pa.RecordBatch | pa.Table, target: pa.Schema, *, where: object) -> pa.Table:
    """Return rows with exactly the columns and types of `target`.

    Raises
    ------
    BrokenArtefact
        A column is missing or more, a value does not fit its type, or an `id` or `text` is null.
    """
    table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
    if set(table.column_names) != set(target.names):
        raise BrokenArtefact(
            f"{where} has the columns {', '.join(table.column_names)}; expected {', '.join(target.names)}"
        )
    try:
        table = table.select(target.names).cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise BrokenArtefact(f"{where} does not fit the schema of a corpus: {first_line(error)}") from error
    for name in REQUIRED:
        if name in target.names and table[name].null_count:
            raise BrokenArtefact(f"{where} has {table[name].null_count} documents without {name}")
    return table


def first_line(error: Exception) -> str:
    """Return the first line of what a library said, for an error of one line."""
    return str(error).partition("\n")[0]


def same_columns(schemas: Sequence[pa.Schema], names: Sequence[object]) -> None:
    """Check that all parts have the columns of the first.

    Raises
    ------
    BrokenArtefact
        One differs.
    """
    for schema, name in zip(schemas[1:], names[1:], strict=True):
        if not schema.equals(schemas[0]):
            different = sorted(
                {(f.name, str(f.type)) for f in schema} ^ {(f.name, str(f.type)) for f in schemas[0]}
            )
            columns = ", ".join(dict.fromkeys(column for column, _ in different)) or "their order"
            raise BrokenArtefact(f"{name} and {names[0]} differ in {columns}")


def _castable(found: pa.DataType, target: pa.DataType) -> bool:
    """Whether a column may be read as `target` without changing what it says."""
    if pa.types.is_dictionary(found):
        return _castable(found.value_type, target)
    if pa.types.is_null(found):
        return True
    if _is_string(target):
        return _is_string(found)
    if pa.types.is_list(target) and (pa.types.is_list(found) or pa.types.is_large_list(found)):
        return _castable(found.value_type, target.value_type)
    if pa.types.is_struct(target) and pa.types.is_struct(found):
        inside = {field.name: field.type for field in found}
        wanted = {field.name: field.type for field in target}
        return inside.keys() == wanted.keys() and all(_castable(inside[n], wanted[n]) for n in wanted)
    return False


def _is_string(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
