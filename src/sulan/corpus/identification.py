"""Languages of the documents and sentences of one part: a stage of `runs.shards`."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

import numba
import numpy as np
import pyarrow as pa

from sulan.corpus import columns
from sulan.corpus.identifiers import Identifier, opened, wholes
from sulan.corpus.sentences import Sentences, Texts, split
from sulan.documents import reader
from sulan.documents.writer import Writer

Vote = Literal["sentences", "document"]

ADDED = {
    columns.LANG: pa.string(),
    "lang_share": pa.float32(),
    columns.STARTS: columns.OFFSETS,
    columns.ENDS: columns.OFFSETS,
    columns.SENTENCE_LANGS: columns.LABELS,
}
"""`lang_share` is the share of the document's sentences that are in its language."""


def schema(found: pa.Schema) -> pa.Schema:
    """Return the columns of a corpus once it is identified."""
    kept = [field for field in found if field.name not in ADDED]
    return pa.schema([*kept, *(pa.field(name, kind) for name, kind in ADDED.items())])


def identify_part(
    part: Path, folder: Path, *, identifier: str, model: str, vote: Vote
) -> dict[str, dict[str, int]]:
    """Write a part with its languages; return documents and sentences by language."""
    tells = _opened(identifier, model)
    documents, sentences = np.zeros(len(tells.labels), np.int64), np.zeros(len(tells.labels), np.int64)
    with Writer(folder, schema=schema(reader.schema(part.parent))) as writer:
        for batch in reader.part_batches(part):
            texts = Texts.of(batch.column("text"))
            found = split(texts)
            codes = tells.ranges(texts, found.starts, found.ends)
            if vote == "sentences":
                voted = majority(codes, found, len(tells.labels))
            else:
                voted = wholes(tells, texts)
            owner = found.owner()
            agree = np.bincount(owner[codes == voted[owner]], minlength=len(batch))
            table = columns.with_column(batch, columns.LANG, columns.named(voted, tells.labels))
            share = (agree / np.maximum(np.diff(found.first), 1)).astype(np.float32)
            table = columns.with_column(table, "lang_share", pa.array(share))
            for name, column in columns.boundaries(found, texts).items():
                table = columns.with_column(table, name, column)
            labels = columns.lists(columns.named(codes, tells.labels), found.first, columns.LABELS)
            writer.write(columns.with_column(table, columns.SENTENCE_LANGS, labels))
            documents += np.bincount(voted, minlength=len(documents))
            sentences += np.bincount(codes, minlength=len(sentences))
    return {
        "documents": {name: int(n) for name, n in zip(tells.labels, documents, strict=True) if n},
        "sentences": {name: int(n) for name, n in zip(tells.labels, sentences, strict=True) if n},
    }


def majority(codes: np.ndarray, found: Sentences, labels: int) -> np.ndarray:
    """Return each document's language, that of most of its sentences (2309.04662, section 2).

    Of languages with as many sentences the one with more bytes wins. `und` loses to any language.

    Parameters
    ----------
    codes
        int16[sentences]: languages; the last label is `und`.
    found
        Sentences of the documents.
    labels
        How many languages there are.

    Returns
    -------
    numpy.ndarray
        int16[documents].
    """
    return _majority(codes, found.starts, found.ends, found.first, labels)


@numba.njit(cache=True)
def _majority(codes, starts, ends, first, labels):
    winners = np.empty(len(first) - 1, np.int16)
    votes, sizes = np.zeros(labels, np.int64), np.zeros(labels, np.int64)
    for document in range(len(winners)):
        best = labels - 1
        for number in range(first[document], first[document + 1]):
            votes[codes[number]] = sizes[codes[number]] = 0
        for number in range(first[document], first[document + 1]):
            code = codes[number]
            votes[code] += 1
            sizes[code] += ends[number] - starts[number]
        for number in range(first[document], first[document + 1]):
            code = np.int64(codes[number])
            if code == labels - 1:
                continue
            if best == labels - 1 or (votes[code], sizes[code], -code) > (votes[best], sizes[best], -best):
                best = code
        winners[document] = best
    return winners


@lru_cache(maxsize=1)
def _opened(identifier: str, model: str) -> Identifier:
    """Open the identifier once for the many parts of a worker; `model` tells one version from another."""
    return opened(identifier)
