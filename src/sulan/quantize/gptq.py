"""A start that lets columns make good one another's errors (GPTQ, arXiv 2210.17323, algorithm 1).

Columns are rounded one after another, those with the strongest inputs first; the error of each is spread over
the columns that are still to come so that the layer's output on the calibration inputs changes least:

    W_j <- W_j - (W_i - W~_i) / U_ii  U_ij    for all later j,    U = upper Cholesky factor of (X'X + damping)^-1

What is returned is not the codes but every column as it was just before it was rounded: rounding that to
nearest on the same grid gives GPTQ's codes, and signed gradient descent can go on from there. Grids are fixed
beforehand, so the order of columns leaves no trace in the files.

Not covered: grids that follow the corrected weights, group by group; the unquantised model's inputs as the
target (tried as the least-squares weights W + W (Z - X)'X (X'X)^-1, in the manner of GPTAQ, arXiv 2504.02692:
on 4,096 tokens of SmolLM2 it fitted noise, and the divergence of six blocks at 2 bit rose from 0.40 to 0.65).
"""

import torch
from torch import Tensor

from sulan.quantize.grid import Scheme

DAMPING = 0.01
"""Share of the mean diagonal that is added to the diagonal, as in section 3.3 of the GPTQ paper; ten times more
for as long as the matrix cannot be factored."""

COLUMNS = 64
"""Columns between two updates of all later ones; any number gives the same result but for rounding."""


def compensated(weight: Tensor, moments: Tensor, scale: Tensor, zero: Tensor, scheme: Scheme) -> Tensor:
    """Return weights [rows, columns] whose rounding to nearest is GPTQ's.

    Parameters
    ----------
    weight
        The unquantised weights, float32 [rows, columns].
    moments
        X'X of the layer's inputs X [tokens, columns], float32 [columns, columns]. Only its ratios matter.
    scale, zero
        The grids, [rows, groups].
    scheme
        Bits and group of the grids.

    Examples
    --------
    Two columns with equal inputs: what the first loses (0.4 becomes 0), the second makes good (0.3 + 0.4 = 0.7).

    >>> found = compensated(
    ...     torch.tensor([[0.4, 0.3]]), torch.ones(2, 2), torch.ones(1, 1), torch.full((1, 1), 2.0),
    ...     Scheme(bits=2, group=2))
    >>> [round(value, 2) for value in found[0].tolist()]
    [0.4, 0.7]
    """
    order = torch.argsort(moments.diagonal(), descending=True, stable=True)
    factor = _factor(moments[order][:, order])
    columns = weight.t()[order].contiguous()
    group_of = order // scheme.group
    scales, zeros = scale.t()[group_of], zero.t()[group_of]
    for start in range(0, len(columns), COLUMNS):
        end = min(start + COLUMNS, len(columns))
        errors = torch.empty_like(columns[start:end])
        for place in range(start, end):
            column, step, middle = columns[place], scales[place], zeros[place]
            level = torch.round(column / step + middle).clamp_(0, scheme.top).sub_(middle)
            error = (column - level * step) / factor[place, place]
            errors[place - start] = error
            columns[place + 1 : end].addr_(factor[place, place + 1 : end], error, alpha=-1)
        columns[end:].addmm_(factor[start:end, end:].t(), errors, alpha=-1)
    found = torch.empty_like(columns)
    found[order] = columns
    return found.t().contiguous()


def _factor(moments: Tensor) -> Tensor:
    """Return U of the module's formula."""
    damping = DAMPING * (float(moments.diagonal().mean()) or 1.0)
    while True:
        damped = moments.clone()
        damped.diagonal().add_(damping)
        lower, failed = torch.linalg.cholesky_ex(damped)
        if not failed:
            upper, failed = torch.linalg.cholesky_ex(torch.cholesky_inverse(lower), upper=True)
            if not failed:
                return upper
        damping *= 10
