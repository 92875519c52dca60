"""Bits per byte of held-out corpora, with an interval over documents."""

import math
from pathlib import Path

import numpy

from sulan.documents import reader
from sulan.documents.schema import ID, TEXT
from sulan.evaluation import significance
from sulan.evaluation.perplexity import perplexity
from sulan.models import LanguageModel
from sulan.textbook.measured import Measured


def per_byte(language_model: LanguageModel, corpus: Path) -> Measured:
    """Return the bits per byte of a corpus; its interval is the bootstrap's over documents.

    Raises
    ------
    InputError
        The corpus has fewer than two documents with a text.
    """
    found = perplexity(language_model, corpus, label=f"read {corpus.name}")
    there = found.document_bytes > 0
    bits = found.document_nll[there] / math.log(2)
    interval = significance.bootstrap(bits, weights=found.document_bytes[there])
    texts = tuple(
        (name, text)
        for batch in reader.batches(corpus, [ID, TEXT])
        for name, text in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
    )
    return Measured(
        task=corpus.name,
        measure="bits_per_byte",
        value=interval.value,
        low=interval.low,
        high=interval.high,
        texts=texts,
        values=numpy.empty(0),
    )
