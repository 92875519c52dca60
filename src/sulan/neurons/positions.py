"""What kind of positional neuron a curve of frequencies by position shows.

The paper names four kinds and shows examples, without numbers. The rule here is ours: the curve is smoothed by a
running median over 1/64 of the positions; *low* is at most 0.01 and *high* at least 0.99, held over 1/128 of the
positions at least;

- oscillatory: low and high alternate three times or more;
- both extremes: low and high, fewer alternations;
- one extreme: only one of them;
- other: neither.

Strong: in those stretches the frequency is exactly 0 or 1; for *other*, the curve is thin: it stays within 0.05 of
its smoothed self (over five positions at least) in the mean. Not covered: where on the axis things happen.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

LOW, HIGH = 0.01, 0.99
ALTERNATIONS = 3
THIN = 0.05

_FEW = 5
"""Positions that a curve is smoothed over at least when asked whether it is thin: over one it always would be."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The kind of a positional neuron: `name` and whether it is the strong form."""

    name: str
    strong: bool


def kind(curve: np.ndarray) -> Kind:
    """Tell the kind of a curve of frequencies by position, float [positions].

    Examples
    --------
    >>> kind(np.repeat([0.0, 1.0, 0.0, 1.0], 16))
    Kind(name='oscillatory', strong=True)
    >>> kind(np.repeat([0.0, 1.0], 32)).name, kind(np.repeat([0.004, 0.6], 32))
    ('both extremes', Kind(name='one extreme', strong=False))
    """
    smooth = running_median(curve, max(1, len(curve) // 64))
    held = max(1, len(curve) // 128)
    states = np.where(smooth <= LOW, -1, np.where(smooth >= HIGH, 1, 0))
    stretches = [(a, b) for a, b in _runs(states) if states[a] and b - a >= held]
    order = [int(states[a]) for a, _ in stretches]
    alternations = sum(x != y for x, y in pairwise(order))
    if alternations >= ALTERNATIONS:
        name = "oscillatory"
    elif len(set(order)) == 2:
        name = "both extremes"
    elif order:
        name = "one extreme"
    else:
        smoother = running_median(curve, max(_FEW, len(curve) // 64))
        return Kind(name="other", strong=bool(np.abs(curve - smoother).mean() < THIN))
    exact = all(((curve[a:b] == 0) | (curve[a:b] == 1)).all() for a, b in stretches)
    return Kind(name=name, strong=exact)


def running_median(curve: np.ndarray, width: int) -> np.ndarray:
    """Return the median of every place and its neighbours, the ends repeated; the width is made odd.

    Examples
    --------
    >>> running_median(np.array([0.0, 9.0, 1.0, 2.0]), 3).tolist()
    [0.0, 1.0, 2.0, 2.0]
    """
    reach = width // 2
    wide = np.pad(curve, reach, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(wide, 2 * reach + 1), axis=1)


def _runs(states: np.ndarray) -> list[tuple[int, int]]:
    edges = [0, *(np.flatnonzero(np.diff(states)) + 1).tolist(), len(states)]
    return list(pairwise(edges))
