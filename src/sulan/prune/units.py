"""The ranges of documents that scoring is divided by.

A unit is a run of documents in the order of the corpus, cut by the documents alone: not by the parts, which
differ in size from corpus to corpus. So one big part is worked on by many workers and resumes in its middle,
and each document is scored together with the same others however the corpus is sharded, which makes its score
the same to the last bit.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from sulan.documents import reader
from sulan.documents.schema import TEXT
from sulan.errors import InputError

UNIT_BYTES = 256 << 10
"""A unit ends with the document that takes it to this many bytes of text: about 64,000 tokens, a minute's work
for a small model on one core, which is what a killed worker loses."""

UNIT_DOCUMENTS = 1024
"""A unit holds at most this many documents."""


@dataclass(frozen=True, kw_only=True)
class Units:
    """How a corpus is divided.

    Attributes
    ----------
    ranges
        (start, stop) document numbers.
    documents
        Documents in all.
    """

    ranges: list[tuple[int, int]]
    documents: int


def divide(corpus: Path, *, longest: int) -> Units:
    """Divide a corpus; every text is read once, so what cannot be read is found before the work begins.

    Parameters
    ----------
    corpus
        Its ids must be different: scores are joined by id.
    longest
        Bytes; a longer document is not scored, and does not count.

    Raises
    ------
    BrokenArtefact
        A part is damaged, or a text is not UTF-8.
    InputError
        Two documents have one id.
    """
    repeated = reader.duplicates(corpus)
    if repeated:
        name, times = next(iter(repeated.items()))
        raise InputError(
            f"{corpus}: {len(repeated)} ids stand for several documents; {name!r} stands for {times}",
            hint="give each document an id of its own; documents.convert makes them from the text",
        )
    ranges: list[tuple[int, int]] = []
    start = number = size = 0
    for batch in reader.batches(corpus, [TEXT]):
        for length in pc.binary_length(batch.column(0)).to_pylist():
            number += 1
            size += length if length <= longest else 0
            if size >= UNIT_BYTES or number - start == UNIT_DOCUMENTS:
                ranges.append((start, number))
                start, size = number, 0
    if number > start:
        ranges.append((start, number))
    return Units(ranges=ranges, documents=number)
