"""The fused loss and the blocked attention are the plain ones; models that they do not fit keep their own."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)

from sulan.training import attention, loss
from sulan.training.loss import NextTokenLoss, fused_cross_entropy
from training import examples

TOKENS = torch.randint(0, examples.VOCABULARY, (2, 48), generator=torch.Generator().manual_seed(0))


def gradients(value: torch.Tensor, of: list[torch.Tensor]) -> list[torch.Tensor]:
    return list(torch.autograd.grad(value, of))


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_fused_loss_is_the_plain_one(biased: bool, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "LOGITS_BYTES", rows * 4 * 50)
    draw = torch.Generator().manual_seed(1)
    hidden, weight, bias = (
        torch.randn(shape, generator=draw, requires_grad=True) for shape in ((23, 8), (50, 8), (50,))
    )
    targets = torch.randint(0, 50, (23,), generator=draw)
    given = [hidden, weight, *([bias] if biased else [])]
    plain = functional.cross_entropy(functional.linear(hidden, weight, bias if biased else None), targets)
    fused = fused_cross_entropy(hidden, weight, bias if biased else None, targets)
    assert fused.item() == pytest.approx(plain.item(), abs=1e-6)
    for one, two in zip(gradients(3 * fused, given), gradients(3 * plain, given), strict=True):
        torch.testing.assert_close(one, two, atol=1e-6, rtol=1e-5)


def test_fused_loss_does_not_overflow() -> None:
    hidden = torch.tensor([[1000.0]], requires_grad=True)
    found = fused_cross_entropy(hidden, torch.tensor([[1.0], [-1.0]]), None, torch.tensor([1]))
    assert found.item() == 2000.0


@pytest.mark.parametrize("length", [1, 5, 64, 65, 200])
@pytest.mark.parametrize("heads", [2, 4])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_blocks_are_causal_attention(length: int, heads: int, kind: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(2)
    made = [torch.randn(2, n, length, 16, generator=draw).to(kind) for n in (4, heads, heads)]
    query, key, value = (tensor.requires_grad_() for tensor in made)
    above = torch.randn(2, 4, length, 16, generator=draw).to(kind)
    ours = attention.causal(query, key, value, scale=0.25)
    theirs = functional.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
    tolerance: dict[str, Any] = (
        {"atol": 2e-5, "rtol": 1e-4} if kind == torch.float32 else {"atol": 0.06, "rtol": 0.05}
    )
    torch.testing.assert_close(ours, theirs, **tolerance)
    of = [query, key, value]
    found, expected = gradients((ours * above).sum(), of), gradients((theirs * above).sum(), of)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two, **tolerance)


def test_a_fresh_model_knows_nothing() -> None:
    objective = NextTokenLoss(examples.llama())
    assert objective(TOKENS).item() == pytest.approx(math.log(examples.VOCABULARY), abs=0.05)


SMALL: dict[str, Any] = {"vocab_size": examples.VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2}
SMALL |= {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64}
WINDOW = MistralConfig(**SMALL, sliding_window=16)
WIDE = MistralConfig(**SMALL, sliding_window=None)
CAPPED = Gemma2Config(**SMALL, head_dim=8)
OPT = OPTConfig(
    vocab_size=examples.VOCABULARY, hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4,
    word_embed_proj_dim=32, dropout=0.0,
)  # fmt: skip
GPT2 = GPT2Config(
    vocab_size=examples.VOCABULARY,
    n_embd=32,
    n_layer=2,
    n_head=4,
    embd_pdrop=0.0,
    attn_pdrop=0.0,
    resid_pdrop=0.0,
)


@pytest.mark.parametrize(
    ("name", "make", "fused", "blocks"),
    [
        ("llama", examples.llama, True, True),
        ("phi", examples.phi, True, True),
        ("opt", lambda: OPTForCausalLM(OPT), True, True),
        ("gpt2", lambda: GPT2LMHeadModel(GPT2), True, True),
        ("mistral", lambda: MistralForCausalLM(WIDE), True, True),
        ("sliding window", lambda: MistralForCausalLM(WINDOW), True, False),
        ("soft caps", lambda: Gemma2ForCausalLM(CAPPED), False, False),
        ("dropout in attention", lambda: examples.llama(attention_dropout=0.1), True, False),
    ],
)
def test_fast_ways_give_the_models_own_loss(name: str, make: type, fused: bool, blocks: bool) -> None:
    torch.manual_seed(0)
    model = make().float().eval()
    expected = model(input_ids=TOKENS, labels=TOKENS, use_cache=False).loss
    of = list(model.parameters())
    slow = torch.autograd.grad(expected, of)
    objective = NextTokenLoss(model)
    objective.accelerate(TOKENS[:1])
    model.eval()
    assert objective.fused == fused, name
    assert (model.config._attn_implementation == attention.NAME) == blocks, name
    found = objective(TOKENS)
    assert found.item() == pytest.approx(expected.item(), abs=1e-5)
    for one, two in zip(torch.autograd.grad(found, of), slow, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-3)
    objective.restore()
    assert model.config._attn_implementation != attention.NAME


class Bigrams(nn.Module):
    """The smallest language model: a table of logits."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(examples.VOCABULARY, examples.VOCABULARY)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.table(tokens)


def test_any_module_that_returns_logits_will_do() -> None:
    model = Bigrams()
    objective = NextTokenLoss(model)
    objective.accelerate(TOKENS[:1])
    expected = functional.cross_entropy(model.table(TOKENS[:, :-1]).flatten(0, 1), TOKENS[:, 1:].flatten())
    assert objective(TOKENS).item() == pytest.approx(expected.item())
