"""Better grids without training: scales that cost least, each column weighed by how strongly it is used.

A column's importance is the mean square of its input over the calibration text (llama.cpp calls it the
importance matrix); without text all columns count alike. A scale is sought per group:

    min over s of  sum_k h_k (W_k - s (q_k(s) - z))^2

over ratios of the plain scale, each refined by the least-squares scale of its own codes,
s' = sum h W (q - z) / sum h (q - z)^2 (as llama.cpp's make_qx_quants does).
Not covered: errors that one column makes good for another, see `gptq`.
"""

import numpy
import torch
from torch import Tensor

from sulan.quantize import fused
from sulan.quantize.grid import SMALLEST_SCALE, Scheme, extremes, scale_and_zero, stored
from sulan.quantize.tiles import tiles

RATIOS = {2: (0.45, 1.05), 3: (0.6, 1.05), 4: (0.7, 1.05), 8: (0.95, 1.0)}
"""Range of the ratios tried, by bits: fewer codes gain more from clipping."""

CANDIDATES = 13
"""Ratios tried, of each sign where grids are symmetric. Twice as many lower the squared error of SmolLM2's
matrices by less than 0.1 % at 2 to 4 bit; the search takes it to 0.77, 0.82 and 0.84 of plain rounding's at 2,
3 and 4 bit with groups of 64."""


def search(groups: Tensor, importance: Tensor | None, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """Return extremes [rows, groups] (see `grid.extremes`) of the grids that cost least.

    Parameters
    ----------
    groups
        Weights, float32 [rows, groups, group].
    importance
        Mean squared input of every column, float32 [groups, group]; None: all alike.
    scheme
        Bits and kind of grid.
    """
    weights = (
        torch.ones_like(groups[0]) if importance is None else importance + 1e-6 * importance.mean() + 1e-30
    )
    if fused.AVAILABLE and not groups.is_cuda:
        low, high = extremes(groups, scheme)
        ratios = numpy.array(_ratios(scheme), numpy.float32)
        arrays = [tensor.contiguous().numpy() for tensor in (groups, weights, low, high)]
        smallest = numpy.float32(SMALLEST_SCALE)
        fused.search(*arrays, ratios, scheme.symmetric, numpy.float32(scheme.top), smallest)
        return torch.from_numpy(arrays[2]), torch.from_numpy(arrays[3])
    found = [_search(groups[rows], weights, scheme) for rows in tiles(groups)]
    return torch.cat([low for low, _ in found]), torch.cat([high for _, high in found])


def _search(groups: Tensor, weights: Tensor, scheme: Scheme) -> tuple[Tensor, Tensor]:
    plain = extremes(groups, scheme)
    best = _tried(groups, weights, *plain, scheme, refine=False)
    for ratio in _ratios(scheme):
        best = _better(best, _tried(groups, weights, plain[0] * ratio, plain[1] * ratio, scheme, refine=True))
    return best[0], best[1]


def _ratios(scheme: Scheme) -> list[float]:
    found = torch.linspace(*RATIOS[scheme.bits], CANDIDATES).tolist()
    return [*found, *(-ratio for ratio in found)] if scheme.symmetric else found


def _tried(
    groups: Tensor, weights: Tensor, low: Tensor, high: Tensor, scheme: Scheme, *, refine: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return extremes and their cost; refined: the scale is the one that fits the codes best."""
    scale, zero = scale_and_zero(low, high, scheme)
    levels = torch.round(groups / scale[..., None] + zero[..., None]).clamp_(0, scheme.top) - zero[..., None]
    if refine:
        heavy = levels * weights
        fitted = (heavy * groups).sum(-1) / (heavy * levels).sum(-1).clamp_min(1e-30)
        scale = stored(torch.where(fitted == 0, scale, fitted))
        if scheme.symmetric:
            low = scale * -scheme.middle
        else:
            usable = scale > 0
            low = torch.where(usable, -zero * scale, low)
            high = torch.where(usable, (scheme.top - zero) * scale, high)
            scale, _ = scale_and_zero(low, high, scheme)
    error = levels.mul_(scale[..., None]).sub_(groups).square_().mul_(weights).sum(-1)
    return low, high, error


def _better(
    one: tuple[Tensor, Tensor, Tensor], other: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    better = other[2] < one[2]
    low, high, error = (torch.where(better, b, a) for a, b in zip(one, other, strict=True))
    return low, high, error
