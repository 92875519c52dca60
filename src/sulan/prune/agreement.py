"""How far two scores, or two choices of documents, agree."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Return the rank correlation of two scores over the documents that have both; NaN for fewer than two.

    The correlation of the ranks; equal scores share their mean rank.

    Parameters
    ----------
    first, second
        float64 [documents], NaN where there is no score.

    Examples
    --------
    >>> spearman(np.array([1.0, 2.0, 3.0, np.nan]), np.array([10.0, 30.0, 20.0, 5.0]))
    0.5
    """
    both = ~(np.isnan(first) | np.isnan(second))
    if both.sum() < 2:
        return float("nan")
    x, y = (_ranks(values[both]) for values in (first, second))
    spread = np.sqrt((x**2).sum() * (y**2).sum())
    return float((x * y).sum() / spread) if spread else float("nan")


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks less their mean."""
    array = pa.array(values)
    lowest, highest = (pc.rank(array, tiebreaker=tie).to_numpy().astype(np.float64) for tie in ("min", "max"))
    return (lowest + highest) / 2 - (len(values) + 1) / 2


def jaccard(common: int, first: int, second: int) -> float:
    """Return the size of the common part of two sets over that of their union; NaN for two empty sets.

    J = |A and B| / |A or B|

    Parameters
    ----------
    common, first, second
        Members of both sets, of the first and of the second.

    Examples
    --------
    >>> jaccard(2, 4, 4).__round__(3)
    0.333
    """
    union = first + second - common
    return common / union if union else float("nan")
