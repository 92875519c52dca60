"""Write a corpus: a stream of documents in, parts of stable size out, memory flat in the size of the input.

The bytes depend on the documents and on the version of pyarrow alone: not on how the input was batched, not
on time or machine. Parts carry the ending `.partial` until the last document is in, so a corpus whose writer
was killed does not look whole. `runs.outputs.folder` gives the folder to write into.
"""

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sulan.documents import alignment, reader
from sulan.documents import schema as schemas
from sulan.documents.alignment import Rows
from sulan.documents.schema import ID, PARTIAL, REQUIRED, TEXT
from sulan.errors import InputError, SulanError

PART_BYTES = 256 << 20
"""A part is closed after the row group that takes it to this many bytes of values. Hugging Face's own shards
are of this order (`max_shard_size` of `datasets` is 500 MB), and a part is the unit of parallel work here."""

PART_ROWS = 1_000_000
"""A part holds at most this many documents."""

GROUP_BYTES = 16 << 20
"""A row group is closed with the document that takes it to this many bytes: the reader's unit of memory."""

GROUP_ROWS = 65_536
"""A row group holds at most this many documents."""


class Writer:
    """Writes documents into the parts of a corpus; use it as a context manager.

    Parameters
    ----------
    folder
        Where the parts go: an existing or new folder without parts.
    schema
        Columns of the corpus; none: those of the first rows that are written. Given, an empty corpus can be
        written too.
    part_rows, part_bytes, group_rows, group_bytes
        Sizes; see `PART_ROWS` and the others.

    Raises
    ------
    InputError
        The folder holds a corpus already.
    """

    def __init__(
        self,
        folder: Path,
        *,
        schema: pa.Schema | None = None,
        part_rows: int = PART_ROWS,
        part_bytes: int = PART_BYTES,
        group_rows: int = GROUP_ROWS,
        group_bytes: int = GROUP_BYTES,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if any(schemas.PART.match(path.name) for path in folder.iterdir()):
            raise InputError(f"{folder} already holds a corpus", hint="a corpus is never changed in place")
        self.documents = 0
        self._folder = folder
        self._schema = None if schema is None else schemas.check(schema, where="the schema")
        self._part_rows, self._part_bytes = part_rows, part_bytes
        self._group_rows, self._group_bytes = min(group_rows, part_rows), group_bytes
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = self._waiting_bytes = 0
        self._rows_in_part = self._bytes_in_part = 0
        self._parts: list[Path] = []
        self._file: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()

    def write(self, rows: Rows) -> None:
        """Add documents.

        Raises
        ------
        BrokenArtefact
            The rows do not fit the columns of the corpus, or lack an `id` or a `text`.
        SulanError
            The disk is full, or refuses for another reason.
        """
        if self._schema is None:
            self._schema = schemas.check(rows.schema, where="the first rows")
        for batch in schemas.conform(rows, self._schema, where="a batch of documents").to_batches():
            self._write(batch)

    def _write(self, batch: pa.RecordBatch) -> None:
        sizes = numpy.cumsum(row_bytes(batch))
        start = done = 0
        while start < len(batch):
            # The group ends with the first document that fills it, wherever the batches were cut.
            full = numpy.searchsorted(sizes, done + self._group_bytes - self._waiting_bytes) + 1
            room = min(self._group_rows, self._part_rows - self._rows_in_part) - self._waiting_rows
            stop = min(int(full), start + room, len(batch))
            self._waiting.append(batch.slice(start, stop - start))
            self._waiting_rows += stop - start
            self._waiting_bytes += int(sizes[stop - 1]) - done
            start, done = stop, int(sizes[stop - 1])
            self._flush_where_full()

    def close(self) -> None:
        """Write what waits and give the parts their names; only now is there a corpus."""
        if self._schema is None:
            raise InputError("no documents were written, and no schema was given")
        self._flush()
        if not self._parts:
            self._write_group(self._schema.empty_table())  # an empty corpus has one part, which has no rows
        self._close_part()
        for number, path in enumerate(self._parts):
            path.rename(self._folder / schemas.part_name(number))

    def _abandon(self) -> None:
        self._waiting.clear()
        if self._file is not None:
            with suppress(OSError):
                self._file.close()  # writes a footer, which a full disk refuses again
            self._file = None
        for path in self._parts:
            path.unlink(missing_ok=True)

    def _flush_where_full(self) -> None:
        room = self._part_rows - self._rows_in_part
        if self._waiting_rows >= min(self._group_rows, room) or self._waiting_bytes >= self._group_bytes:
            self._flush()
        if self._rows_in_part >= self._part_rows or self._bytes_in_part >= self._part_bytes:
            self._close_part()

    def _flush(self) -> None:
        if not self._waiting:
            return
        # One chunk: the pages of a chunked table would show where the batches were cut.
        self._write_group(pa.Table.from_batches(self._waiting).combine_chunks())
        self._rows_in_part += self._waiting_rows
        self._bytes_in_part += self._waiting_bytes
        self.documents += self._waiting_rows
        self._waiting.clear()
        self._waiting_rows = self._waiting_bytes = 0

    def _write_group(self, table: pa.Table) -> None:
        try:
            if self._file is None:
                path = self._folder / (schemas.part_name(len(self._parts)) + PARTIAL)
                self._parts.append(path)
                self._file = _parquet_writer(path, table.schema)
            self._file.write_table(table, row_group_size=max(len(table), 1))
        except OSError as error:
            raise _disk_error(self._folder, error) from error

    def _close_part(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as error:
                raise _disk_error(self._folder, error) from error
        self._rows_in_part = self._bytes_in_part = 0


def write(rows: Iterable[Rows], folder: Path, *, schema: pa.Schema | None = None) -> int:
    """Write a stream of documents as a corpus and return how many there were; see `Writer`."""
    with Writer(folder, schema=schema) as writer:
        for batch in rows:
            writer.write(batch)
    return writer.documents


def filtered(
    corpus: Path,
    keep: Collection[str] | pa.Array | pa.ChunkedArray | Callable[[pa.RecordBatch], pa.Array],
    folder: Path,
) -> int:
    """Write the documents of a corpus that are kept, unchanged and in their order.

    Parameters
    ----------
    corpus
        Corpus to keep a part of.
    keep
        Ids of the documents to keep; or one boolean a document, in order; or a function that is given a batch
        with all columns and returns its booleans. A null counts as false.
    folder
        Where the kept corpus is written.

    Returns
    -------
    int
        Documents kept.

    Raises
    ------
    InputError
        An id is not in the corpus, or there are not as many booleans as documents.
    """
    if callable(keep):
        choose = keep
    elif isinstance(keep, pa.Array | pa.ChunkedArray) and pa.types.is_boolean(keep.type):
        choose = alignment.Mask(keep, reader.count(corpus))
    else:
        choose = alignment.Ids(keep)
    with Writer(folder, schema=reader.schema(corpus)) as writer:
        for batch in reader.batches(corpus):
            writer.write(batch.filter(choose(batch), null_selection_behavior="drop"))
        if isinstance(choose, alignment.Ids):
            choose.check(corpus)
    return writer.documents


def with_columns(
    corpus: Path,
    scores: pa.Table | Iterable[Rows],
    folder: Path,
    *,
    replace: bool = False,
) -> int:
    """Write a corpus with columns added, its documents unchanged and in their order.

    Parameters
    ----------
    corpus
        Corpus that the columns belong to.
    scores
        The column `id` and the new ones. A table is joined by id, in any order, and has each id once. A
        stream of batches has one row a document in the corpus's own order, which is checked id by id; it may
        be batched in any way and is never held whole.
    folder
        Where the new corpus is written.
    replace
        Whether a column that exists already may be replaced. `id` and `text` never are.

    Returns
    -------
    int
        Documents written.

    Raises
    ------
    InputError
        Ids do not match one to one, a column exists already, or there is nothing to add.
    """
    added = alignment.ScoreTable(scores) if isinstance(scores, pa.Table) else alignment.ScoreStream(scores)
    present = reader.schema(corpus)
    if not added.columns:
        raise InputError("there is no column to add: the scores hold ids alone")
    for name in added.columns:
        if name in REQUIRED or (name in present.names and not replace):
            raise InputError(
                f"{corpus} already has a column {name}",
                hint="" if name in REQUIRED else "give the new one another name, or say replace=True",
            )
    kept = [name for name in present.names if name not in added.columns]
    target = pa.schema(
        [*(present.field(name) for name in kept), *(added.schema.field(n) for n in added.columns)]
    )
    with Writer(folder, schema=target) as writer:
        for batch in reader.batches(corpus, kept):
            table = pa.Table.from_batches([batch])
            rows = added.rows(batch.column(ID))
            for name in added.columns:
                table = table.append_column(added.schema.field(name), rows[name])
            writer.write(table)
        added.check()
    return writer.documents


def row_bytes(rows: pa.RecordBatch) -> numpy.ndarray:
    """Return the bytes of values in every row, shape (rows,), int64: text in UTF-8, 8 for a number or null.

    Examples
    --------
    >>> batch = pa.record_batch({"id": ["a", "b"], "text": ["four", "é"], "score": [0.5, None]})
    >>> row_bytes(batch).tolist()
    [13, 11]
    """
    total = numpy.zeros(len(rows), dtype=numpy.int64)
    for column in rows.columns:
        total += _value_bytes(column)
    return total


def _value_bytes(array: pa.Array) -> numpy.ndarray:
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        return pc.binary_length(array).fill_null(8).to_numpy(zero_copy_only=False).astype(numpy.int64)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        parents = pc.list_parent_indices(array).to_numpy()
        inside = _value_bytes(pc.list_flatten(array))
        return numpy.bincount(parents, weights=inside, minlength=len(array)).astype(numpy.int64) + 8
    if pa.types.is_struct(kind):
        return sum((_value_bytes(child) for child in array.flatten()), numpy.zeros(len(array), numpy.int64))
    return numpy.full(len(array), 8, dtype=numpy.int64)


def _parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
    unlike = {ID, TEXT, "url", "title"}  # no value repeats: a dictionary would only be in the way
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=[
            name for name in flat if name not in unlike and pa.types.is_string(schema.field(name).type)
        ],
        write_statistics=[name for name in flat if name != TEXT],
        write_page_checksum=True,
    )


def _disk_error(folder: Path, error: OSError) -> SulanError:
    return SulanError(
        f"cannot write to {folder}: {schemas.first_line(error)}",
        hint="free some space, or name a folder on another disk; what was half-written is removed",
    )
