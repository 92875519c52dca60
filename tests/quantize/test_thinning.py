"""What need only be computed for the tokens whose errors count, and that it gives the same gradient."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from sulan.models import tiny
from sulan.quantize import streamed, streams
from sulan.quantize.blocks import Flow, _Judge
from sulan.quantize.settings import RECIPES
from sulan.quantize.thinning import Thinned

LENGTH = 12


def prepared(kind: str) -> tuple[nn.Module, Tensor, dict[str, object]]:
    """Return a model's first block with its inputs on two windows."""
    model = getattr(tiny, kind)(width=64, hidden=128)
    model.eval().requires_grad_(False)
    blocks = streamed.blocks(model)[1]
    windows = torch.arange(2 * LENGTH).view(2, LENGTH) % model.config.vocab_size
    hidden = torch.empty(2, LENGTH, 64)
    arguments = streams.enter(model, blocks, windows, hidden, device=torch.device("cpu"))[0]
    for module in blocks[0].modules():
        if isinstance(module, nn.Linear):
            module.weight.requires_grad_(True)
    return blocks[0], hidden, arguments


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("llama", {"self_attn.q_proj", "self_attn.o_proj", "mlp"}),
        ("phi", {"self_attn.q_proj", "self_attn.dense", "mlp"}),
        ("opt", {"self_attn.q_proj", "self_attn.out_proj"}),
    ],
)
def test_all_but_keys_and_values_act_on_tokens_alone(kind, expected):
    block, hidden, arguments = prepared(kind)
    thinned = Thinned(block, lambda: streams.output(block, hidden[:1], arguments))
    names = {module: name for name, module in block.named_modules()}
    assert {names[part] for part in thinned.parts} == expected
    assert all(parameter.grad is None for parameter in block.parameters())


@pytest.mark.parametrize("kind", ["llama", "phi", "opt"])
def test_gradients_are_those_of_the_whole_computation(kind):
    block, hidden, arguments = prepared(kind)
    thinned = Thinned(block, lambda: streams.output(block, hidden[:1], arguments))
    tokens = torch.tensor([0, 4, 5, 11])
    found = []
    for chosen in (tokens, torch.arange(LENGTH)):
        with thinned.to(chosen):
            out = streams.output(block, hidden, arguments)
        out[:, tokens].square().sum().backward()
        weights = [p for p in block.parameters() if p.requires_grad]
        found.append([torch.as_tensor(weight.grad).clone() for weight in weights])
        block.zero_grad()
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)
    assert torch.equal(streams.output(block, hidden, arguments), out)


@pytest.mark.parametrize("every", [1, 2, 5, LENGTH])
def test_estimates_from_some_tokens_are_the_loss_on_average(every):
    block, hidden, arguments = prepared("llama")
    targets = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(0))
    flow = Flow(student=hidden, targets=targets, arguments=arguments, device=hidden.device)
    judge = _Judge(block, flow, RECIPES["light"])
    thinned, rows = judge.thinned(), torch.tensor([0, 1])
    with torch.no_grad():
        found = [judge.estimate(rows, thinned, offset=place, every=every) for place in range(every)]
        assert torch.stack(found).mean() == pytest.approx(float(judge.loss(rows)), rel=1e-5)


def test_a_token_of_huge_activations_counts_less_unless_all_count_alike():
    block, hidden, arguments = prepared("llama")
    targets = streams.output(block, hidden, arguments).detach()
    targets[0, 0] *= 1000
    flow = Flow(student=hidden, targets=targets, arguments=arguments, device=hidden.device)
    shares = []
    for lessen in (True, False):
        judge = _Judge(block, flow, replace(RECIPES["light"], lessen_large=lessen))
        errors = judge._errors(torch.tensor([0]), None).detach()[0]
        shares.append(float(errors[0] / targets[0, 0].square().mean()))
    lengths = targets.square().mean(-1)
    ratio = float((lengths.median() / lengths[0, 0]).sqrt())
    assert ratio < 0.01
    assert shares == pytest.approx([ratio, 1.0], rel=0.01)
