"""Which n-grams trigger a neuron, exactly, from one bit a token and neuron.

A neuron's covering number is the smallest number of n-grams that make up 95 % of its activations. Only neurons that
some `most` n-grams can cover are of interest, and three exact filters find them without counting the others:

- its `most` n-grams occur at most as often as the corpus's `most` commonest, so a busy neuron drops out by its
  frequency alone;
- its activations at the commonest tokens are counted for all neurons at once; no other token can have more of them
  than it has occurrences, which bounds what `most` tokens can cover;
- each n-gram ends in one token, so where `most` n-grams cover a neuron, `most` tokens do, up to the activations at
  places that have no such n-gram.

What passes is counted again, n-gram by n-gram. Not covered: neurons whose triggers are many.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sulan.neurons.sequences import Grams

PERCENT = 95
"""Share of its activations that the n-grams cover, in per cent (the paper's, in its section on n-gram neurons)."""

BLOCK_BYTES = 16 << 20
"""Most bits read at once, however much the budget allows: more was not faster."""

COMMONEST = 512
"""Tokens that the second filter counts. They are two thirds of a text; 2,048 took longer and dropped few more."""

EXAMPLES = 8
"""Places kept for every neuron, for a reader's eye: the first ones."""

_ROWS = 255
"""Rows that are summed in uint8 before the sum could overflow."""

ReadBits = Callable[[int, int], np.ndarray]
"""Bytes `begin` to `end` of every token's row of bits, uint8 [tokens, bytes]."""


@dataclass(frozen=True, kw_only=True)
class Triggers:
    """What triggers the neurons of one layer, for one n.

    Attributes
    ----------
    covering
        Covering number of every neuron; 0: never active where there is an n-gram, `most + 1`: more than `most`.
        int32 [neurons].
    tables
        By neuron, for those covered by `most` n-grams: numbers of the n-grams and how often each went with an
        activation, the commonest first. int32 and int64 [n-grams].
    """

    covering: np.ndarray
    tables: dict[int, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the bits of one layer say.

    Attributes
    ----------
    triggers
        By n.
    places
        First tokens at which each neuron that was looked at singly was active, by neuron: `EXAMPLES` at most.
    """

    triggers: dict[int, Triggers]
    places: dict[int, np.ndarray]


def covering_number(counts: np.ndarray) -> int:
    """Return the smallest number of n-grams that make up 95 % of the activations.

    Parameters
    ----------
    counts
        Activations by n-gram, the largest first.

    Examples
    --------
    >>> covering_number(np.array([90, 5, 5])), covering_number(np.array([94, 3, 3])), covering_number(np.array([]))
    (2, 2, 0)
    """
    if not counts.size:
        return 0
    sums = np.cumsum(counts)
    return int(np.searchsorted(100 * sums, PERCENT * sums[-1])) + 1


def of_layer(
    read: ReadBits,
    active: np.ndarray,
    grams: dict[int, Grams],
    *,
    most: int,
    orders: Sequence[int],
    budget: int,
    commonest: int = COMMONEST,
) -> Found:
    """Find the triggers of one layer's neurons.

    Parameters
    ----------
    read
        Reads the layer's bits.
    active
        Tokens at which each neuron was active; int64 [neurons].
    grams
        By n, 1 always among them.
    most
        Highest covering number that is told exactly.
    orders
        The n wanted.
    budget
        Bytes for the bits read at once.
    commonest
        Tokens that the second filter counts; changes the time it takes, not the result.
    """
    neurons = len(active)
    places: dict[int, np.ndarray] = {}
    found = {order: Triggers(covering=np.where(active > 0, most + 1, 0), tables={}) for order in orders}
    bare = {order: np.flatnonzero(grams[order].at < 0) for order in {1, *orders}}  # places without an n-gram
    quiet = [100 * grams[order].ceiling(most) >= PERCENT * (active - len(bare[order])) for order in orders]
    left = (active > 0) & np.logical_or.reduce(quiet)
    block = max(1, min(budget, BLOCK_BYTES) // max(1, len(grams[1].at)))
    by_token = np.argsort(grams[1].at, kind="stable")
    for begin in range(0, (neurons + 7) // 8, block):
        first = 8 * begin
        place = slice(first, min(first + 8 * block, neurons))
        if not left[place].any():
            continue
        bits = read(begin, begin + block)
        covered = _bound(bits, grams[1], by_token, active[place], most=most, commonest=commonest)
        # What n-grams of each order have to cover: activations at places that have one.
        needed = {
            order: PERCENT * (active[place] - _summed(bits, tokens)[: len(covered)])
            for order, tokens in bare.items()
        }
        fewest = np.min([needed[order] for order in orders], axis=0)
        columns = np.ascontiguousarray(bits.T)  # of which each neuron's bits are then read in one go
        for neuron in np.flatnonzero(left[place] & (100 * covered >= fewest)):
            events = np.flatnonzero((columns[neuron // 8] & (1 << (neuron % 8))) != 0)
            places[int(first + neuron)] = events[:EXAMPLES]
            by_tokens = covered[neuron]  # what `most` tokens cover at most; exact once tokens are counted
            for order in sorted(needed):
                if 100 * by_tokens < needed[order][neuron]:
                    continue
                numbers, times = _counted(grams[order], events)
                largest = np.partition(times, -most)[-most:].sum() if len(times) > most else times.sum()
                if order == 1:
                    by_tokens = largest
                if order not in found or 100 * largest < PERCENT * times.sum():
                    continue
                ranked = np.lexsort((numbers, -times))
                found[order].covering[first + neuron] = covering_number(times[ranked])
                if len(ranked):
                    found[order].tables[int(first + neuron)] = (numbers[ranked], times[ranked])
    return Found(triggers=found, places=places)


def _counted(grams: Grams, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the n-grams at some tokens and how often each is there."""
    at = grams.at[events]
    at = at[at >= 0]
    if 4 * len(at) < len(grams.totals):
        return np.unique(at, return_counts=True)
    times = np.bincount(at, minlength=len(grams.totals))
    numbers = np.flatnonzero(times)
    return numbers, times[numbers]


def _bound(
    bits: np.ndarray,
    tokens: Grams,
    by_token: np.ndarray,
    active: np.ndarray,
    *,
    most: int,
    commonest: int,
) -> np.ndarray:
    """Return the most activations that `most` tokens could cover, int64 [neurons].

    For every j, the `most - j` largest counts among the commonest tokens, and j others with as many activations as
    the next commonest token has occurrences, or as there are left.
    """
    ranked = np.argsort(-tokens.totals, kind="stable")
    counted, others = ranked[:commonest], ranked[commonest:]
    counts = _counts(bits, tokens, by_token, counted)[:, : len(active)]
    counts = np.ascontiguousarray(counts.T)
    rest = active - counts.sum(axis=1)
    taken = min(most, len(counted))
    largest = -np.sort(-np.partition(counts, -taken, axis=1)[:, -taken:], axis=1)
    sums = np.pad(np.cumsum(largest, axis=1, dtype=np.int64), ((0, 0), (1, 0)))
    each = int(tokens.totals[others[0]]) if len(others) else 0
    further = most - np.arange(taken + 1)
    return (sums + np.minimum(further * each, rest[:, None])).max(axis=1)


def _counts(bits: np.ndarray, tokens: Grams, by_token: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Count activations by token, for all neurons of the bits; int32 [wanted, neurons]."""
    ends = np.cumsum(tokens.totals)
    return np.stack(
        [_summed(bits, by_token[ends[token] - tokens.totals[token] : ends[token]]) for token in wanted]
    )


def _summed(bits: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Count each neuron's activations at some tokens; int32 [neurons]."""
    found = np.zeros(8 * bits.shape[1], dtype=np.int32)
    for begin in range(0, len(places), _ROWS):
        values = np.unpackbits(bits[places[begin : begin + _ROWS]], axis=1, bitorder="little")
        found += np.add.reduce(values, axis=0, dtype=np.uint8)
    return found
