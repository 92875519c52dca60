"""Golden sizes of the official configuration; spans are whole whatever the language model says."""

from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sulan.anytoany.media import Kind
from sulan.anytoany.projections import GroupingInput, LinearInput, TransformerOutput, assigned
from sulan.anytoany.signals import WholeSpans

SPANS: dict[Kind, tuple[int, ...]] = {"image": (10, 11, 12, 13), "audio": (14, 15)}


def _millions(module: torch.nn.Module) -> float:
    return round(sum(weight.numel() for weight in module.parameters()) / 1e6, 2)


@pytest.mark.parametrize(
    ("tokens", "width", "millions"), [(77, 768, 31.96), (1, 512, 31.79), (77, 1024, 32.09)]
)
def test_output_projections_have_the_official_sizes(tokens: int, width: int, millions: float) -> None:
    with torch.device("meta"):
        assert _millions(TransformerOutput(hidden=4096, tokens=tokens, width=width)) == millions
        assert _millions(LinearInput(1024, 4096)) == 4.20


def test_output_tokens_of_a_fresh_projection_differ_pairwise() -> None:
    torch.manual_seed(0)
    made = TransformerOutput(hidden=8, tokens=5, width=6, inner=16, layers=1, feedforward=32)(
        torch.randn(1, 4, 8)
    )[0]
    distances = torch.cdist(made, made) + torch.eye(5)
    assert distances.min() > 1e-2


@settings(max_examples=20)
@given(st.integers(0, 2**31))
def test_spans_are_whole_ordered_and_allowed(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    processor = WholeSpans(spans=SPANS, prompt=2, allowed=("image",))
    ids: Any = torch.tensor([[10, 12]])
    for _ in range(40):
        random: Any = torch.randn(1, 16, generator=generator) * 5
        scores = processor(ids, random)
        ids = cast("Any", torch.cat)([ids, scores.argmax(-1, keepdim=True)], 1)
    signals = [token for token in ids[0, 2:].tolist() if token >= 10]
    assert signals == list(SPANS["image"])[: len(signals)]
    assert len(signals) in (0, 4) or ids[0, -1] in SPANS["image"]


def test_grouping_rows_are_one_hot_and_gradients_are_the_softmaxs() -> None:
    torch.manual_seed(0)
    concepts, patches = torch.randn(2, 3, 8, requires_grad=True), torch.randn(2, 5, 8)
    for noisy in (False, True):
        rows = assigned(concepts, patches, temperature=1.0, noisy=noisy)
        assert set(rows.detach().round(decimals=5).unique().tolist()) == {0.0, 1.0}
        assert torch.allclose(rows.sum(-1), torch.ones(2, 5))
        rows[..., 0].sum().backward()
        assert concepts.grad is not None
        assert concepts.grad.abs().sum() > 0


def test_grouping_gives_the_last_stages_concepts_and_trains_all_of_its_weights() -> None:
    torch.manual_seed(0)
    projection = GroupingInput(width=16, hidden=24, groups=(6, 3), layers=1, heads=2)
    made = projection(torch.randn(2, 17, 16))
    assert made.shape == (2, 3, 24)
    made.square().sum().backward()
    assert all(weight.grad is not None for weight in projection.parameters())


def test_a_span_that_would_not_end_within_the_budget_does_not_begin() -> None:
    for said, begins in ((0, True), (2, True), (3, False)):
        processor = WholeSpans(spans=SPANS, prompt=0, budget=6)
        ids: Any = torch.ones(1, said, dtype=torch.long)
        level: Any = torch.zeros(1, 16)
        scores = processor(ids, level)
        assert (scores[0, 10] == 0) == begins
        assert scores[0, 14] == 0
