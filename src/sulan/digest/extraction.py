"""Choosing sentences: which one says what was done, which ones say what came of it.

The embedded engine words nothing. It scores an abstract's own sentences by cue phrases, by likeness to the
title and by place, and takes the best with maximal marginal relevance (Carbonell and Goldstein 1998), so that
two highlights do not say one thing. It reads English; of an abstract in another language it takes sentences
by place alone.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

MAX_HIGHLIGHTS = 3
"""Highlights of one paper; the seed digest has two or three."""

RELEVANCE = 0.7
"""Weight of relevance against novelty in maximal marginal relevance (lambda; the usual 0.7)."""

_DONE = (
    r"propos|present|introduc|develop|design|describ|build|built|creat|releas|contribut|investigat|stud[yi]|"
    r"explor|analy[sz]|examin|formulat|construct|collect|train|follow"
)
_CONTRIBUTION = re.compile(
    rf"\b(?:we|this (?:paper|work|article|report|study)|in this (?:paper|work|article|report|study),? we)"
    rf"(?: \w+){{0,2}}? (?:{_DONE})\w*",
    re.IGNORECASE,
)
_NAMING = re.compile(r"\b(?:called|named|dubbed|termed|coined|our (?:method|approach|model|system))\b", re.I)
_RESULT = re.compile(
    r"\b(?:outperform|surpass|exceed|achiev|improv|attain|reach|compar(?:able|es)|competitive|competes|"
    r"state-of-the-art|find that|found that|show that|shows that|demonstrat|reveal|observe that|suggests?|"
    r"surprisingly|results?|enabl|reduc|without (?:additional|extra|any)|as little as|best|faster|better)\w*",
    re.IGNORECASE,
)
_BACKGROUND = re.compile(
    r"^(?:recent|large|despite|although|while|however|existing|previous|prior|traditional|to date|with the|"
    r"in recent|many|most|as we|as the|each of these)\b|\b(?:have (?:become|demonstrated|"
    r"shown|contributed|made|proven)|remains?|tend to|challeng\w+|suffer\w*|has emerged|is typically)\b",
    re.IGNORECASE,
)
_OUTLOOK = re.compile(
    r"\b(?:we hope|future (?:work|research)|paving the way|sets? the foundation|will be (?:publicly )?"
    r"(?:available|released)|code is available|open-source)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9-]+")
EMPTY_WORDS = frozenset(
    """
    a about above across after all also although among an and any are as at be because been before
    being between both but by can could did do does during each either etc for from further had has
    have here hence how however i if in into is it its itself just less like many may might more
    most much must no nor not of off on once one only or other our out over own per same several
    shall should show since so some such than that the their them then there thereby these they this
    those through thus to toward towards two under until up upon use used using very via was we well
    were what when where whether which while who whose why will with within without would you
    """.split()  # noqa: SIM905  a list literal of these would be read by nobody
)
"""Words without a subject of their own."""


def main_work(title: str, sentences: Sequence[str]) -> int:
    """Return the index of the sentence that says what was done.

    Parameters
    ----------
    title, sentences
        Of one paper; at least one sentence.

    Examples
    --------
    >>> main_work("Faster Nets", ["Nets are slow.", "We propose FastNet, a faster net.", "It wins."])
    1
    """
    likeness = _likeness(title, sentences)
    scores = [
        2.0 * bool(_CONTRIBUTION.search(sentence))
        + 0.7 * bool(_NAMING.search(sentence))
        + 1.5 * likeness[index]
        - 1.0 * bool(_BACKGROUND.search(sentence))
        - 1.0 * bool(_OUTLOOK.search(sentence))
        - 0.04 * index
        for index, sentence in enumerate(sentences)
    ]
    return max(range(len(sentences)), key=scores.__getitem__)


def highlights(
    title: str, sentences: Sequence[str], *, besides: int, most: int = MAX_HIGHLIGHTS
) -> list[int]:
    """Return indices, in reading order, of the sentences that say what came of it.

    Parameters
    ----------
    title, sentences
        Of one paper.
    besides
        Index of the main-work sentence, which is not chosen again.
    most
        At most so many; fewer when the rest is background.

    Examples
    --------
    >>> sentences = ["We propose FastNet.", "Nets have become big.", "It outperforms SlowNet by 3%."]
    >>> highlights("FastNet", sentences, besides=0)
    [2]
    """
    vectors = [_vector(sentence) for sentence in sentences]
    weights = _rarity(vectors)
    worth = {
        index: 1.0 * bool(_RESULT.search(sentence))
        + 0.5 * bool(re.search(r"\d", sentence))
        + 0.4 * bool(_CONTRIBUTION.search(sentence))
        + 0.3 * index / len(sentences)
        - 1.2 * bool(_BACKGROUND.search(sentence))
        - 0.5 * bool(_OUTLOOK.search(sentence))
        - 0.8 * (index < besides)  # what comes before is what others did
        for index, sentence in enumerate(sentences)
        if index != besides
    }
    chosen: list[int] = []
    while worth and len(chosen) < most:
        taken = [vectors[index] for index in (besides, *chosen)]

        def marginal(index: int, taken: Sequence[Counter[str]] = taken) -> float:
            nearest = max(_cosine(vectors[index], other, weights) for other in taken)
            return RELEVANCE * worth[index] - (1 - RELEVANCE) * nearest

        best = max(worth, key=marginal)
        if chosen and worth[best] <= 0:
            break
        chosen.append(best)
        del worth[best]
    return sorted(chosen)


def _likeness(title: str, sentences: Sequence[str]) -> list[float]:
    vectors = [_vector(sentence) for sentence in sentences]
    weights = _rarity([*vectors, _vector(title)])
    return [_cosine(vector, _vector(title), weights) for vector in vectors]


def _vector(text: str) -> Counter[str]:
    words = (word.lower().removesuffix("s") for word in _WORD.findall(text))
    return Counter(word for word in words if word not in EMPTY_WORDS)


def _rarity(vectors: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Return log((1 + n) / (1 + df)) + 1 for every word, n texts, df of them with the word."""
    frequency = Counter(word for vector in vectors for word in vector)
    return {word: math.log((1 + len(vectors)) / (1 + count)) + 1 for word, count in frequency.items()}


def _cosine(a: Mapping[str, int], b: Mapping[str, int], weights: Mapping[str, float]) -> float:
    dot = sum(a[word] * b[word] * weights.get(word, 1.0) ** 2 for word in a.keys() & b.keys())
    norms = [math.sqrt(sum((n * weights.get(word, 1.0)) ** 2 for word, n in v.items())) for v in (a, b)]
    return dot / (norms[0] * norms[1]) if all(norms) else 0.0
