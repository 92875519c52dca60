"""A shuffled order that needs no memory: where a position goes, by arithmetic alone.

A balanced Feistel network is a bijection of the 2^(2h) numbers below a power of four; walking a cycle until
the number is small enough makes it one of the numbers below any `count`. So a batch is found from its step
without an iterator to save, restore or replay. Not covered: cryptographic quality.
"""

import numpy

from sulan.runs import seeds

ROUNDS = 8
"""Four make a strong pseudo-random permutation when the round function is one (Luby and Rackoff, 1988); twice
as many because counts may be small. A thousand positions cost a millisecond."""


def shuffled(positions: numpy.ndarray, count: int, *, seed: int, epoch: int) -> numpy.ndarray:
    """Return which of `count` items stands at each position of an epoch's order.

    Parameters
    ----------
    positions
        int64[n], each in [0, count).
    count
        Number of items; every one occurs once an epoch.
    seed, epoch
        What the order depends on.

    Returns
    -------
    numpy.ndarray
        int64[n], each in [0, count).

    Examples
    --------
    >>> order = shuffled(numpy.arange(10), 10, seed=0, epoch=0)
    >>> sorted(order.tolist()) == list(range(10))
    True
    >>> int(shuffled(numpy.array([7]), 10, seed=0, epoch=0)[0]) == int(order[7])
    True
    """
    half = max(1, ((count - 1).bit_length() + 1) // 2)
    words = seeds.generator(seed, f"order of epoch {epoch}").integers(2**64, size=ROUNDS, dtype=numpy.uint64)
    found = _network(positions.astype(numpy.uint64), half, words)
    # The network's range is less than four times the count, so few rounds are enough for all to arrive.
    while (outside := found >= numpy.uint64(count)).any():
        found[outside] = _network(found[outside], half, words)
    return found.astype(numpy.int64)


def _network(values: numpy.ndarray, half: int, words: numpy.ndarray) -> numpy.ndarray:
    shift, mask = numpy.uint64(half), numpy.uint64((1 << half) - 1)
    left, right = values >> shift, values & mask
    for word in words:
        left, right = right, left ^ (_mixed(right ^ word) & mask)
    return (left << shift) | right


def _mixed(values: numpy.ndarray) -> numpy.ndarray:
    """Return the finaliser of SplitMix64 (Steele, Lea and Flood, 2014) of every value."""
    values = (values ^ (values >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return values ^ (values >> numpy.uint64(31))
