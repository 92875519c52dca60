"""Near-duplicate texts by MinHash (rensa): which documents resemble another, and stay out.

Two texts are near-duplicates where the sets of their word 5-grams have at least that Jaccard similarity, by the
estimate of 128 permutations. Which of a group stays depends on the ids alone, so order changes nothing. In memory: the
signatures, half a kilobyte a document. Not covered: scripts that do not separate words, of which a run is one word.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from sulan.documents import reader
from sulan.documents.schema import ID, TEXT
from sulan.errors import MissingExtra
from sulan.runs import seeds

PERMUTATIONS = 128
BANDS = 32
"""Bands of four rows: two texts of similarity 0.7 meet in one with probability 1 - (1 - 0.7^4)^32 = 0.9999."""

WORDS = 5

_WORD = re.compile(r"\w+")


def shingles(text: str) -> list[str]:
    """Return the word 5-grams of a text; a shorter text is one, and a text without a word is itself.

    Examples
    --------
    >>> shingles("One, two, three, four, five, six!")
    ['one two three four five', 'two three four five six']
    >>> shingles("+++")
    ['+++']
    """
    words = _WORD.findall(text.lower())
    if not words:
        return [text]  # texts without a word have nothing in common
    if len(words) <= WORDS:
        return [" ".join(words)]
    return [" ".join(words[start : start + WORDS]) for start in range(len(words) - WORDS + 1)]


def duplicates(
    corpus: Path, *, similarity: float, seed: int, without: Collection[str] = frozenset()
) -> dict[str, str]:
    """Return the id of every document that resembles one that stays, with the id of that one.

    Parameters
    ----------
    corpus
        Corpus to look through.
    similarity
        Least Jaccard similarity.
    seed
        Of the order that decides which one stays.
    without
        Ids of documents that are left out already: none of them is a reason to leave out another.
    """
    try:
        from rensa import RMinHash, RMinHashLSH
    except ImportError as error:
        raise MissingExtra("rensa", extra="textbook") from error
    signed: list[tuple[str, Any]] = []
    for batch in reader.batches(corpus, [ID, TEXT]):
        for name, text in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
            if name in without:
                continue
            signature = RMinHash(PERMUTATIONS, 42)
            signature.update(shingles(text))
            signed.append((name, signature))
    order = sorted(range(len(signed)), key=lambda number: seeds.key(seed, signed[number][0]))
    index = RMinHashLSH(similarity, PERMUTATIONS, BANDS)
    gone: dict[str, str] = {}
    for number in order:
        name, signature = signed[number]
        like = _first(index.query(signature), signed, signature, similarity)
        if like is None:
            index.insert(number, signature)
        else:
            gone[name] = signed[like][0]
    return gone


def _first(
    candidates: Sequence[int], signed: Sequence[tuple[str, Any]], signature: Any, similarity: float
) -> int | None:
    for number in sorted(candidates):
        if signed[number][1].jaccard(signature) >= similarity:
            return number
    return None
