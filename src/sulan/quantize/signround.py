"""SignRound's state and its step in closed form (2309.05516, section 3).

Every weight has a shift V in [-0.5, 0.5] that is added before rounding, every group the factors alpha and beta of its
grid's two ends. One step, for the gradient D = dL/dW~ that the block's backward pass gives:

    dL/dV     = s D                            where the code is not clipped, else 0
    dL/ds     = sum D (q - z - W/s)            over a group; W/s left out where the code is clipped
    dL/dz     = sum -s D                       where the code is clipped
    V, alpha, beta <- x - rate sign(dL/dx)

with rounding taken for the identity (straight-through). Only signs are used, so neither the scale of the loss
nor the precision of D matters much, and no autograd graph goes through rounding: W~ is a plain parameter of the
block, and two passes over it (`fused`, or the same in torch) do mask, sign, update, clamp and the next W~.

Symmetric grids have one end: s = alpha s_0. Asymmetric: s = (beta high - alpha low) / (2^b - 1), z =
round(-alpha low / s).
"""

from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

from sulan.quantize import fused
from sulan.quantize.fused import UNIT
from sulan.quantize.grid import Quantised, Scheme, codes, quantised, scale_and_zero
from sulan.quantize.tiles import tiles

HALF = 32767
"""V's bound, one half, in its units: beyond it, rounding would move a weight by more than one code (section 3.1)."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What tuning has chosen at some step."""

    shift: Tensor
    alpha: Tensor
    beta: Tensor


