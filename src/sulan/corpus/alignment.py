"""Which source token a target token translates: IBM's model 2 in the form of fast_align (Dyer et al. 2013).

A target token j of n comes from source token i of m with the probability::

    p(i | j)  proportional to  t(target_j | source_i) exp(-tension |(i + 1/2) / m - (j + 1/2) / n|)

and t is learned by expectation maximisation. The first source token, which asks for the target language, stands for
"none": it is as far from every target token. Not covered: one target token from several source tokens.
"""

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from sulan.errors import InputError

ROUNDS = 5
"""Of expectation maximisation; fast_align's default."""

TENSION = 4.0
"""How much the order of the words is believed; fast_align's default."""

FAR = 0.25
"""Distance of "none": the mean one of two places is 1/3, and a word that fits better is to win."""

LARGEST = 16_000
"""Tokens of a vocabulary: the table has its square in float32, 1 GB."""


def align(
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    *,
    vocabulary: int,
    rounds: int = ROUNDS,
) -> list[NDArray[np.int32]]:
    """Return for every target token the place of the likeliest source token.

    Parameters
    ----------
    sources, targets
        Token ids of pairs; a source begins with the token that asks for a language.
    vocabulary
        Number of token ids.
    rounds
        Of expectation maximisation.

    Returns
    -------
    list
        int32 [length of the target] for each pair.

    Raises
    ------
    InputError
        The vocabulary is larger than 16,000.

    Examples
    --------
    Token 0 asks for the language; a sentence of three of the words 1 to 4, translated with its first two turned round.

    >>> from itertools import permutations
    >>> said = [[0, *words] for words in permutations((1, 2, 3, 4), 3)]
    >>> align(said, [[second + 4, first + 4, third + 4] for _, first, second, third in said], vocabulary=9)[0].tolist()
    [2, 1, 3]
    """
    if vocabulary > LARGEST:
        raise InputError(
            f"alignments of {vocabulary} tokens do not fit: at most {LARGEST}",
            hint="shape.vocabulary must be smaller, or training.guidance 0",
        )
    if not sources:
        return []
    (source, starts), (target, ends) = _flat(sources), _flat(targets)
    table = np.full((vocabulary, vocabulary), 1 / vocabulary, np.float32)
    places = np.zeros(len(target), np.int32)
    for _ in range(rounds):
        counts = np.zeros_like(table)
        _round(source, starts, target, ends, table, counts, places)
        table = counts / np.maximum(counts.sum(axis=1, keepdims=True), np.float32(1e-9))
    return np.split(places, ends[1:-1])


def _flat(lines: Sequence[Sequence[int]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    starts = np.cumsum([0, *map(len, lines)])
    return np.concatenate([np.asarray(line, np.int32) for line in lines]), starts


@numba.njit(cache=True)
def _round(source, starts, target, ends, table, counts, places):
    for pair in range(len(starts) - 1):
        begin, first = starts[pair], ends[pair]
        width, height = starts[pair + 1] - begin, ends[pair + 1] - first
        weights = np.empty(width)
        for j in range(height):
            token, total, best = target[first + j], 0.0, -1.0
            for i in range(width):
                far = FAR if i == 0 else abs((i + 0.5) / width - (j + 0.5) / height)
                weights[i] = table[source[begin + i], token] * np.exp(-TENSION * far)
                total += weights[i]
                if weights[i] > best:
                    best = weights[i]
                    places[first + j] = i
            for i in range(width):
                counts[source[begin + i], token] += weights[i] / max(total, 1e-30)
