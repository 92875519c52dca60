"""Exact places in the order of more values than fit in memory, from histograms that shards can add up.

Values are ordered by (score, tie), two unsigned 64-bit keys. A pass over them counts the next 16 bits of those
that are still in question, 64 Ki counters a question; when few enough are left they are collected and sorted.
So the answer is exact, memory is bounded, and neither order nor sharding changes it. Measured on two million
scores, exact selection is cheaper than a sketch (KLL, REQ, t-digest), which would be approximate as well.

Not covered: reading columns; `selection` does.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

DIGIT_BITS = 16
DIGITS = 128 // DIGIT_BITS
"""Digits of (score, tie), the most significant first."""

COLLECTED = 1 << 18
"""Values that are sorted rather than counted again: 24 bytes each."""

Ties = Callable[[np.ndarray], np.ndarray]


def key(scores: np.ndarray) -> np.ndarray:
    """Return unsigned integers in the same order as floats, uint64 of the shape of `scores`.

    Positive floats are ordered like their bits, negative ones the other way round. There is no place for NaN.

    Examples
    --------
    >>> keys = key(np.array([-2.5, -0.0, 0.0, 1e-300, 3.0, np.inf]))
    >>> (np.diff(keys.astype(object)) > 0).tolist()
    [True, False, True, True, True]
    """
    bits = (np.asarray(scores, dtype=np.float64) + 0.0).view(np.uint64)  # + 0.0: minus zero is zero
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign)


def score(key: int) -> float:
    """Return the float of a key: the inverse of `key`.

    Examples
    --------
    >>> [score(int(found)) for found in key(np.array([-2.5, 0.0, 3.0]))]
    [-2.5, 0.0, 3.0]
    """
    bits = key ^ (1 << 63) if key >> 63 else ~key & ((1 << 64) - 1)
    return float(np.array(bits, dtype=np.uint64).view(np.float64))


@dataclass(frozen=True, kw_only=True)
class Values:
    """Some of the values to order.

    Attributes
    ----------
    scores
        Keys, uint64 [values].
    ties
        Gives the second keys of the values at some indices, uint64; asked only where scores are equal.
    weights
        What the places are counted in, int64 [values]: ones, or tokens.
    """

    scores: np.ndarray
    ties: Ties
    weights: np.ndarray


@dataclass(frozen=True, order=True)
class Place:
    """A value's place in the order; `occurrence` tells apart values with both keys equal, in input order."""

    score: int
    tie: int
    occurrence: int


FIRST = Place(-1, 0, 0)
LAST = Place(1 << 64, 0, 0)


