"""Grids: golden values worked by hand, and what always holds."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sulan.quantize import grid
from sulan.quantize.grid import Scheme

WEIGHT = torch.tensor(
    [[-1.0, 0.5, 0.25, 0.0, 0.75, -0.5, 1.0, 0.125], [2.0, -1.0, 0.5, 0.0, 0.1, 0.2, -0.3, 0.4]]
)

GOLDEN = {
    # (bits, symmetric): codes of both rows in one group of eight, scales, zero points; worked by hand.
    # Row 1 of the symmetric grids: -1 and 1 have one magnitude, the negative one goes to code 0, s = 1 / 2^(b-1).
    # Row 2: the largest is 2, so s = -2 / 2^(b-1), and 2 is code 0.
    (2, True): ([[0, 3, 2, 2, 3, 1, 3, 2], [0, 3, 2, 2, 2, 2, 2, 2]], [0.5, -1.0], [2, 2]),
    (3, True): ([[0, 6, 5, 4, 7, 2, 7, 4], [0, 6, 3, 4, 4, 4, 5, 3]], [0.25, -0.5], [4, 4]),
    (4, True): ([[0, 12, 10, 8, 14, 4, 15, 9], [0, 12, 6, 8, 8, 7, 9, 6]], [0.125, -0.25], [8, 8]),
    (8, True): (
        [[0, 192, 160, 128, 224, 64, 255, 144], [0, 192, 96, 128, 122, 115, 147, 102]],
        [0.0078125, -0.015625],
        [128, 128],
    ),
    # Asymmetric: s = (high - low) / (2^b - 1), z = round(-low / s). Row 1: 2/3, and 1.5 goes to the even 2.
    # Row 2: 1 and 1; 0.5 / 1 + 1 goes to the even 2 too.
    (2, False): ([[0, 3, 2, 2, 3, 1, 3, 2], [3, 0, 2, 1, 1, 1, 1, 1]], [0.66650390625, 1.0], [2, 1]),
    # 3 bit: 2/7 and 3/7. 1 / 0.28564 = 3.5009, so z = 4; 1 / 0.42847 = 2.334, so z = 2.
    (3, False): (
        [[0, 6, 5, 4, 7, 2, 7, 4], [7, 0, 3, 2, 2, 2, 1, 3]],
        [0.28564453125, 0.428466796875],
        [4, 2],
    ),
    # 4 bit: 2/15 and 1/5. z = 7.5018 rounded; in row 2 0.1 lies on 5.0001 + 0.5 and goes up.
    (4, False): (
        [[0, 12, 10, 8, 14, 4, 15, 9], [15, 0, 8, 5, 6, 6, 3, 7]],
        [0.13330078125, 0.199951171875],
        [8, 5],
    ),
    # 8 bit: 2/255 and 3/255. z = 127.502 rounded; in row 2 z = 85.0013.
    (8, False): (
        [[0, 192, 160, 128, 224, 64, 255, 144], [255, 0, 128, 85, 94, 102, 59, 119]],
        [0.007843017578125, 0.0117645263671875],
        [128, 85],
    ),
}


@pytest.mark.parametrize(("bits", "symmetric"), GOLDEN)
def test_golden(bits, symmetric):
    found = grid.nearest(WEIGHT, Scheme(bits=bits, group=8, symmetric=symmetric))
    codes, scales, zeros = GOLDEN[bits, symmetric]
    assert found.scale[:, 0].tolist() == scales
    assert found.zero[:, 0].tolist() == zeros
    assert found.codes.tolist() == codes


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_asymmetric_grids_reach_both_ends(bits):
    found = grid.nearest(WEIGHT, Scheme(bits=bits, group=8, symmetric=False))
    assert (found.codes.amin(1) == 0).all()
    assert (found.codes.amax(1) == 2**bits - 1).all()
    step = found.scale.float()
    assert ((found.weight() - WEIGHT).abs() <= step * 0.51).all()


def test_what_a_symmetric_grid_clips_is_less_than_a_step():
    weight = torch.randn(64, 128, generator=torch.Generator().manual_seed(0))
    for bits in (2, 3, 4, 8):
        found = grid.nearest(weight, Scheme(bits=bits, group=32))
        assert (
            (grid.grouped(found.weight() - weight, 32)).abs() <= found.scale.float().abs()[..., None] * 1.01
        ).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3, 4, 8]), st.booleans())
def test_rounding_what_was_rounded_changes_nothing(seed, bits, symmetric):
    weight = torch.randn(4, 32, generator=torch.Generator().manual_seed(seed))
    scheme = Scheme(bits=bits, group=16, symmetric=symmetric)
    once = grid.nearest(weight, scheme)
    again = grid.codes(grid.grouped(once.weight(), 16), once.scale.float(), once.zero.float(), scheme)
    assert torch.equal(again.flatten(1).to(torch.uint8), once.codes)


@pytest.mark.parametrize("symmetric", [True, False])
def test_zero_groups_stay_zero(symmetric):
    found = grid.nearest(torch.zeros(2, 32), Scheme(bits=2, group=16, symmetric=symmetric))
    assert not found.weight().any()
    assert torch.isfinite(found.scale).all()


def test_constant_groups_are_exact_where_they_can_be():
    found = grid.nearest(torch.full((1, 16), -0.5), Scheme(bits=4, group=16))
    assert (found.weight() == -0.5).all()


def test_scales_agree_with_auto_round():
    """Its `quant_tensor_sym` has the same rule of the signed scale (auto-round 0.16.1)."""
    peer = pytest.importorskip("auto_round.data_type.int", reason="the extra bench is not installed")
    weight = torch.randn(32, 64, generator=torch.Generator().manual_seed(1))
    for bits in (2, 4, 8):
        made, scale, _ = peer.quant_tensor_sym(weight.clone(), bits=bits, group_size=32)
        found = grid.nearest(weight, Scheme(bits=bits, group=32))
        assert torch.allclose(scale.float().view(32, 2), found.scale.float(), rtol=1e-3)
        assert (torch.isclose(made.float(), found.weight(), rtol=2e-3, atol=1e-6)).float().mean() > 0.995
