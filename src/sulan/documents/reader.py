"""Read a corpus in batches: memory is bounded by one row group, whatever the size of the corpus.

The order is the parts' order and the rows' order inside them, always. A part alone is read with
`part_batches`: parts are the shards. Pages carry checksums where Sulan wrote them, so a flipped bit is an
error and not a changed text. Not covered: joins and shuffles; open the folder in polars or duckdb for those.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy
import pyarrow as pa
import pyarrow.parquet as pq

from sulan.documents import schema as schemas
from sulan.documents.schema import ID
from sulan.errors import BrokenArtefact

BATCH_ROWS = 4096
"""Most documents in a batch. A batch never crosses a row group, which the writer bounds in bytes as well."""


def schema(corpus: Path) -> pa.Schema:
    """Return the columns of a corpus, from the footers of all its parts; no document is read.

    Raises
    ------
    MissingFile
        There is no corpus at this path.
    BrokenArtefact
        A part is truncated, is not Parquet, lacks a required column, or differs from the first one.
    """
    return _inspect(corpus)[0]


def count(corpus: Path) -> int:
    """Return the number of documents, from the footers alone."""
    return sum(_inspect(corpus)[1])


def part_rows(corpus: Path) -> dict[Path, int]:
    """Return the number of documents of every part, from the footers alone."""
    return dict(zip(schemas.parts(corpus), _inspect(corpus)[1], strict=True))


def batches(
    corpus: Path,
    columns: Sequence[str] | None = None,
    *,
    rows: int = BATCH_ROWS,
    hint: str = "",
) -> Iterator[pa.RecordBatch]:
    """Yield the documents of a corpus in order.

    Parameters
    ----------
    corpus
        Folder of a corpus. All footers are checked before the first batch, so that a broken last part is
        found now and not after hours of work.
    columns
        Columns to read, in this order; none: all. Columns that are not asked for are not read from disk.
    rows
        Most documents in a batch.
    hint
        What to tell the user when a column is missing: the command that makes it.

    Raises
    ------
    MissingFile, BrokenArtefact
        As `schema`; also where a page is damaged or a text is not UTF-8.
    MissingColumn
        The corpus lacks one of `columns`.
    """
    found, _ = _inspect(corpus)
    names = tuple(found.names if columns is None else columns)
    schemas.require(found, names, where=corpus, hint=hint)
    for path in schemas.parts(corpus):
        yield from _part_batches(path, names, rows)


def part_batches(
    part: Path,
    columns: Sequence[str] | None = None,
    *,
    rows: int = BATCH_ROWS,
    hint: str = "",
) -> Iterator[pa.RecordBatch]:
    """Yield the documents of one part in order; see `batches`."""
    with _opened(part) as file:
        found = schemas.check(file.schema_arrow, where=part)
    names = tuple(found.names if columns is None else columns)
    schemas.require(found, names, where=part, hint=hint)
    yield from _part_batches(part, names, rows)


def between(
    corpus: Path,
    start: int,
    stop: int,
    columns: Sequence[str] | None = None,
    *,
    rows: int = BATCH_ROWS,
) -> Iterator[pa.RecordBatch]:
    """Yield the documents from number `start` up to `stop`, counted from 0 over all parts; see `batches`.

    Row groups outside are not read, so that many ranges of one big part cost little more than the part.
    """
    names = tuple(schema(corpus).names if columns is None else columns)
    begin = 0
    for path, size in part_rows(corpus).items():
        if begin < stop and begin + size > start:
            yield from _part_batches(path, names, rows, start=start - begin, stop=stop - begin)
        begin += size


def columns(corpus: Path, names: Sequence[str], *, hint: str = "") -> pa.Table:
    """Return whole columns in memory, all documents in order; for ids and scores rather than for text.

    Parameters
    ----------
    corpus
        Folder of a corpus.
    names
        Columns to read.
    hint
        What to tell the user when one is missing.
    """
    found = schema(corpus)
    schemas.require(found, names, where=corpus, hint=hint)
    target = pa.schema([found.field(name) for name in names])
    return pa.Table.from_batches(list(batches(corpus, names, rows=1 << 16)), schema=target)


def duplicates(corpus: Path) -> dict[str, int]:
    """Return the ids that occur more than once, with their counts, in the order of first occurrence.

    Two passes over the column `id`: 64-bit hashes find the candidates, exact comparison confirms them. Memory
    is 8 bytes a document, plus the repeated ids themselves.
    """
    rows = count(corpus)
    hashes = numpy.empty(rows, dtype=numpy.int64)
    start = 0
    for ids in _ids(corpus):
        hashes[start : start + len(ids)] = [hash(name) for name in ids]
        start += len(ids)
    hashes.sort()
    repeated = {int(value) for value in hashes[1:][hashes[1:] == hashes[:-1]]}
    if not repeated:
        return {}
    found = Counter(name for ids in _ids(corpus) for name in ids if hash(name) in repeated)
    return {name: times for name, times in found.items() if times > 1}


def _ids(corpus: Path) -> Iterator[list[str]]:
    for batch in batches(corpus, [ID], rows=1 << 16):
        yield batch.column(0).to_pylist()


def _inspect(corpus: Path) -> tuple[pa.Schema, list[int]]:
    """Check every footer; return the common schema and the number of rows of each part."""
    paths = schemas.parts(corpus)
    found, rows = [], []
    for path in paths:
        with _opened(path) as file:
            found.append(schemas.check(file.schema_arrow, where=path))
            rows.append(file.metadata.num_rows)
    schemas.same_columns(found, paths)
    return found[0], rows


def _part_batches(
    path: Path, names: tuple[str, ...], rows: int, *, start: int = 0, stop: int | None = None
) -> Iterator[pa.RecordBatch]:
    with _opened(path) as file:
        full = schemas.check(file.schema_arrow, where=path)
        target = pa.schema([full.field(name) for name in names])
        stop = file.metadata.num_rows if stop is None else stop
        begin = 0
        for group in range(file.num_row_groups):
            end = begin + file.metadata.row_group(group).num_rows
            if end > start and begin < stop:
                for batch in file.iter_batches(rows, row_groups=[group], columns=list(names)):
                    skipped = min(max(0, start - begin), len(batch))
                    inside = batch.slice(skipped, max(0, stop - begin - skipped))
                    begin += len(batch)
                    if not len(inside):
                        continue
                    table = schemas.conform(inside, target, where=path)
                    table.validate(full=True)  # another writer's text may not be UTF-8
                    yield from table.combine_chunks().to_batches()
            begin = end


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a part; what pyarrow raises on damage, here or while its rows are read, becomes our error."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowInvalid, OSError) as error:
        raise BrokenArtefact(
            f"{path} is damaged or cut off: {schemas.first_line(error)}",
            hint="make the corpus again, or remove it; nothing can be read from this part",
        ) from error
