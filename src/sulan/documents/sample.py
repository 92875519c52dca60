"""A random sample that depends on the seed and the ids alone, not on order, sharding or batches.

Each id gets a key from `runs.seeds`; the documents with the smallest keys are the sample (bottom-k sampling).
So two shards' samples of k, put together and sampled again, are the sample of both, and a sample of 100 holds
the sample of 10.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy
import pyarrow as pa

from sulan.documents import reader, writer
from sulan.documents.schema import ID
from sulan.errors import InputError
from sulan.runs import seeds


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """How many documents there were and how many were drawn, by stratum; one stratum, "", without `by`.

    A document without a value in the column `by` is in the stratum "".
    """

    documents: int
    available: Mapping[str, int]
    drawn: Mapping[str, int]


def sample(
    corpus: Path,
    folder: Path,
    *,
    size: int | None = None,
    fraction: float | None = None,
    by: str | None = None,
    seed: int = 0,
) -> Sampled:
    """Write a random sample of a corpus, the documents unchanged and in their order.

    Two passes over the ids, one over the documents; memory is 16 bytes a drawn document.

    Parameters
    ----------
    corpus
        Corpus to draw from.
    folder
        Where the sample is written.
    size
        Documents to draw; with `by`, from each stratum. A stratum that has fewer is taken whole.
    fraction
        Share to draw instead, in (0, 1]: exactly floor(fraction * n) of the n documents of each stratum.
    by
        Column of text whose values are the strata, such as `lang`; none: the corpus is one.
    seed
        Another seed, another sample.

    Raises
    ------
    InputError
        Not exactly one of `size` and `fraction` is given, or it is out of range.
    MissingColumn
        The corpus has no column `by`.
    """
    if (size is None) == (fraction is None):
        raise InputError("give either size or fraction")
    if size is not None and size < 0:
        raise InputError(f"size must not be negative: {size}")
    if fraction is not None and not 0 < fraction <= 1:
        raise InputError(f"fraction must be in (0, 1]: {fraction}")
    available = _count(corpus, by)
    wanted = {
        # Decimal: in binary, 0.29 * 100 is less than 29
        stratum: min(size, count) if size is not None else int(Decimal(str(fraction)) * count)
        for stratum, count in available.items()
    }
    smallest = {stratum: _Smallest(count) for stratum, count in wanted.items()}
    for batch in reader.batches(corpus, _columns(by), rows=1 << 16):
        keys = _keys(batch.column(0), seed)
        for stratum, rows in strata(batch, by):
            smallest[stratum].add(keys[rows])
    limits = {stratum: keys.limit() for stratum, keys in smallest.items()}

    def choose(batch: pa.RecordBatch) -> pa.Array:
        keys = _keys(batch.column(ID), seed)
        chosen = numpy.zeros(len(keys), dtype=bool)
        for stratum, rows in strata(batch, by):
            chosen[rows] = limits[stratum].choose(keys[rows])
        return pa.array(chosen)

    documents = writer.filtered(corpus, choose, folder)
    return Sampled(documents=documents, available=available, drawn=wanted)


class _Limit:
    """The largest key of a sample, and how many documents may still have just that key.

    Only a repeated id has a repeated key (odds of another reason: n**2 / 2**65). The first ones are taken.
    """

    def __init__(self, key: int, ties: int) -> None:
        self._key = numpy.uint64(key)
        self._ties = ties

    def choose(self, keys: numpy.ndarray) -> numpy.ndarray:
        chosen = keys < self._key
        tied = numpy.flatnonzero(keys == self._key)[: self._ties]
        self._ties -= len(tied)
        chosen[tied] = True
        return chosen


class _Smallest:
    """The k smallest of a stream of keys."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._keys = numpy.empty(0, dtype=numpy.uint64)

    def add(self, keys: numpy.ndarray) -> None:
        self._keys = numpy.concatenate([self._keys, keys])
        if len(self._keys) > self._k:
            self._keys = numpy.partition(self._keys, self._k)[: self._k]

    def limit(self) -> _Limit:
        if not len(self._keys):
            return _Limit(0, 0)
        largest = self._keys.max()
        return _Limit(int(largest), int(numpy.count_nonzero(self._keys == largest)))


def _keys(ids: pa.Array, seed: int) -> numpy.ndarray:
    return numpy.array([seeds.key(seed, name) >> 64 for name in ids.to_pylist()], dtype=numpy.uint64)


def _columns(by: str | None) -> list[str]:
    return [ID] if by is None or by == ID else [ID, by]


def strata(batch: pa.RecordBatch, by: str | None) -> list[tuple[str, numpy.ndarray]]:
    """Return the strata of a batch, the values of the column `by`, and the rows of each, int64.

    A document without a value is in the stratum ""; without `by` all are.
    """
    if by is None:
        return [("", numpy.arange(len(batch)))]
    values = batch.column(by).cast(pa.string()).fill_null("").dictionary_encode()
    codes = values.indices.to_numpy()
    return [
        (name, numpy.flatnonzero(codes == code)) for code, name in enumerate(values.dictionary.to_pylist())
    ]


def _count(corpus: Path, by: str | None) -> dict[str, int]:
    if by is None:
        return {"": reader.count(corpus)}
    counts: dict[str, int] = {}
    for batch in reader.batches(corpus, [by], rows=1 << 16):
        for stratum, rows in strata(batch, by):
            counts[stratum] = counts.get(stratum, 0) + len(rows)
    return dict(sorted(counts.items()))
