"""Small statistics of counts."""

import numpy as np

Z = 1.959964
"""Standard normal quantile of a two-sided 95 % interval."""


def wilson(hits: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of Wilson's 95 % interval of a proportion; 0 and 1 where there were no trials.

    `(p + z**2/2n -+ z sqrt(p(1-p)/n + z**2/4n**2)) / (1 + z**2/n)`

    Examples
    --------
    Ten of ten may be as few as 72 %:

    >>> low, high = wilson(np.array([10]), np.array([10]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.722], [1.0])
    """
    n = np.maximum(np.asarray(trials, dtype=np.float64), 1e-12)
    share = np.clip(np.asarray(hits, dtype=np.float64) / n, 0.0, 1.0)
    middle = share + Z**2 / (2 * n)
    reach = Z * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    whole = 1 + Z**2 / n
    none = np.asarray(trials) == 0
    low = np.where(none, 0.0, np.clip((middle - reach) / whole, 0, 1))
    high = np.where(none, 1.0, np.clip((middle + reach) / whole, 0, 1))
    return low, high


def never_bound(trials: int) -> float:
    """Return the highest frequency that never being active in so many trials leaves possible, at 95 %.

    `1 - 0.05**(1/n)`, which is 3/n for many.

    Examples
    --------
    >>> round(never_bound(20_000_000) * 20_000_000, 3)
    2.996
    """
    return 1.0 - 0.05 ** (1.0 / trials)
