"""Guards against what translation models make up: length, copies, repetition, output language.

And the paper's filters of back-translated pairs (2309.04662, appendix on back-translation), which are three of the
same numbers and the way back.
"""

from collections import Counter
from functools import cache
from typing import Any

SHORTEST, LONGEST = 0.45, 1.6
"""Length of the output by that of its source, in characters (2309.04662: (0.45, 1.6))."""

COPIED = 0.30
"""Largest chrF of source and output (2309.04662: 0.30)."""

ROUND_TRIP = 0.32
"""Smallest chrF of a text and its translation's translation (2309.04662: 0.32)."""

REPEATED = 0.3
"""Largest share of the output's word 3-grams that occur again. Our own: no text of the manuals reaches it."""

SHORT_WORDS = 8
"""An output with fewer words is not judged by repetition."""


def ratio(source: str, output: str) -> float:
    """Return the output's length by the source's, in characters.

    Examples
    --------
    >>> ratio("four", "twelve chars")
    3.0
    """
    return len(output) / max(len(source), 1)


def repetition(output: str) -> float:
    """Return the share of word 3-grams that occurred before in the output, in [0, 1).

    Examples
    --------
    >>> repetition("a b c a b c a b c"), repetition("no word comes twice in this one here")
    (0.5714285714285714, 0.0)
    """
    words = output.split()
    if len(words) < SHORT_WORDS:
        return 0.0
    grams = Counter(zip(words, words[1:], words[2:], strict=False))
    return 1 - len(grams) / grams.total()


def chrf(output: str, reference: str) -> float:
    """Return sacreBLEU's sentence chrF2 in [0, 1]."""
    return _metric().sentence_score(output, [reference]).score / 100


def fails(source: str, output: str, *, told: str, wanted: str) -> list[str]:
    """Return which guards an output fails: `length`, `copy`, `repetition`, `language`.

    Parameters
    ----------
    source, output
        Texts.
    told, wanted
        Language that an identifier sees in the output, and the one asked for; an unknown one fails nothing.
    """
    found = []
    if not SHORTEST < ratio(source, output) < LONGEST:
        found.append("length")
    if chrf(output, source) > COPIED:
        found.append("copy")
    if repetition(output) > REPEATED:
        found.append("repetition")
    if told not in ("und", wanted):
        found.append("language")
    return found


@cache
def _metric() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF()
