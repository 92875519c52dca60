"""What a comparison concludes, from losses written down here."""

import math

import numpy as np
import pytest

from sulan.prune import verdict
from sulan.prune.plans import NONE, Arm, Comparison, arms

TOKENS = np.array([100, 300, 0, 600])
HELD_OUT = verdict.HeldOut(
    tokens=TOKENS, bytes=np.array([200, 600, 0, 3000]), sources=np.array(["a", "a", "b", "b"])
)
HALF = Arm(metric="perplexity", side="middle", percent=50)
RANDOM = Arm(metric="random", percent=50)


def losses(*per_seed: float) -> np.ndarray:
    return np.array([TOKENS * loss for loss in per_seed])


def test_the_improvement_is_that_of_the_perplexities() -> None:
    found = verdict.judge(
        {NONE: losses(2.0, 2.1, 2.2), RANDOM: losses(2.1, 2.2, 2.3), HALF: losses(1.99, 2.09, 2.19)}, HELD_OUT
    )
    none, random, half = found
    assert none.perplexity == pytest.approx(math.exp(2.1))
    assert none.improvement is none.p is None
    assert half.improvement is not None
    assert half.improvement.value == pytest.approx(100 * (1 - math.exp(-0.01)))
    assert half.improvement.low == pytest.approx(half.improvement.high)  # every seed differs by the same
    assert half.against_random is not None
    assert half.against_random.value == pytest.approx(100 * (1 - math.exp(-0.11)))
    assert random.improvement is not None
    assert random.improvement.value < 0
    assert random.against_random is None
    assert none.bits_per_byte == {
        "a": pytest.approx(2.1 * 400 / 800 / math.log(2)),
        "b": pytest.approx(2.1 * 600 / 3000 / math.log(2)),
    }


def test_seeds_that_disagree_give_an_interval_that_says_so() -> None:
    found = verdict.judge({NONE: losses(2.0, 2.0, 2.0), HALF: losses(1.9, 2.0, 2.1)}, HELD_OUT)[1]
    assert found.improvement is not None
    assert found.improvement.low < 0 < found.improvement.high
    assert found.p is not None
    assert found.p > 0.2


def test_the_best_side_and_its_lead() -> None:
    top = Arm(metric="el2n", side="top", percent=50)
    bottom = Arm(metric="perplexity", side="bottom", percent=50)
    every = {NONE: losses(2, 2), HALF: losses(1.9, 1.9), bottom: losses(2.5, 2.5), top: losses(2.1, 2.1)}
    found = verdict.judge(every, HELD_OUT)
    best = verdict.best(found, metric="perplexity", percent=50)
    other = verdict.best(found, metric="el2n", percent=50)
    assert best is not None
    assert other is not None
    assert best.arm == HALF
    assert verdict.lead(best, other, every, HELD_OUT).value == pytest.approx(100 * (1 - math.exp(-0.2)))
    assert verdict.best(found, metric="memorization", percent=50) is None


def test_tables_and_charts_have_every_arm() -> None:
    plan = Comparison(metrics=("perplexity",), seeds=2)
    every = arms(plan)
    assert len(every) == 1 + 4 + 3 * 4
    found = verdict.judge({arm: losses(2.0 + i / 100, 2.1) for i, arm in enumerate(every)}, HELD_OUT)
    first, second = verdict.tables(found)
    assert len(first.rows) == len(second.rows) == len(every)
    assert {len(row) for row in first.rows} == {len(first.columns)}
    assert second.columns[2:] == ("a", "b")
    (drawing,) = verdict.drawn(found, plan).values()
    assert drawing.startswith("<svg")