@dataclass(kw_only=True)
class Histogram:
    """Weights and numbers of the values under one prefix, by their next digit.

    Attributes
    ----------
    prefix
        Digits that are known already.
    weights, counts
        int64 [65536].
    """

    prefix: tuple[int, ...] = ()
    weights: np.ndarray = field(default_factory=lambda: np.zeros(1 << DIGIT_BITS, dtype=np.int64))
    counts: np.ndarray = field(default_factory=lambda: np.zeros(1 << DIGIT_BITS, dtype=np.int64))

    def add(self, values: Values) -> None:
        """Count values; those under other prefixes are passed over."""
        rows, ties = _under(values, self.prefix)
        level = len(self.prefix)
        if level < DIGITS // 2:
            digits = _digit(values.scores[rows], level)
        else:
            digits = _digit(ties if ties is not None else values.ties(rows), level - DIGITS // 2)
        size = len(self.counts)
        self.counts += np.bincount(digits, minlength=size)
        # Two halves: bincount adds doubles, which are exact below 2**53.
        weights = values.weights[rows]
        for half, shift in ((weights & 0xFFFFFFFF, 0), (weights >> 32, 32)):
            self.weights += np.bincount(digits, half, minlength=size).astype(np.int64) << shift

    def merge(self, other: "Histogram") -> None:
        """Add what another shard counted under the same prefix."""
        self.weights += other.weights
        self.counts += other.counts


@dataclass(kw_only=True)
class _Question:
    """The first value whose weight, added to all before it, exceeds `target`."""

    target: int
    prefix: tuple[int, ...] = ()
    before: int = 0
    left: int
    answer: Place | None = None

    def narrow(self, histogram: Histogram) -> None:
        through = self.before + np.cumsum(histogram.weights)
        digit = int(np.searchsorted(through, self.target, side="right"))
        self.before = int(through[digit]) - int(histogram.weights[digit])
        self.prefix = (*self.prefix, digit)
        self.left = int(histogram.counts[digit])

    def collected(self, scores: np.ndarray, ties: np.ndarray, weights: np.ndarray) -> None:
        order = np.lexsort((ties, scores))  # stable: equal keys stay in input order
        through = self.before + np.cumsum(weights[order])
        at = int(np.searchsorted(through, self.target, side="right"))
        score, tie = scores[order[at]], ties[order[at]]
        same = (scores[order[:at]] == score) & (ties[order[:at]] == tie)
        self.answer = Place(int(score), int(tie), int(np.count_nonzero(same)))


def places(
    read: Callable[[], Iterable[tuple[str, Values]]],
    targets: dict[str, list[int]],
    *,
    counts: dict[str, int],
    totals: dict[str, int],
    collected: int = COLLECTED,
) -> dict[str, list[Place]]:
    """Find, in each stratum, the first values whose cumulative weight exceeds the targets.

    Parameters
    ----------
    read
        Gives (stratum, values) pieces of everything there is; called once a pass.
    targets
        By stratum. A negative target is answered by `FIRST`, one of at least the total by `LAST`.
    counts, totals
        Number of values and sum of their weights, by stratum.
    collected
        How many values may be collected rather than counted; see `COLLECTED`.

    Examples
    --------
    The third smallest of four scores (two weights of 1 stand before it):

    >>> scores = key(np.array([0.4, 0.1, 0.3, 0.2]))
    >>> values = Values(scores=scores, ties=np.zeros_like, weights=np.ones(4, dtype=np.int64))
    >>> found = places(lambda: [("", values)], {"": [2]}, counts={"": 4}, totals={"": 4})
    >>> found[""][0].score == int(scores[2])
    True
    """
    asked = {
        name: [_question(t, left=counts[name], total=totals[name]) for t in wanted]
        for name, wanted in targets.items()
    }
    while any(question.answer is None for questions in asked.values() for question in questions):
        _one_pass(read, asked, collected)
    return {
        name: [question.answer for question in questions if question.answer]
        for name, questions in asked.items()
    }


def after(values: Values, place: Place, seen: int) -> tuple[np.ndarray, int]:
    """Tell which values come strictly after a place.

    Parameters
    ----------
    values
        Some of the values, in input order.
    place
        A place that `places` found.
    seen
        Values with both keys equal to the place's in the pieces before this one.

    Returns
    -------
    tuple
        bool [values], and `seen` for the next piece.
    """
    return _beyond(values, place, seen, strictly=True)


def from_on(values: Values, place: Place, seen: int) -> tuple[np.ndarray, int]:
    """Tell which values are at a place or come after it; see `after`."""
    return _beyond(values, place, seen, strictly=False)


def _beyond(values: Values, place: Place, seen: int, *, strictly: bool) -> tuple[np.ndarray, int]:
    if place in (FIRST, LAST):
        return np.full(len(values.scores), place == FIRST), seen
    score = np.uint64(place.score)
    beyond = values.scores > score
    tied = np.flatnonzero(values.scores == score)
    if len(tied):
        ties = values.ties(tied)
        beyond[tied] = ties > np.uint64(place.tie)
        equal = tied[ties == np.uint64(place.tie)]
        occurrence = seen + np.arange(len(equal))
        beyond[equal] = occurrence > place.occurrence if strictly else occurrence >= place.occurrence
        seen += len(equal)
    return beyond, seen


def _question(target: int, *, left: int, total: int) -> _Question:
    answer = FIRST if target < 0 else LAST if target >= total else None
    return _Question(target=target, left=left, answer=answer)


def _one_pass(
    read: Callable[[], Iterable[tuple[str, Values]]], asked: dict[str, list[_Question]], collected: int
) -> None:
    histograms: dict[tuple[str, tuple[int, ...]], Histogram] = {}
    samples: dict[tuple[str, tuple[int, ...]], list[tuple[np.ndarray, ...]]] = {}
    for name, questions in asked.items():
        for question in questions:
            if question.answer is not None:
                continue
            if question.left <= collected or len(question.prefix) == DIGITS:
                samples[name, question.prefix] = []
            else:
                histograms[name, question.prefix] = Histogram(prefix=question.prefix)
    for stratum, values in read():
        for (name, _), histogram in histograms.items():
            if name == stratum:
                histogram.add(values)
        for (name, prefix), sample in samples.items():
            if name == stratum:
                rows, ties = _under(values, prefix)
                if len(rows):
                    ties = values.ties(rows) if ties is None else ties
                    sample.append((values.scores[rows], ties, values.weights[rows]))
    for name, questions in asked.items():
        for question in questions:
            if question.answer is not None:
                continue
            sample = samples.get((name, question.prefix))
            if sample is not None:
                scores, ties, weights = (np.concatenate(column) for column in zip(*sample, strict=True))
                question.collected(scores, ties, weights)
            else:
                question.narrow(histograms[name, question.prefix])


def _under(values: Values, prefix: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the values whose first digits are `prefix`, and their ties where those were looked at."""
    half = DIGITS // 2
    rows = np.arange(len(values.scores))
    for level, digit in enumerate(prefix[:half]):
        rows = rows[_digit(values.scores[rows], level) == digit]
    if len(prefix) <= half:
        return rows, None
    ties = values.ties(rows)
    for level, digit in enumerate(prefix[half:]):
        among = _digit(ties, level) == digit
        rows, ties = rows[among], ties[among]
    return rows, ties


def _digit(keys: np.ndarray, level: int) -> np.ndarray:
    shift = np.uint64(64 - DIGIT_BITS * (level + 1))
    return ((keys >> shift) & np.uint64((1 << DIGIT_BITS) - 1)).astype(np.int64)
