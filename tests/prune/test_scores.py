"""The three scores: the examples in the docstrings, and golden values of a model computed by hand."""

import doctest
import importlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prune import small
from sulan.prune import scores
from sulan.prune.scorers import NeuralScorer

MODULES = (
    "scores",
    "order_statistics",
    "agreement",
    "columns",
    "selection",
    "kneser_ney",
    "plans",
    "verdict",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"sulan.prune.{name}"))
    assert found.attempted
    assert not found.failed


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> NeuralScorer:
    folder = small.hand_computed(tmp_path_factory.mktemp("model") / "hand")
    return NeuralScorer(str(folder), dtype="float32", context=None)


def test_golden_perplexity_and_el2n(scorer: NeuralScorer) -> None:
    # abc: 1/2 * 3/4 * 1/8; errors (1/2, 1/4, 1/4), (1/4, 1/4), (7/8, 7/8)
    (found,) = scorer.predict(scorer.tokens(["abc"]), el2n=True)
    total = np.array([found.nll.sum(dtype=np.float64)])
    assert total[0] == pytest.approx(math.log(64 / 3), abs=1e-5)
    assert scores.perplexity(total, np.array([3]))[0] == pytest.approx((64 / 3) ** (1 / 3), abs=1e-5)
    assert scores.bits_per_byte(total, np.array([3]))[0] == pytest.approx(math.log2(64 / 3) / 3, abs=1e-5)
    assert found.el2n == pytest.approx(
        [math.sqrt(6 / 16), math.sqrt(2 / 16), math.sqrt(2 * 49 / 64)], abs=1e-5
    )


def test_golden_memorization(scorer: NeuralScorer) -> None:
    # Greedily, a is followed by b, b by a, c by a; after "ab" * 16 the model says "ab" * 16.
    prompt = "ab" * 16
    documents = [prompt + rest for rest in ("ab" * 16, "c" * 32, "aabb" * 8, "ab" * 15 + "a")]
    found = scorer.memorized(scorer.tokens(documents))
    assert found[:3].tolist() == [1.0, 0.0, 0.5]
    assert np.isnan(found[3])


def test_a_text_that_spells_the_end_is_plain_text(scorer: NeuralScorer) -> None:
    (tokens,) = scorer.tokens(["<|endoftext|>"])
    assert len(tokens) == 13
    assert 0 not in tokens


@given(st.lists(st.lists(st.floats(-8, 8), min_size=3, max_size=3), min_size=1, max_size=6), st.data())
def test_el2n_is_what_the_sums_of_exponentials_say(logits: list[list[float]], data: st.DataObject) -> None:
    z = np.array(logits)
    tokens = np.array([data.draw(st.integers(0, 2)) for _ in logits])
    probabilities = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    found = scores.el2n(probabilities, tokens)
    lse, twice = np.log(np.exp(z).sum(axis=1)), np.log(np.exp(2 * z).sum(axis=1))
    right = np.exp(z[np.arange(len(z)), tokens] - lse)
    assert found == pytest.approx(np.sqrt(np.maximum(np.exp(twice - 2 * lse) - 2 * right + 1, 0)), abs=1e-6)
    assert ((found >= 0) & (found <= math.sqrt(2) + 1e-12)).all()


def test_a_model_that_knows_nothing() -> None:
    uniform = np.full((4, 10), 0.1)
    assert scores.el2n(uniform, np.arange(4)) == pytest.approx([math.sqrt(1 - 1 / 10)] * 4)
    assert scores.perplexity(np.array([4 * math.log(10)]), np.array([4])) == pytest.approx([10])
