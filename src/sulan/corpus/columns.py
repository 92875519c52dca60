"""The columns that the room's stages add, and their passage between Arrow and compiled loops.

Sentences are byte ranges of the text: `sentence_starts` and `sentence_ends`, counted from the document's first byte.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from sulan.corpus.sentences import Sentences, Texts

LANG = "lang"
STARTS, ENDS = "sentence_starts", "sentence_ends"
SENTENCE_LANGS = "sentence_langs"
FLAGS = "sentence_flags"
CLEAN = "clean"

OFFSETS = pa.list_(pa.int32())
LABELS = pa.list_(pa.string())
BITS = pa.list_(pa.uint8())


def lists(values: np.ndarray, first: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Return values of sentences as one list a document.

    Parameters
    ----------
    values
        One for each sentence.
    first
        int64[documents + 1]: number of each document's first sentence.
    kind
        List type of the column.
    """
    array = values if isinstance(values, pa.Array) else pa.array(values, kind.value_type)
    return pa.ListArray.from_arrays(pa.array(first, pa.int32()), array.cast(kind.value_type))


def flat(array: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Return a column of lists as its values and int64[documents + 1] of where each list begins."""
    first = array.offsets.to_numpy().astype(np.int64)
    return array.values.slice(first[0], first[-1] - first[0]), first - first[0]


def boundaries(found: Sentences, texts: Texts) -> dict[str, pa.Array]:
    """Return sentences as columns."""
    base = np.repeat(texts.offsets[:-1], np.diff(found.first))
    return {
        STARTS: lists(found.starts - base, found.first, OFFSETS),
        ENDS: lists(found.ends - base, found.first, OFFSETS),
    }


def sentences(batch: pa.RecordBatch, texts: Texts) -> Sentences:
    """Return the sentences that a batch's columns hold."""
    starts, first = flat(batch.column(STARTS))
    ends, _ = flat(batch.column(ENDS))
    base = np.repeat(texts.offsets[:-1], np.diff(first))
    return Sentences(starts=starts.to_numpy() + base, ends=ends.to_numpy() + base, first=first)


def named(codes: np.ndarray, labels: Sequence[str]) -> pa.Array:
    """Return numbers into `labels` as strings."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int16()), pa.array(labels)).cast(pa.string())


def with_column(batch: pa.RecordBatch | pa.Table, name: str, column: pa.Array) -> pa.Table:
    """Return rows with a column added, or replaced where it is there."""
    table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), pa.field(name, column.type), column)
    return table.append_column(pa.field(name, column.type), column)
