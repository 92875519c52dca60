"""UniMax: how much of each language, as even as possible without repeating the small ones too often (2304.09151).

With a budget of B and lengths c in ascending order, each language in turn gets::

    min(N c, what is left of B / languages that are left)
"""

from collections.abc import Sequence


def budgets(lengths: Sequence[int], *, budget: float, epochs: float) -> list[float]:
    """Return each language's budget, in the order given.

    Parameters
    ----------
    lengths
        What each language has.
    budget
        What is given out; all of it, unless every language reaches its epochs.
    epochs
        How often a language may be gone through. 2309.04662 (section 4.1) has N = 10.

    Examples
    --------
    >>> budgets([10, 100, 1000], budget=600, epochs=4)
    [40, 280.0, 280.0]
    """
    found = [0.0] * len(lengths)
    for done, number in enumerate(sorted(range(len(lengths)), key=lambda number: lengths[number])):
        found[number] = min(epochs * lengths[number], budget / (len(lengths) - done))
        budget -= found[number]
    return found
