"""How varied texts are: distinct n-grams, self-BLEU, and how far they compress.

    distinct-n = different n-grams / n-grams,   compression = bytes / bytes after zlib

self-BLEU is the mean BLEU of a text against the others of a sample (1802.01886): 0 where no two share wording, 100
where all are the same. All are of a seeded sample, because self-BLEU takes the square of its size.
"""

import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy

from sulan.documents import reader
from sulan.documents.schema import ID, TEXT
from sulan.runs import seeds

SAMPLE = 64
"""Texts that are compared."""

WORDS = 100
"""Words of each text that self-BLEU looks at."""

_WORD = re.compile(r"\w+|[^\w\s]")


def distinct(texts: Sequence[str], n: int) -> float:
    """Return the share of n-grams that are different from one another.

    Examples
    --------
    >>> distinct(["a b a b"], 2)  # a b, b a, a b
    0.6666666666666666
    """
    found = [
        tuple(words[start : start + n])
        for words in (_WORD.findall(text.lower()) for text in texts)
        for start in range(len(words) - n + 1)
    ]
    return len(set(found)) / len(found) if found else 0.0


def compression(texts: Sequence[str]) -> float:
    """Return how many times smaller zlib makes the texts together: the more they repeat, the more."""
    data = "\n".join(texts).encode()
    return len(data) / len(zlib.compress(data, 9)) if data else 0.0


def self_bleu(texts: Sequence[str]) -> float:
    """Return the mean BLEU (sacreBLEU, exponential smoothing) of each text against all others, 0 to 100."""
    from sacrebleu.metrics import BLEU

    metric = BLEU(effective_order=True)
    cut = [" ".join(text.split()[:WORDS]) for text in texts]
    if len(cut) < 2:
        return 0.0
    scores = [
        metric.sentence_score(text, cut[:place] + cut[place + 1 :]).score for place, text in enumerate(cut)
    ]
    return float(numpy.mean(scores))


NAMES = ("distinct-1", "distinct-2", "distinct-3", "self-BLEU", "compression", "sample")
"""What `measures` returns."""


def measures(corpus: Path, *, seed: int) -> tuple[float | int, ...]:
    """Return the measures of a corpus, in the order of `NAMES`.

    Parameters
    ----------
    corpus
        Its folder.
    seed
        Draws the sample, together with the documents' ids.
    """
    ids = [name for batch in reader.batches(corpus, [ID]) for name in batch.column(0).to_pylist()]
    chosen = set(sorted(ids, key=lambda name: seeds.key(seed, name))[:SAMPLE])
    texts = [
        text
        for batch in reader.batches(corpus, [ID, TEXT])
        for name, text in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
        if name in chosen
    ]
    return (
        *(round(distinct(texts, n), 4) for n in (1, 2, 3)),
        round(self_bleu(texts), 2),
        round(compression(texts), 3),
        len(texts),
    )
