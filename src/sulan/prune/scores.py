"""The three scores of 2309.04564, from what a reference model says about each token.

Pure NumPy on small arrays: the definitions, and how a document's score follows from the sums that
`sulan prune score` stores. The forward pass is `sulan.models.logprobs`, which takes logits in chunks; `el2n`
here is the plain definition that it is tested against. Not covered: which sequences are scored (the paper:
packed sequences of the model's context; a corpus: documents).
"""

import numpy as np

MEMORIZATION_PROMPT = 32
"""Tokens that the model is shown (M in 2309.04564, after Biderman et al. 2023)."""

MEMORIZATION_CONTINUATION = 32
"""Tokens that it must continue with (N in 2309.04564, after Biderman et al. 2023)."""


def perplexity(sum_nll: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Return exp of the mean negative log-likelihood.

    PPL(z) = exp(1/|z| * sum_j -ln P(t_j | t_<j))

    Parameters
    ----------
    sum_nll
        Sum over the predicted tokens, nats, float64 [documents].
    tokens
        How many were predicted, [documents]. Where none was, the score is NaN: no token says nothing.

    Examples
    --------
    A model that gives two tokens the probabilities 1/2 and 1/8 is as unsure as one that always has four choices:

    >>> perplexity(np.array([np.log(2) + np.log(8), 0.0]), np.array([2, 0])).round(9).tolist()
    [4.0, nan]
    """
    with np.errstate(over="ignore"):  # a model far off may reach infinity, which sorts last
        return np.exp(_mean(sum_nll, tokens))


def bits_per_byte(sum_nll: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return bits that the model needs for a byte of UTF-8: comparable across tokenizers and scripts.

    BPB(z) = (sum_j -ln P(t_j | t_<j)) / (ln 2 * bytes)

    Parameters
    ----------
    sum_nll
        Sum over the predicted tokens, nats, float64 [documents].
    count
        Bytes of the text in UTF-8, [documents]; NaN where there is none.

    Examples
    --------
    Four bits for a text of two bytes:

    >>> bits_per_byte(np.array([4 * np.log(2)]), np.array([2])).round(9).tolist()
    [2.0]
    """
    return _mean(sum_nll, count) / np.log(2)


def el2n(probabilities: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Return the length of the error of each prediction; a document's EL2N is their mean.

    EL2N(z) = 1/t * sum_j ||p_j - y_j||_2, where y_j is one-hot at token t_j (after Paul et al. 2021).

    With p = p_j[t_j], ||p_j - y_j||^2 = sum_v p_j[v]^2 - 2p + 1, so 0 <= EL2N <= sqrt(2), and two sums of
    exponentials over the logits, sum exp(z) and sum exp(2z), are enough.

    Parameters
    ----------
    probabilities
        The model's distributions, [tokens, vocabulary].
    tokens
        The tokens that came, [tokens].

    Examples
    --------
    Half on the right token and a quarter on each of two others: sqrt(1/4 + 1/16 + 1/16).

    >>> el2n(np.array([[0.5, 0.25, 0.25]]), np.array([0])).round(6).tolist()
    [0.612372]
    """
    right = probabilities[np.arange(len(tokens)), tokens]
    return np.sqrt(np.maximum((probabilities**2).sum(axis=1) - 2 * right + 1, 0))


def memorization(continuation: np.ndarray, document: np.ndarray) -> np.ndarray:
    """Return the share of tokens that greedy decoding gets right, place by place.

    score(z; M, N) = 1/N * sum_{i=1..N} 1[z_{M+i} = g_{M+i}], where g is what the model says, greedily and
    without being corrected, after the first M tokens of z (after Biderman et al. 2023).

    Parameters
    ----------
    continuation
        Tokens of the model, [documents, N].
    document
        Tokens M+1 ... M+N of the document, [documents, N].

    Examples
    --------
    >>> memorization(np.array([[5, 6, 7, 8]]), np.array([[5, 9, 7, 8]])).tolist()
    [0.75]
    """
    return (continuation == document).mean(axis=1)


def _mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    total, count = np.asarray(total, dtype=np.float64), np.asarray(count)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
