"""Interpolated modified Kneser-Ney estimation of an n-gram model, as an ARPA file.

What CCNet users know from KenLM's `lmplz` (Heafield et al. 2013, after Chen and Goodman 1998). The `kenlm`
package on PyPI only queries; of the packages that estimate, `arpabo` has one discount for all counts and
Debian's `irstlm` is a program of the system. So this estimates, in NumPy, and `kenlm` queries.

Each n-gram's adjusted count a is its count at the highest order, and below it the number of different tokens
seen before it. With the discounts D of its order, context c and token w,

    p(w | c) = (a(c w) - D(a(c w))) / sum_x a(c x) + backoff(c) * p(w | c without its first token)
    backoff(c) = sum_x D(a(c x)) / sum_x a(c x)

and under the unigrams lies 1 / V. Not covered: corpora larger than memory (`lmplz` does that, and its files
work here too), and pruning of rare n-grams.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where a small corpus gives none: those that `lmplz --discount_fallback` takes."""


@dataclass(frozen=True, kw_only=True)
class Grams:
    """The different n-grams of one order.

    Attributes
    ----------
    tokens
        int64 [grams, n].
    prefix, suffix
        Number of the (n-1)-gram without its last, without its first token, int64 [grams]; empty for unigrams.
    counts
        How often each occurs, int64 [grams].
    """

    tokens: np.ndarray
    prefix: np.ndarray
    suffix: np.ndarray
    counts: np.ndarray


def discounts(adjusted: np.ndarray) -> np.ndarray:
    """Return what is taken off adjusted counts of 0, 1, 2, and 3 or more, float64 [4].

    Y = n1 / (n1 + 2 n2); D_k = k - (k + 1) Y n_{k+1} / n_k, where n_k is how many n-grams have the count k
    (Chen and Goodman 1998).

    Examples
    --------
    Four counts of one, two of two, one of three, one of four: Y is 1/2.

    >>> discounts(np.array([1, 1, 1, 1, 2, 2, 3, 4])).tolist()
    [0.0, 0.5, 1.25, 1.0]
    """
    n = np.bincount(np.minimum(adjusted, 5), minlength=6)[:5].astype(np.float64)
    found = np.array([0.0, *FALLBACK])
    if n[1:].all():
        y = n[1] / (n[1] + 2 * n[2])
        k = np.arange(1, 4)
        exact = k - (k + 1) * y * n[2:5] / n[1:4]
        if ((exact > 0) & (exact < k)).all():
            found[1:] = exact
    return found


def estimate(documents: Sequence[np.ndarray], *, order: int, vocabulary: int) -> Iterator[str]:
    """Yield an ARPA file, line by line.

    Parameters
    ----------
    documents
        Tokens of each document, integers below `vocabulary`; as words they are written in decimal.
    order
        Longest n-gram in tokens, at least 2.
    vocabulary
        Tokens that there are. All of them get a probability, so that none is unknown.
    """
    begin = vocabulary
    grams = count(documents, order=order, vocabulary=vocabulary)
    probabilities, backoffs = [_unigrams(_adjusted(grams, 1, begin), begin=begin)], []
    for n in range(2, order + 1):
        found, backoff = _higher(
            grams[n - 1],
            _adjusted(grams, n, begin),
            lower=probabilities[-1],
        )
        probabilities.append(found)
        backoffs.append(backoff)
    words = [*map(str, range(vocabulary)), BEGIN, END]
    unknown = np.log10(max(probabilities[0].min(initial=1.0, where=probabilities[0] > 0), 1e-99))
    yield "\\data\\\n"
    for n, each in enumerate(grams, 1):
        yield f"ngram {n}={len(each.counts) + (n == 1)}\n"
    for n, each in enumerate(grams, 1):
        yield f"\n\\{n}-grams:\n"
        if n == 1:
            yield f"{unknown:.7g}\t{UNKNOWN}\t0\n"
        logs = np.minimum(np.log10(np.maximum(probabilities[n - 1], 1e-99)), 0)
        weights = np.log10(backoffs[n - 1]) if n < order else np.zeros(0)
        for i, gram in enumerate(each.tokens.tolist()):
            end = f"\t{weights[i]:.7g}\n" if n < order else "\n"
            yield f"{logs[i]:.7g}\t{' '.join([words[token] for token in gram])}{end}"
    yield "\n\\end\\\n"


def count(documents: Sequence[np.ndarray], *, order: int, vocabulary: int) -> list[Grams]:
    """Return the n-grams of documents, each between a begin and an end, for n from 1 to `order`.

    Token `vocabulary` is the begin, the next one the end. Of unigrams all are returned, met or not.
    """
    begin, end, size = vocabulary, vocabulary + 1, vocabulary + 2
    stream = np.concatenate([np.concatenate([[begin], d, [end]]) for d in documents]).astype(np.int64)
    owner = np.repeat(np.arange(len(documents)), [len(d) + 2 for d in documents])
    none = np.zeros(0, dtype=np.int64)
    singles = np.bincount(stream, minlength=size)
    grams = [Grams(tokens=np.arange(size)[:, None], prefix=none, suffix=none, counts=singles)]
    codes = stream  # number of the n-gram that begins at each position
    for n in range(2, order + 1):
        last = len(stream) - n + 1
        inside = np.flatnonzero(owner[:last] == owner[n - 1 :])
        keys = codes[inside] * size + stream[inside + n - 1]
        _, first, numbers, counts = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        at = inside[first]
        grams.append(
            Grams(
                tokens=stream[at[:, None] + np.arange(n)],
                prefix=codes[at],
                suffix=codes[at + 1],
                counts=counts,
            )
        )
        longer = np.full(len(stream), -1, dtype=np.int64)
        longer[inside] = numbers
        codes = longer
    return grams


def _adjusted(grams: list[Grams], n: int, begin: int) -> np.ndarray:
    """Return counts at the highest order; below it, how many tokens were seen before each n-gram."""
    here = grams[n - 1]
    if n == len(grams):
        return here.counts
    before = np.bincount(grams[n].suffix, minlength=len(here.counts))
    if n > 1:  # nothing comes before a begin
        first = here.tokens[:, 0] == begin
        before[first] = here.counts[first]
    return before


def _unigrams(adjusted: np.ndarray, *, begin: int) -> np.ndarray:
    taken = discounts(adjusted)[np.minimum(adjusted, 3)]
    total = adjusted.sum()
    uniform = taken.sum() / total / len(adjusted)  # tokens, end and unknown; no begin
    found = (adjusted - taken) / total + uniform
    found[begin] = 0.0
    return found


def _higher(grams: Grams, adjusted: np.ndarray, *, lower: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of n-grams, and the backoffs of the (n-1)-grams."""
    taken = discounts(adjusted)[np.minimum(adjusted, 3)]
    total = np.bincount(grams.prefix, adjusted, minlength=len(lower))
    free = np.bincount(grams.prefix, taken, minlength=len(lower))
    backoff = np.divide(free, total, out=np.ones(len(lower)), where=total > 0)
    return (adjusted - taken) / total[grams.prefix] + backoff[grams.prefix] * lower[grams.suffix], backoff
