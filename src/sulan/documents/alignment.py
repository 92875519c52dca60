"""Which mask, id or score belongs to which document: what `writer.filtered` and `with_columns` rest on.

Each class is given the documents batch by batch, in order, and its `check` says after the last one what was
left over. A mismatch is an error and never a silent shift by one row.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy
import pyarrow as pa
import pyarrow.compute as pc

from sulan.documents import schema as schemas
from sulan.documents.schema import ID
from sulan.errors import InputError

Rows = pa.RecordBatch | pa.Table


class Mask:
    """One boolean a document, handed out batch by batch."""

    def __init__(self, mask: pa.Array | pa.ChunkedArray, rows: int) -> None:
        if len(mask) != rows:
            raise InputError(f"the mask has {len(mask)} values, the corpus {rows} documents")
        self._mask = mask
        self._start = 0

    def __call__(self, batch: pa.RecordBatch) -> pa.Array:
        """Return the booleans of the next documents."""
        part = self._mask.slice(self._start, len(batch))
        self._start += len(batch)
        return part.combine_chunks() if isinstance(part, pa.ChunkedArray) else part


class Ids:
    """Ids to keep, and which of them were met."""

    def __init__(self, ids: Collection[str] | pa.Array | pa.ChunkedArray) -> None:
        array = ids if isinstance(ids, pa.Array | pa.ChunkedArray) else pa.array(list(ids), pa.string())
        self._ids = pc.unique(array.cast(pa.string()))
        self._met = numpy.zeros(len(self._ids), dtype=bool)

    def __call__(self, batch: pa.RecordBatch) -> pa.Array:
        """Return one boolean a document: is its id among those to keep."""
        place = pc.index_in(batch.column(ID), value_set=self._ids)
        self._met[place.drop_null().to_numpy()] = True
        return place.is_valid()

    def check(self, corpus: Path) -> None:
        """Check that every id was met (InputError)."""
        absent = numpy.flatnonzero(~self._met)
        if len(absent):
            raise InputError(
                f"{len(absent)} ids are not in {corpus}, the first is {self._ids[int(absent[0])]}"
            )


class ScoreTable:
    """New columns held whole, found by id."""

    def __init__(self, table: pa.Table) -> None:
        schemas.require(table.schema, [ID], where="the table of scores")
        self._ids = table[ID].cast(pa.string()).combine_chunks()
        self._table = table
        self._used = numpy.zeros(len(table), dtype=bool)
        self.schema = table.schema
        self.columns = [name for name in table.column_names if name != ID]
        if len(pc.unique(self._ids)) != len(self._ids):
            raise InputError("the table of scores has an id more than once")

    def rows(self, ids: pa.Array) -> pa.Table:
        """Return the scores of these documents (InputError where there is none)."""
        place = pc.index_in(ids, value_set=self._ids)
        if place.null_count:
            raise InputError(f"there is no score for the document {ids.filter(place.is_null())[0]}")
        self._used[place.to_numpy()] = True
        return self._table.take(place)

    def check(self) -> None:
        """Check that every score was used (InputError)."""
        unused = numpy.flatnonzero(~self._used)
        if len(unused):
            raise InputError(
                f"{len(unused)} scores are of no document, the first is of {self._ids[int(unused[0])]}"
            )


class ScoreStream:
    """New columns that arrive in the order of the documents."""

    def __init__(self, stream: Iterable[Rows]) -> None:
        self._stream = iter(stream)
        self._waiting = self._next()
        self._row = 0
        if self._waiting is None:
            raise InputError("there is no column to add: the stream of scores is empty")
        self.schema = self._waiting.schema
        schemas.require(self.schema, [ID], where="the stream of scores")
        self.columns = [name for name in self.schema.names if name != ID]

    def rows(self, ids: pa.Array) -> pa.Table:
        """Return the scores of the next documents (InputError where their ids are others)."""
        taken: list[pa.Table] = []
        missing = len(ids)
        while missing and self._waiting is not None:
            taken.append(self._waiting.slice(0, missing))
            missing -= len(taken[-1])
            rest = self._waiting.slice(len(taken[-1]))
            self._waiting = rest if len(rest) else self._next()
        rows = pa.concat_tables(taken)
        found = rows[ID].cast(pa.string())
        equal = pc.equal(found, ids.slice(0, len(found)))
        if missing or not pc.all(equal, min_count=0).as_py():
            place = pc.index(equal, False).as_py()
            place = len(found) if place < 0 else place
            score = found[place] if place < len(found) else "missing"
            raise InputError(
                f"document {self._row + place} is {ids[place]}, but its score is of {score}",
                hint="scores come in the order of the corpus; a table in memory may come in any order",
            )
        self._row += len(ids)
        return rows

    def check(self) -> None:
        """Check that no score is left (InputError)."""
        if self._waiting is not None:
            raise InputError(f"there are more scores than the {self._row} documents")

    def _next(self) -> pa.Table | None:
        for batch in self._stream:
            table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
            if len(table):
                return table
        return None
