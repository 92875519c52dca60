"""A shuffled order without memory is a permutation, another one every epoch."""

import numpy
from hypothesis import given
from hypothesis import strategies as st

from sulan.training import order


@given(count=st.integers(1, 3000), seed=st.integers(0, 2**32), epoch=st.integers(0, 100))
def test_every_item_once(count: int, seed: int, epoch: int) -> None:
    found = order.shuffled(numpy.arange(count), count, seed=seed, epoch=epoch)
    assert sorted(found.tolist()) == list(range(count))


def test_a_part_of_the_positions_is_a_part_of_the_order() -> None:
    whole = order.shuffled(numpy.arange(1000), 1000, seed=3, epoch=1)
    assert order.shuffled(numpy.arange(400, 420), 1000, seed=3, epoch=1).tolist() == whole[400:420].tolist()


def test_seeds_and_epochs_have_orders_of_their_own() -> None:
    orders = [
        tuple(order.shuffled(numpy.arange(500), 500, seed=seed, epoch=epoch))
        for seed in range(3)
        for epoch in range(3)
    ]
    assert len(set(orders)) == 9


def test_neighbours_part() -> None:
    # The mean distance between the images of neighbours is that of random pairs, a third of the count.
    found = order.shuffled(numpy.arange(10_000), 10_000, seed=0, epoch=0)
    assert 3100 < numpy.abs(numpy.diff(found)).mean() < 3570
    assert abs(numpy.corrcoef(numpy.arange(10_000), found)[0, 1]) < 0.05


def test_huge_counts_cost_nothing() -> None:
    found = order.shuffled(numpy.array([0, 2**40, 2**41 - 1]), 2**41, seed=0, epoch=0)
    assert len(set(found.tolist())) == 3
    assert found.max() < 2**41


def test_same_order_as_ever() -> None:
    # Drawn with the first version: a change here changes every training made so far.
    assert order.shuffled(numpy.arange(8), 8, seed=0, epoch=0).tolist() == [0, 3, 6, 2, 1, 5, 4, 7]
