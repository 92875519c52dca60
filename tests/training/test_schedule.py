"""Learning rates, by hand and beside those of transformers."""

import doctest

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from sulan.training import attention, config, loss, order, packing, schedule, stream, throughput
from sulan.training.config import TrainingConfig


def rates(**settings: object) -> list[float]:
    made = TrainingConfig(**{"batch": 1, "context": 8, "learning_rate": 1.0, **settings})  # pyrefly: ignore
    return [schedule.learning_rate(step, made) for step in range(made.steps)]


def test_by_hand() -> None:
    assert rates(steps=3) == [1.0, 1.0, 1.0]
    assert rates(steps=4, schedule="linear") == [1.0, 0.75, 0.5, 0.25]
    assert rates(steps=4, schedule="linear", final=0.5) == [1.0, 0.875, 0.75, 0.625]
    assert rates(steps=5, warmup=3) == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates(steps=4, schedule="cosine") == pytest.approx([1.0, 0.853553, 0.5, 0.146447], abs=1e-6)
    assert rates(steps=10, schedule="stable", decay=0.4) == pytest.approx(
        [1.0] * 7 + [0.5, 1 - 0.5**0.5, 1 - 0.75**0.5]
    )


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("linear", transformers.get_linear_schedule_with_warmup),
        ("cosine", transformers.get_cosine_schedule_with_warmup),
    ],
)
def test_after_the_warmup_as_in_transformers(name: str, peer: object) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    theirs = peer(optimizer, num_warmup_steps=5, num_training_steps=40)  # pyrefly: ignore[not-callable]
    expected = []
    for _ in range(40):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    assert rates(steps=40, schedule=name, warmup=5)[5:] == pytest.approx(expected[5:])


@given(
    steps=st.integers(1, 50),
    name=st.sampled_from(["constant", "linear", "cosine", "stable"]),
    share=st.floats(0, 1),
    final=st.floats(0, 1),
)
def test_never_outside_its_range(steps: int, name: str, share: float, final: float) -> None:
    warmup = int(steps * share)
    found = rates(steps=steps, schedule=name, warmup=warmup, final=final, decay=share)
    assert all(0 <= rate <= 1 for rate in found)
    assert found[:warmup] == sorted(found[:warmup])
    assert found[warmup:] == sorted(found[warmup:], reverse=True)


@pytest.mark.parametrize("module", [attention, config, loss, order, packing, schedule, stream, throughput])
def test_examples_in_docstrings(module: object) -> None:
    done = doctest.testmod(module)  # pyrefly: ignore[bad-argument-type]
    assert done.attempted
    assert not done.failed
