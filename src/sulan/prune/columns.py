"""The words of this room: metrics, sides, and the columns that `sulan prune score` adds.

A prefix tells the columns of two reference models apart.
`sum_nll`, `n_tokens` and `n_bytes` are what was measured; `perplexity` and `bits_per_byte` follow from them.
"""

from typing import Literal

Metric = Literal["perplexity", "el2n", "memorization"]

METRICS: tuple[Metric, ...] = ("perplexity", "el2n", "memorization")

RANDOM = "random"
"""The metric that is no column: a number drawn from (seed, id)."""

Side = Literal["bottom", "middle", "top"]
"""Part of the order by score. As in 2309.04564, `bottom` is the lowest scores: by perplexity, the easiest."""

SUM_NLL = "sum_nll"
N_TOKENS = "n_tokens"
N_BYTES = "n_bytes"
BITS_PER_BYTE = "bits_per_byte"

SCORES = (*METRICS, BITS_PER_BYTE)
"""Columns that order documents."""


def scores(names: list[str]) -> list[str]:
    """Return those of a corpus's columns that hold scores, whatever their prefix.

    Examples
    --------
    >>> scores(["id", "text", "n_tokens", "perplexity", "early_el2n"])
    ['perplexity', 'early_el2n']
    """
    return [name for name in names if any(name == score or name.endswith(f"_{score}") for score in SCORES)]


def prefix(metric: str) -> str:
    """Return what stands before the name of a metric in a column.

    Examples
    --------
    >>> prefix("early_el2n"), prefix("perplexity"), prefix("quality")
    ('early_', '', '')
    """
    found = [
        metric.removesuffix(score) for score in SCORES if metric == score or metric.endswith(f"_{score}")
    ]
    return min(found, key=len, default="")
