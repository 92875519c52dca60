"""How far two choices of documents agree."""


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
