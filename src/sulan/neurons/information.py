"""Mutual information between a neuron's activation and the position, in nats.

With `f(p)` the share of full windows in which the neuron is active at position `p`, and `f` their mean, the paper's
formula is `I = H(f) - mean of H(f(p))` with `H(x) = -x log x - (1 - x) log(1 - x)` and `0 log 0 = 0`. A neuron that
marks half of the positions exactly has `log 2`; leaving out positions where `f(p)` is 0 or 1, for the logarithm's
sake, would give it 0.

A neuron that knows no position still has `I > 0` in few windows: about `1 / (2 S)` for S of them, above the paper's
threshold up to 10. The expected value is computed exactly for activations thrown at random over windows and
positions and subtracted. Not covered: windows whose activity differs (a topic); they make the true expectation a
little lower, so that what is subtracted is rather too much.
"""

import numpy as np
import torch

THRESHOLD = 0.05
"""Nats above which a neuron is positional (the paper's, section on positional neurons)."""

_WIDTH = 12.0
"""Standard deviations on either side of the mean that the expectation sums over."""


def entropy(share: np.ndarray) -> np.ndarray:
    """Return the entropy in nats of events with these probabilities; 0 for 0 and 1.

    Examples
    --------
    >>> entropy(np.array([0.0, 0.25, 0.5])).round(4).tolist()
    [0.0, 0.5623, 0.6931]
    """
    share = np.asarray(share, dtype=np.float64)
    inner = (share > 0) & (share < 1)
    x = np.where(inner, share, 0.5)
    return np.where(inner, -x * np.log(x) - (1 - x) * np.log1p(-x), 0.0)


def information(position: np.ndarray, windows: int) -> np.ndarray:
    """Return the plug-in mutual information of activation and position.

    Parameters
    ----------
    position
        Full windows in which each neuron was active at each position; integers [positions, neurons].
    windows
        Full windows.

    Returns
    -------
    numpy.ndarray
        Nats, float64 [neurons].

    Examples
    --------
    Active at one of four positions in all of ten windows: the entropy of a quarter.

    >>> information(np.array([[10], [0], [0], [0]]), 10).round(4).tolist()
    [0.5623]
    """
    share = position.astype(np.float64) / windows
    found = entropy(share.mean(axis=0)) - entropy(share).mean(axis=0)
    return np.maximum(found, 0.0)  # rounding may put a flat one at -1e-17


def bias(position: np.ndarray, windows: int) -> np.ndarray:
    """Return what the plug-in information of a neuron that knows no position is, in the mean.

    A neuron's activations are thrown at random over all windows and positions. Their number at one position is then
    hypergeometric, which gives the mean of `H(f(p))` exactly.

    Parameters
    ----------
    position, windows
        As in `information`.

    Returns
    -------
    numpy.ndarray
        Nats, float64 [neurons].

    Examples
    --------
    One window: activation at a position is 0 or 1, and all of the entropy looks like information.

    >>> bias(np.array([[1], [0], [0], [0]]), 1).round(4).tolist()
    [0.5623]
    """
    positions = len(position)
    totals, inverse = np.unique(position.sum(axis=0, dtype=np.int64), return_inverse=True)
    found = np.array([_expected(int(total), windows, positions * windows) for total in totals])
    return found[inverse]


def _expected(total: int, windows: int, cells: int) -> float:
    if total in (0, cells):
        return 0.0
    share = total / cells
    deviation = (windows * share * (1 - share)) ** 0.5
    low = max(0, total - cells + windows, int(windows * share - _WIDTH * deviation - _WIDTH))
    high = min(windows, total, int(windows * share + _WIDTH * deviation + _WIDTH))
    at = np.arange(low, high + 1)
    chances = (
        _choose(total, at) + _choose(cells - total, windows - at) - _choose(cells, np.asarray([windows]))
    )
    weights = np.exp(chances)
    weights /= weights.sum()  # logarithms of factorials of millions round at 1e-7
    return max(0.0, float(entropy(np.asarray(share)) - weights @ entropy(at / windows)))


def _choose(n: int, k: np.ndarray) -> np.ndarray:
    """Return the logarithm of n over k."""
    top, bottom, rest = (
        torch.lgamma(torch.as_tensor(each + 1, dtype=torch.float64)).numpy() for each in (n, k, n - k)
    )
    return top - bottom - rest
