"""How far auditors agree beyond chance: Cohen's kappa.

With p the share of items that two auditors label alike, and e the share that they would by chance, given how often
each uses each label::

    kappa = (p - e) / (1 - e),    e = sum over labels c of  n1(c) n2(c) / n^2
"""

from collections import Counter
from collections.abc import Sequence


def kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Return Cohen's kappa of two auditors' labels of the same items; 1 where both use one and the same label only.

    Examples
    --------
    >>> kappa(["ok", "ok", "noisy", "noisy"], ["ok", "noisy", "noisy", "noisy"])
    0.5
    """
    count = len(first)
    alike = sum(a == b for a, b in zip(first, second, strict=True)) / count
    ones, twos = Counter(first), Counter(second)
    chance = sum(ones[label] * twos[label] for label in ones) / count**2
    return 1.0 if chance == 1 else (alike - chance) / (1 - chance)
