"""Places in the order against a plain sort, whatever is collected, however the values are cut."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sulan.prune import order_statistics
from sulan.prune.order_statistics import FIRST, LAST, Histogram, Place, Values, after, from_on, key, places


def values_of(scores: np.ndarray, ties: np.ndarray, weights: np.ndarray) -> Values:
    return Values(scores=scores, ties=lambda rows: ties[rows], weights=weights)


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=50))
def test_keys_are_ordered_like_the_floats(numbers: list[float]) -> None:
    floats = np.array(numbers)
    keys = key(floats)
    for i in range(len(floats)):
        assert ((keys < keys[i]) == (floats < floats[i])).all()


pools = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2**16, 2**48 + 5, 2**63, 2**64 - 1]),
        st.sampled_from([0, 7, 2**32, 2**64 - 1]),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=60,
)


@settings(deadline=None)
@given(pools, st.data())
def test_a_place_is_what_a_plain_sort_says(pool: list[tuple[int, int, int]], data: st.DataObject) -> None:
    scores, ties = (np.array(column, dtype=np.uint64) for column in list(zip(*pool, strict=True))[:2])
    weights = np.array([weight for _, _, weight in pool], dtype=np.int64)
    target = data.draw(st.integers(-1, int(weights.sum())))
    cut = data.draw(st.integers(0, len(pool)))
    pieces = [
        values_of(scores[rows], ties[rows], weights[rows])
        for rows in (slice(0, cut), slice(cut, None))
        if len(scores[rows])
    ]
    found = places(
        lambda: (("", piece) for piece in pieces),
        {"": [target]},
        counts={"": len(pool)},
        totals={"": int(weights.sum())},
        collected=data.draw(st.sampled_from([1, 3, 1000])),
    )[""][0]
    order = sorted(range(len(pool)), key=lambda i: (int(scores[i]), int(ties[i]), i))
    through = np.cumsum(weights[order])
    if target < 0:
        assert found == FIRST
    elif target >= through[-1]:
        assert found == LAST
    else:
        at = order[int(np.argmax(through > target))]
        alike = [i for i in range(at) if (scores[i], ties[i]) == (scores[at], ties[at])]
        assert found == Place(int(scores[at]), int(ties[at]), len(alike))
    at = order[min(int(np.searchsorted(through, target, side="right")), len(order) - 1)]
    rank = {i: place for place, i in enumerate(order)}
    beyond, on = [], []
    seen = 0
    seen_on = 0
    for piece in pieces:
        part, seen = after(piece, found, seen)
        beyond.extend(part)
        part, seen_on = from_on(piece, found, seen_on)
        on.extend(part)
    if found not in (FIRST, LAST):
        assert beyond == [rank[i] > rank[at] for i in range(len(pool))]
        assert on == [rank[i] >= rank[at] for i in range(len(pool))]


def test_histograms_of_shards_add_up() -> None:
    generator = np.random.default_rng(0)
    scores = key(generator.normal(size=1000))
    weights = generator.integers(1, 1 << 40, size=1000)
    whole, merged = Histogram(), Histogram()
    whole.add(values_of(scores, scores, weights))
    for shard in np.array_split(np.arange(1000), 7):
        part = Histogram()
        part.add(values_of(scores[shard], scores[shard], weights[shard]))
        merged.merge(part)
    assert (whole.counts == merged.counts).all()
    assert (whole.weights == merged.weights).all()
    assert whole.weights.sum() == weights.sum()


def test_ties_are_asked_only_where_scores_are_equal() -> None:
    scores = key(np.arange(100_000, dtype=np.float64))
    asked = []

    def ties(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return rows.astype(np.uint64)

    values = Values(scores=scores, ties=ties, weights=np.ones(100_000, dtype=np.int64))
    found = places(
        lambda: [("", values)], {"": [500]}, counts={"": 100_000}, totals={"": 100_000}, collected=64
    )
    assert found[""][0].score == scores[500]
    assert sum(asked) <= 64
    assert order_statistics.DIGITS * order_statistics.DIGIT_BITS == 128
