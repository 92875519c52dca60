"""Detectors by the paper's rule: few n-grams, each nearly always with an activation, nearly all activations.

A neuron detects n-grams where

1. at most 5 tokens (50 bigrams or trigrams) make up 95 % of its activations;
2. of these, it *covers* those at 95 % or more of whose occurrences it is active;
3. what it covers makes up 95 % of its activations.

The paper gives 5 for tokens and 50 for trigrams, none for bigrams, whose number we take to be the trigrams'; it does
not say whether 1 means all triggers or those that cover 95 %, nor how often a token must occur. An n-gram seen once
would be covered by chance, so it must occur ten times; and a detector is `sure` where the lower ends of the 95 %
intervals of all these shares are at 95 % too. Not covered: what an n-gram means.
"""

from dataclasses import dataclass

import numpy as np

from sulan.neurons.counters import Table
from sulan.neurons.statistics import wilson

SHARE = 0.95
LIMITS = {1: 5, 2: 50, 3: 50}
"""Most n-grams that a detector has, by n."""


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """An n-gram that goes with a neuron.

    Attributes
    ----------
    tokens
        The n-gram.
    total, active
        How often it occurs, and how often the neuron is active there.
    recall, recall_low
        Their ratio, and the lower end of its 95 % interval.
    covered
        Whether the neuron is active at 95 % of the occurrences, of which there are enough.
    """

    tokens: tuple[int, ...]
    total: int
    active: int
    recall: float
    recall_low: float
    covered: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a neuron's n-grams say, for one n.

    Attributes
    ----------
    triggers
        The n-grams that make up 95 % of its activations, the commonest first.
    activations
        Activations at places that have an n-gram.
    precision, precision_low
        Share of them that covered n-grams make up, and the lower end of its interval.
    detector
        Whether it is a detector.
    sure
        Whether it is one at the lower ends of all intervals.
    """

    triggers: tuple[Trigger, ...]
    activations: int
    precision: float
    precision_low: float
    detector: bool
    sure: bool


def judge(table: Table, number: int, *, order: int, minimum: int) -> Verdict:
    """Judge one neuron that few n-grams cover.

    Parameters
    ----------
    table
        The triggers of all such neurons.
    number
        Which one, as `table.neuron` has them.
    order
        n.
    minimum
        Occurrences that a covered n-gram must have.
    """
    grams, counts = table.rows(number)
    covering = int(table.covering.reshape(-1)[table.neuron[number]])
    activations = int(counts.sum())
    grams, counts = grams[:covering], counts[:covering]
    totals = table.totals[grams]
    recall_low, _ = wilson(counts, totals)
    covered = (counts >= SHARE * totals) & (totals >= minimum)
    inside = int(counts[covered].sum())
    precision_low = float(wilson(np.asarray([inside]), np.asarray([activations]))[0][0])
    detector = covering <= LIMITS[order] and inside >= SHARE * activations and inside > 0
    sure = detector and precision_low >= SHARE and bool((recall_low[covered] >= SHARE).all())
    return Verdict(
        triggers=tuple(
            Trigger(
                tokens=tuple(int(token) for token in table.tokens[gram]),
                total=int(total),
                active=int(count),
                recall=float(count / total),
                recall_low=float(low),
                covered=bool(yes),
            )
            for gram, total, count, low, yes in zip(grams, totals, counts, recall_low, covered, strict=True)
        ),
        activations=activations,
        precision=inside / activations if activations else 0.0,
        precision_low=precision_low,
        detector=bool(detector),
        sure=bool(sure),
    )


def coverage(detected: list[set[tuple[int, ...]]]) -> list[tuple[int, int, int, int]]:
    """Return for every layer: n-grams detected, new overall, new against the layer below, detected up to here.

    Examples
    --------
    >>> coverage([{(1,), (2,)}, {(2,), (3,)}, {(1,)}])
    [(2, 2, 2, 2), (2, 1, 1, 3), (1, 0, 1, 3)]
    """
    rows = []
    known: set[tuple[int, ...]] = set()
    below: set[tuple[int, ...]] = set()
    for here in detected:
        new = len(here - known)
        known |= here
        rows.append((len(here), new, len(here - below), len(known)))
        below = here
    return rows
