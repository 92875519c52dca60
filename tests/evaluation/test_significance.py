"""Intervals hold the truth as often as they say, and tests give the numbers that counting gives."""

import itertools
import math

import numpy
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from sulan.errors import InputError
from sulan.evaluation import correlation, significance

numbers = st.floats(-100, 100).map(lambda value: round(value, 3))


def test_coverage_over_items_is_what_it_says() -> None:
    generator = numpy.random.default_rng(1)
    hits = 0
    for repetition in range(400):
        differences = generator.normal(0.3, 1, 100)
        found = significance.paired_bootstrap(differences, numpy.zeros(100), resamples=400, seed=repetition)
        hits += found.low <= 0.3 <= found.high
    assert 0.91 <= hits / 400 <= 0.98  # 0.945 expected, standard error 0.011


def test_coverage_over_three_seeds_is_the_t_intervals_and_not_the_bootstraps() -> None:
    generator = numpy.random.default_rng(2)
    student = resampled = 0
    for repetition in range(800):
        values = generator.normal(0, 1, 3)
        interval = significance.seed_interval(values)
        student += interval.low <= 0 <= interval.high
        interval = significance.bootstrap(values, resamples=200, seed=repetition)
        resampled += interval.low <= 0 <= interval.high
    assert 0.925 <= student / 800 <= 0.975
    assert resampled / 800 <= 0.82


def test_seeds_and_items_both_widen_the_interval() -> None:
    generator = numpy.random.default_rng(3)
    of_seeds, of_items = generator.normal(size=(8, 1)), generator.normal(size=(1, 60))
    zeros = numpy.zeros((8, 60))

    def width(differences: numpy.ndarray) -> float:
        found = significance.paired_bootstrap(differences, zeros, resamples=2000)
        return found.high - found.low

    only_items, only_seeds = width(zeros + of_items), width(zeros + of_seeds)
    assert only_items == pytest.approx(2 * 1.96 * of_items.std() / 60**0.5, rel=0.1)
    assert width(of_seeds + of_items) == pytest.approx(math.hypot(only_items, only_seeds), rel=0.1)


def test_weights_make_the_ratio_of_perplexities() -> None:
    generator = numpy.random.default_rng(4)
    tokens = generator.integers(10, 1000, 200)
    a, b = tokens * generator.normal(3.1, 0.2, 200), tokens * generator.normal(3.0, 0.2, 200)
    found = significance.paired_bootstrap(a, b, weights=tokens)
    ratio = math.exp(a.sum() / tokens.sum()) / math.exp(b.sum() / tokens.sum())
    assert math.exp(found.mean) == pytest.approx(ratio)
    assert found.low < found.mean < found.high
    whole = significance.bootstrap(b, weights=tokens)
    assert whole.value == pytest.approx(b.sum() / tokens.sum())


@given(values=st.lists(numbers, min_size=2, max_size=30), shift=numbers, seed=st.integers(0, 9))
def test_bootstrap_follows_its_data(values: list[float], shift: float, seed: int) -> None:
    a, zero = numpy.array(values), numpy.zeros(len(values))
    found = significance.paired_bootstrap(a, zero, resamples=100, seed=seed)
    assert found.low <= found.high
    assert min(values) - 1e-9 <= found.low
    assert found.high <= max(values) + 1e-9
    again = significance.paired_bootstrap(a, zero, resamples=100, seed=seed)
    assert again == found
    moved = significance.paired_bootstrap(a + shift, zero, resamples=100, seed=seed)
    assert moved.low == pytest.approx(found.low + shift, abs=1e-6)
    turned = significance.paired_bootstrap(zero, a, resamples=100, seed=seed)
    assert turned.mean == pytest.approx(-found.mean)
    assert turned.p == found.p


@given(values=st.lists(st.integers(-5, 5), min_size=1, max_size=8))
def test_permutations_of_few_pairs_are_counted(values: list[int]) -> None:
    sums = [
        abs(sum(s * v for s, v in zip(signs, values, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(values))
    ]
    expected = sum(total >= abs(sum(values)) for total in sums) / len(sums)
    assert significance.permutation_test(values, [0] * len(values)) == expected


def test_permutations_of_many_pairs_agree_with_scipy() -> None:
    a = numpy.random.default_rng(5).normal(0.25, 1, 40)
    drawn = significance.permutation_test(a, numpy.zeros(40))
    peer = scipy.stats.permutation_test(
        (a, numpy.zeros(40)),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=1,
    )
    assert drawn == pytest.approx(peer.pvalue, abs=0.02)


def test_three_pairs_cannot_show_anything() -> None:
    assert significance.permutation_test([1, 1, 1], [0, 0, 0]) == 0.25
    assert significance.sign_test([1, 1, 1], [0, 0, 0]).p == 0.25


@given(values=st.lists(st.integers(-2, 2), max_size=30))
def test_sign_test_counts(values: list[int]) -> None:
    found = significance.sign_test(values, [0] * len(values))
    n = found.above + found.below
    assert n + found.ties == len(values)
    tail = sum(math.comb(n, k) for k in range(min(found.above, found.below) + 1)) / 2**n
    assert found.p == pytest.approx(min(1.0, 2 * tail))


@pytest.mark.parametrize("kind", ["spearman", "kendall"])
def test_rank_correlation_ignores_scale_and_covers(kind) -> None:
    generator = numpy.random.default_rng(6)
    truth = 6 / math.pi * math.asin(0.3) if kind == "spearman" else 2 / math.pi * math.asin(0.6)
    hits = 0
    for _ in range(300):
        x = generator.normal(size=50)
        y = 0.6 * x + 0.8 * generator.normal(size=50)
        found = correlation.rank_correlation(x, y, kind=kind)
        hits += found.low <= truth <= found.high
    assert 0.91 <= hits / 300 <= 0.985
    assert correlation.rank_correlation(numpy.exp(x), y**3, kind=kind) == found
    perfect = correlation.rank_correlation(x, 2 * x, kind=kind)
    assert perfect.value == pytest.approx(1)
    assert 0.9 < perfect.low < perfect.high <= 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: significance.paired_bootstrap([1, 2], [1]),
        lambda: significance.paired_bootstrap([1], [1]),
        lambda: significance.paired_bootstrap([1, math.nan], [1, 2]),
        lambda: significance.paired_bootstrap([1, 2], [1, 2], weights=[1, 0]),
        lambda: significance.paired_bootstrap([1, 2], [1, 2], weights=[1]),
        lambda: significance.paired_bootstrap([1, 2], [1, 2], level=95),
        lambda: significance.paired_bootstrap([1, 2], [1, 2], resamples=0),
        lambda: significance.bootstrap([[1, 2]]),
        lambda: significance.seed_interval([1]),
        lambda: significance.seed_interval([[1, 2]]),
        lambda: significance.sign_test([1, 2], [1]),
        lambda: significance.permutation_test([], []),
        lambda: significance.permutation_test([1], [1], resamples=0),
        lambda: correlation.rank_correlation([1, 2, 3, 4], [1, 2, 3, 4]),
        lambda: correlation.rank_correlation([1, 2, 3, 4, 5], [1] * 5),
        lambda: correlation.rank_correlation([1, 2, 3, 4, 5], [1, 2]),
        lambda: correlation.rank_correlation(range(5), range(5), level=1),
    ],
)
def test_what_cannot_be_compared_costs_one_line(call) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
