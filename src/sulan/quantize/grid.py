"""The grids that weights are rounded to, and rounding to nearest on them.

A group of weights shares a scale `s` and a zero point `z`; a weight is stored as a code `q` in 0 ... 2^b - 1:

    q = clip(round(W / s + z + V), 0, 2^b - 1)        W~ = s (q - z)

with `V = 0` for rounding to nearest (2309.05516, section 3, with codes counted from 0). Symmetric grids have z
= 2^(b-1) and a scale that carries a sign, chosen so that the weight of largest magnitude lies on code 0
exactly: the full range of codes is used, as in llama.cpp's Q4_0. Asymmetric grids span from the smallest weight
(or 0) to the largest (or 0).

Scales are rounded to float16 before any code is chosen, because every file format stores them so.
Not covered: floating-point grids, grids whose scales are quantised themselves (llama.cpp's K types).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SMALLEST_SCALE = 1e-5
"""Magnitude below which a scale is raised to it: a group of zeros keeps exact zeros and nothing is divided by 0.
The value is the peer's (auto-round 0.16.1), so that its checkpoints and ours agree."""

LARGEST_SCALE = 65504.0
"""The largest float16."""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How one weight matrix is stored.

    Attributes
    ----------
    bits
        Width of a code: 2, 3, 4 or 8.
    group
        Neighbouring weights of a row that share a scale; divides the row's length.
    symmetric
        Whether the zero point is the middle code everywhere.
    """

    bits: int
    group: int
    symmetric: bool = True

    @property
    def top(self) -> int:
        """The largest code."""
        return 2**self.bits - 1

    @property
    def middle(self) -> int:
        """The zero point of a symmetric grid."""
        return 2 ** (self.bits - 1)

    def bits_per_weight(self) -> float:
        """Return the stored bits of a weight with its share of scale (16 bits) and zero point.

        Examples
        --------
        >>> Scheme(bits=4, group=32).bits_per_weight()
        4.5
        >>> Scheme(bits=4, group=32, symmetric=False).bits_per_weight()
        4.625
        """
        return self.bits + (16 + (0 if self.symmetric else self.bits)) / self.group

    def __str__(self) -> str:
        return f"W{self.bits}G{self.group}{'' if self.symmetric else ' asym'}"


@dataclass(frozen=True, kw_only=True)
class Quantised:
    """A quantised matrix: what every format stores in its own arrangement.

    Attributes
    ----------
    codes
        uint8 [rows, columns].
    scale
        float16 [rows, groups].
    zero
        uint8 [rows, groups]; the middle code everywhere where the scheme is symmetric.
    scheme
        How the codes were made.
    """

    codes: Tensor
    scale: Tensor
    zero: Tensor
    scheme: Scheme

    def cpu(self) -> "Quantised":
        """Return the same in main memory."""
        return Quantised(
            codes=self.codes.cpu(), scale=self.scale.cpu(), zero=self.zero.cpu(), scheme=self.scheme
        )

    def weight(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the weights [rows, columns] that the codes stand for, computed in float32."""
        rows, columns = self.codes.shape
        levels = grouped(self.codes, self.scheme.group).float() - self.zero.float()[..., None]
        return (levels * self.scale.float()[..., None]).view(rows, columns).to(dtype)


def grouped(matrix: Tensor, group: int) -> Tensor:
    """Return a matrix [rows, columns] as [rows, groups, group]."""
    return matrix.unflatten(1, (-1, group))


def extremes(groups: Tensor, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """Return what a grid is stretched between, two tensors [rows, groups].

    Symmetric: the weight of largest magnitude with its sign (of two, the negative one), and zero. Asymmetric: the
    smallest weight, at most 0, and the largest, at least 0.

    Examples
    --------
    >>> extremes(torch.tensor([[[0.5, -2.0, 1.0, 0.0]]]), Scheme(bits=4, group=4))
    (tensor([[-2.]]), tensor([[0.]]))
    """
    low, high = groups.amin(-1).clamp_max(0), groups.amax(-1).clamp_min(0)
    if not scheme.symmetric:
        return low, high
    return torch.where(high > -low, high, low), torch.zeros_like(low)


def scale_and_zero(low: Tensor, high: Tensor, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """Return scale and zero point [rows, groups] of grids between `extremes`, in float32 with values of float16.

    Symmetric: s = -low / 2^(b-1), z = 2^(b-1). Asymmetric: s = (high - low) / (2^b - 1), z = round(-low / s).

    Examples
    --------
    The weight -2 of a 4-bit symmetric group falls on code 0 with s = 0.25, for 0.25 (0 - 8) = -2:

    >>> scale_and_zero(torch.tensor([[-2.0]]), torch.tensor([[0.0]]), Scheme(bits=4, group=4))
    (tensor([[0.2500]]), tensor([[8.]]))
    """
    if scheme.symmetric:
        scale = stored(low / -scheme.middle)
        return scale, torch.full_like(scale, scheme.middle)
    scale = stored((high - low) / scheme.top)
    return scale, torch.round(-low / scale).clamp(0, scheme.top)


def stored(scale: Tensor) -> Tensor:
    """Return scales as a file holds them: rounded to float16, magnitude at least `SMALLEST_SCALE`."""
    magnitude = scale.abs().clamp(SMALLEST_SCALE, LARGEST_SCALE)
    return torch.where(scale < 0, -magnitude, magnitude).half().float()


def codes(groups: Tensor, scale: Tensor, zero: Tensor, scheme: Scheme, shift: Tensor | None = None) -> Tensor:
    """Return the codes [rows, groups, group] of weights as float32: clip(round(W / s + z + V), 0, 2^b - 1)."""
    place = groups / scale[..., None] + zero[..., None]
    return torch.round(place if shift is None else place + shift).clamp_(0, scheme.top)


def quantised(
    groups: Tensor, scale: Tensor, zero: Tensor, scheme: Scheme, shift: Tensor | None = None
) -> Quantised:
    """Return weights [rows, groups, group] rounded on given grids; see `codes`."""
    found = codes(groups, scale, zero, scheme, shift)
    return Quantised(
        codes=found.to(torch.uint8).flatten(1),
        scale=scale.half(),
        zero=zero.to(torch.uint8),
        scheme=scheme,
    )


def nearest(weight: Tensor, scheme: Scheme) -> Quantised:
    """Round a matrix [rows, columns] to nearest on the grids of its own extremes: the baseline called RTN.

    Examples
    --------
    A group of four at 2 bit: s = 0.5, codes 0 ... 3 stand for -1, -0.5, 0, 0.5; 0.9 is clipped to 0.5.

    >>> found = nearest(torch.tensor([[-1.0, 0.3, 0.9, -0.2]]), Scheme(bits=2, group=4))
    >>> found.codes.tolist(), found.scale.tolist(), found.weight().tolist()
    ([[0, 3, 3, 2]], [[0.5]], [[-1.0, 0.5, 0.5, 0.0]])
    """
    groups = grouped(weight.float(), scheme.group)
    return quantised(groups, *scale_and_zero(*extremes(groups, scheme), scheme), scheme)
