"""MinHash signatures of texts for near-duplicates: shingles of words, permutations, bands.

Of two texts whose sets of shingles overlap by s (Jaccard), a signature of b bands of r rows collides in some band
with probability::

    1 - (1 - s^r)^b

With 14 bands of 8 rows that is one half at s = 0.68, 0.05 at 0.5 and 0.99 at 0.85.

A word is a run of letters and digits, in small letters and with digits taken for one another; in scripts without
spaces every letter is a word.
"""

from functools import cache

import numba
import numpy as np

from sulan.corpus.characters import MARK, WORD, tables, unspaced
from sulan.corpus.sentences import Texts, decode
from sulan.runs import seeds

_MIX = np.uint64(0x9E3779B97F4A7C15)


def probability(similarity: float, *, bands: int, rows: int) -> float:
    """Return how probable it is that two texts are found.

    Examples
    --------
    >>> round(probability(0.85, bands=14, rows=8), 3), round(probability(0.5, bands=14, rows=8), 3)
    (0.988, 0.053)
    """
    return 1 - (1 - similarity**rows) ** bands


@cache
def permutations(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return factors and summands of `count` hash functions h -> (a h + b) / 2**32 mod 2**32, uint64[count].

    They are the same in every run: signatures of different corpora can be compared.
    """
    numbers = seeds.generator(0, "minhash permutations").integers(1, 2**63, size=(2, count), dtype=np.uint64)
    return numbers[0] | np.uint64(1), numbers[1]


def bands(texts: Texts, *, words: int, bands: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return one hash for each band of each text.

    Parameters
    ----------
    texts
        What to hash.
    words
        Words of a shingle; a shorter text is one shingle.
    bands, rows
        Shape of the signature.

    Returns
    -------
    tuple
        uint64[texts, bands], and bool[texts]: whether the text has any word. Without one its hashes mean nothing.
    """
    factors, summands = permutations(bands * rows)
    hashes = np.zeros((len(texts.offsets) - 1, bands), np.uint64)
    worded = np.zeros(len(hashes), bool)
    _bands(texts.data, texts.offsets, words, rows, (*tables(), unspaced()), factors, summands, hashes, worded)
    return hashes, worded


@numba.njit(cache=True)
def _tokens(data, start, end, tables, tokens):
    """Write the hashes of a text's words; return how many."""
    classes, lower, scripts, unspaced = tables
    count = 0
    value, inside = np.uint64(0), False
    at = start
    while at < end:
        code, at = decode(data, at)
        kind = classes[code]
        if not kind & WORD:
            if inside:
                tokens[count] = value
                count += 1
                inside = False
            continue
        small = np.uint64(lower[code])
        if 48 <= code <= 57:
            small = np.uint64(48)
        alone = unspaced[scripts[code]] and not kind & MARK
        if inside and alone:
            tokens[count] = value
            count += 1
            inside = False
        if not inside:
            value = np.uint64(0x51)
            inside = True
        value = (value ^ small) * _MIX
        value ^= value >> np.uint64(29)
    if inside:
        tokens[count] = value
        count += 1
    return count


@numba.njit(cache=True)
def _bands(data, offsets, words, rows, tables, factors, summands, hashes, worded):
    longest = np.int64(0)
    for text in range(len(hashes)):
        longest = max(longest, offsets[text + 1] - offsets[text])
    tokens = np.empty(longest + 1, np.uint64)
    signature = np.empty(len(factors), np.uint32)
    for text in range(len(hashes)):
        count = _tokens(data, offsets[text], offsets[text + 1], tables, tokens)
        if count == 0:
            continue
        worded[text] = True
        signature[:] = np.uint32(0xFFFFFFFF)
        for shingle in range(max(count - words + 1, 1)):
            value = np.uint64(0)
            for word in range(shingle, min(shingle + words, count)):
                value = (value ^ tokens[word]) * _MIX
                value ^= value >> np.uint64(32)
            for number in range(len(factors)):
                hashed = np.uint32((value * factors[number] + summands[number]) >> np.uint64(32))
                signature[number] = min(signature[number], hashed)
        for band in range(hashes.shape[1]):
            value = np.uint64(band + 1)
            for row in range(band * rows, (band + 1) * rows):
                value = (value ^ np.uint64(signature[row])) * _MIX
                value ^= value >> np.uint64(29)
            hashes[text, band] = value
