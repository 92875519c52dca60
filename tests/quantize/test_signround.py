"""The step in closed form, beside autograd and beside itself in torch."""

import pytest
import torch
from torch import Tensor

from sulan.quantize import grid, search, signround
from sulan.quantize.grid import Scheme
from sulan.quantize.signround import UNIT, Rounding


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def state(scheme: Scheme, *, shrink: float = 0.7, fused: bool = True) -> Rounding:
    groups = drawn(32, 4, 16)
    low, high = grid.extremes(groups, scheme)
    made = Rounding(groups, low * shrink, high * shrink, scheme, widest=2.0)
    made.fused = made.fused and fused
    return made


def straight_through(value: Tensor) -> Tensor:
    return value + (value.round() - value).detach()


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("fused", [True, False])
def test_step_is_against_the_signs_that_autograd_finds(bits, symmetric, fused):
    scheme = Scheme(bits=bits, group=16, symmetric=symmetric)
    rounding, slope = state(scheme, fused=fused), drawn(32, 64, seed=1)
    shift = torch.zeros_like(rounding.groups, requires_grad=True)
    alpha, beta = (torch.ones_like(rounding.low, requires_grad=True) for _ in range(2))
    low, high = rounding.low * alpha, rounding.high * beta
    if symmetric:
        scale, zero = low / -scheme.middle, torch.full_like(low, scheme.middle)
    else:
        scale = (high - low) / scheme.top
        zero = straight_through(-low / scale)
    code = straight_through(rounding.groups / scale[..., None] + zero[..., None] + shift).clamp(0, scheme.top)
    (((code - zero[..., None]) * scale[..., None]).flatten(1) * slope).sum().backward()
    rounding.advance(slope, torch.empty(32, 64), rate=0.1, clip_rate=0.01)
    by_shift, by_alpha, by_beta = (
        torch.as_tensor(value.grad) if value.grad is not None else torch.zeros_like(value)
        for value in (shift, alpha, beta)
    )
    # The scale is rounded to float16 here and not above: codes that are clipped or not by a hair may differ.
    assert ((rounding.shift * UNIT + 0.1 * by_shift.sign()).abs() < 1e-4).float().mean() > 0.995
    assert (rounding.alpha == 1 - 0.01 * by_alpha.sign()).float().mean() > 0.98
    if not symmetric:
        assert (rounding.beta == 1 - 0.01 * by_beta.sign()).float().mean() > 0.98


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compiled_and_plain_steps_agree(dtype, symmetric):
    scheme = Scheme(bits=3, group=16, symmetric=symmetric)
    one, other = state(scheme), state(scheme, fused=False)
    outs = torch.empty(32, 64, dtype=dtype), torch.empty(32, 64, dtype=dtype)
    for turn in range(4):
        slope = drawn(32, 64, seed=turn).to(dtype)
        for rounding, out in zip((one, other), outs, strict=True):
            rounding.advance(slope, out, rate=0.05, clip_rate=0.02)
    assert torch.equal(one.shift, other.shift)
    assert (one.alpha == other.alpha).float().mean() > 0.99
    assert (outs[0] == outs[1]).float().mean() > 0.99


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_no_code_moves_by_more_than_one_while_grids_are_frozen(bits, symmetric):
    scheme = Scheme(bits=bits, group=16, symmetric=symmetric)
    rounding = state(scheme, shrink=1.0)
    start = rounding.quantised()
    steps = 20
    for step in range(steps):
        slope = drawn(32, 64, seed=step % 2)
        rounding.advance(slope, torch.empty(32, 64), rate=signround.rate(step, steps, 3 / steps), clip_rate=0)
    moved = (rounding.quantised().codes.int() - start.codes.int()).abs()
    assert moved.max() == 1
    assert torch.equal(rounding.quantised().scale, start.scale)


def test_shifts_stay_in_their_bounds_and_steps_add_up_to_half():
    steps = 50
    assert sum(signround.rate(step, steps, 1 / steps) for step in range(steps)) == pytest.approx(0.51)
    rounding = state(Scheme(bits=4, group=16))
    for _ in range(9):
        rounding.advance(torch.ones(32, 64), torch.empty(32, 64), rate=0.4, clip_rate=0)
    assert rounding.shift.abs().max() * UNIT <= 0.5


def test_scale_of_the_loss_changes_nothing():
    one, other = state(Scheme(bits=2, group=16)), state(Scheme(bits=2, group=16))
    slope = drawn(32, 64)
    one.advance(slope, torch.empty(32, 64), rate=0.1, clip_rate=0.1)
    other.advance(slope * 1024, torch.empty(32, 64), rate=0.1, clip_rate=0.1)
    assert torch.equal(one.shift, other.shift)
    assert torch.equal(one.alpha, other.alpha)


def test_a_snapshot_is_gone_back_to():
    rounding = state(Scheme(bits=2, group=16))
    before, kept = rounding.quantised(), rounding.snapshot()
    rounding.advance(drawn(32, 64), torch.empty(32, 64), rate=0.4, clip_rate=0.4)
    assert not torch.equal(rounding.quantised().codes, before.codes)
    rounding.restore(kept)
    assert torch.equal(rounding.quantised().codes, before.codes)
    assert torch.equal(rounding.quantised().scale, before.scale)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_searched_grids_cost_no_more_than_plain_ones(bits, symmetric):
    groups, weights = drawn(64, 4, 16), torch.rand(4, 16, generator=torch.Generator().manual_seed(2))
    scheme = Scheme(bits=bits, group=16, symmetric=symmetric)
    costs = []
    for ends in (grid.extremes(groups, scheme), search.search(groups, weights, scheme)):
        made = grid.quantised(groups, *grid.scale_and_zero(*ends, scheme), scheme)
        costs.append(((grid.grouped(made.weight(), 16) - groups).square() * weights).sum(-1))
    # Scales are rounded to float16 afterwards, which 8 bit just notice.
    assert (costs[1] <= costs[0] * 1.001 + 1e-9).float().mean() > (0.98 if bits == 8 else 0.999)
    assert costs[1].sum() <= costs[0].sum()