class Rounding:
    """One matrix being tuned.

    Parameters
    ----------
    groups
        Weights to round, float32 [rows, groups, group].
    low, high
        Ends of the grids that tuning starts from, [rows, groups]; see `grid.extremes`.
    scheme
        How the codes are made.
    widest
        Upper bound of alpha and beta; their lower bound is 0. 1 where the ends are the weights' own extremes, as in the
        paper; 2 where they were searched and may be too narrow (as auto-round 0.16.1 has it).
    """

    def __init__(
        self, groups: Tensor, low: Tensor, high: Tensor, scheme: Scheme, *, widest: float = 1.0
    ) -> None:
        self.groups, self.scheme = groups, scheme
        self.low, self.high, self.widest = low, high, widest
        # A fixed point of 1/65534 is finer than any step length that matters, at half of float32's traffic.
        self.shift = torch.zeros_like(groups, dtype=torch.int16)
        self.alpha, self.beta = torch.ones_like(low), torch.ones_like(high)
        self.scale, self.zero = scale_and_zero(low, high, scheme)
        self.fused = fused.AVAILABLE and not groups.is_cuda

    def write(self, out: Tensor) -> None:
        """Write the weights that the present codes stand for into `out` [rows, columns]."""
        if self.fused:
            fused.write(
                *_arrays(self.groups, self.shift, self.scale, self.zero),
                numpy.float32(self.scheme.top),
                _stored(out.view_as(self.groups)),
                *self._scratch(),
            )
            return
        for rows in tiles(self.groups):
            scale, zero = self.scale[rows], self.zero[rows]
            found = codes(self.groups[rows], scale, zero, self.scheme, self.shift[rows] * UNIT)
            out[rows] = found.sub_(zero[..., None]).mul_(scale[..., None]).flatten(1)

    def advance(self, gradient: Tensor, out: Tensor, *, rate: float, clip_rate: float) -> None:
        """Make one step and write the next weights.

        Parameters
        ----------
        gradient
            dL/dW~ [rows, columns].
        out
            Where the next weights go, [rows, columns].
        rate, clip_rate
            Step lengths of V and of alpha and beta; `clip_rate=0` freezes the grids.
        """
        by_scale, by_zero = torch.empty_like(self.low), torch.empty_like(self.low)
        slope = gradient.contiguous().view_as(self.groups)
        move = round(rate / UNIT)
        if self.fused:
            fused.step(
                *_arrays(self.groups, self.shift),
                _stored(slope),
                *_arrays(self.scale, self.zero),
                numpy.int32(move),
                numpy.float32(self.scheme.top),
                *_arrays(by_scale, by_zero),
                *self._scratch(),
            )
        else:
            for rows in tiles(self.groups):
                by_scale[rows], by_zero[rows] = self._step(rows, slope[rows].float(), move)
        if clip_rate:
            self._move_ends(by_scale, by_zero, clip_rate)
        self.write(out)

    def snapshot(self) -> Snapshot:
        """Return a copy of what tuning has chosen so far."""
        return Snapshot(shift=self.shift.clone(), alpha=self.alpha.clone(), beta=self.beta.clone())

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot."""
        self.shift.copy_(snapshot.shift)
        self.alpha.copy_(snapshot.alpha)
        self.beta.copy_(snapshot.beta)
        self.scale, self.zero = self._grid()

    def quantised(self) -> Quantised:
        """Return the present codes."""
        return quantised(self.groups, self.scale, self.zero, self.scheme, self.shift * UNIT)

    def _scratch(self) -> tuple[numpy.ndarray, numpy.ndarray]:
        words = numpy.empty(self.groups.shape[-1], numpy.uint32)
        return words, words.view(numpy.float32)

    def _grid(self) -> tuple[Tensor, Tensor]:
        return scale_and_zero(self.low * self.alpha, self.high * self.beta, self.scheme)

    def _step(self, rows: slice, slope: Tensor, move: int) -> tuple[Tensor, Tensor]:
        """Move the shifts of a tile and return its sums dL/ds and dL/dz; what `fused.step` does."""
        scale, zero, shift = self.scale[rows], self.zero[rows], self.shift[rows]
        place = self.groups[rows] / scale[..., None]
        code = torch.round(place + zero[..., None] + shift * UNIT)
        held = code.clamp(0, self.scheme.top)
        inside = code == held
        by_scale = (slope * held.sub_(zero[..., None]).sub_(place.mul_(inside))).sum(-1)
        by_zero = -scale * (slope * ~inside).sum(-1)
        way = slope.sign().mul_(inside).mul_(scale.sign()[..., None]).mul_(move)
        shift.copy_((shift - way).clamp_(-HALF, HALF))
        return by_scale, by_zero

    def _move_ends(self, by_scale: Tensor, by_zero: Tensor, rate: float) -> None:
        """Move alpha and beta against the signs of their gradients, by the chain rule through s and z."""
        alpha, beta, scale, low, high = self.alpha, self.beta, self.scale, self.low, self.high
        if self.scheme.symmetric:
            alpha_slope = -by_scale * low  # s = alpha low / -2^(b-1)
        else:
            through = by_scale + by_zero * alpha * low / scale**2
            alpha_slope = low * (-through / self.scheme.top - by_zero / scale)
            beta.sub_((high * through).sign_(), alpha=rate).clamp_(0, self.widest)
        alpha.sub_(alpha_slope.sign_(), alpha=rate).clamp_(0, self.widest)
        self.scale, self.zero = self._grid()


def _arrays(*tensors: Tensor) -> tuple[numpy.ndarray, ...]:
    return tuple(tensor.numpy() for tensor in tensors)


def _stored(tensor: Tensor) -> numpy.ndarray:
    """Return a tensor of bfloat16 or float32 as the words that it is stored in."""
    return tensor.view(torch.uint16 if tensor.dtype == torch.bfloat16 else torch.uint32).numpy()


def rate(step: int, steps: int, first: float) -> float:
    """Return the step length at `step` of `steps`: from `first` linearly to 0 (section 4.1).

    With first = 1 / steps all steps together go (steps + 1) / (2 steps), just over 0.5: V can reach either bound.

    Examples
    --------
    >>> [rate(step, 4, 0.25) for step in range(4)]
    [0.25, 0.1875, 0.125, 0.0625]
    """
    return first * (1 - step / steps)
