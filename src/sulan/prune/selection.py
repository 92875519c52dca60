"""Which documents of a scored corpus are kept: exact, by stratum, in memory that the corpus cannot fill.

Documents are ordered by their score, those with equal scores by a hash of their id. A side is an interval of
that order: `bottom` holds the lowest scores, `top` the highest, `middle` is centred on the median. A document
without a score (null, NaN) has no place in it: it is counted, and never kept.

Not covered: making scores, and selection by anything but one number a document.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa

from sulan.documents import reader
from sulan.documents.sample import strata as strata_of
from sulan.documents.schema import ID
from sulan.errors import InputError
from sulan.prune import order_statistics
from sulan.prune.columns import N_TOKENS, RANDOM, Side
from sulan.prune.order_statistics import Place, Values
from sulan.runs import seeds

ROWS = 1 << 16
"""Documents in a batch of scores."""


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """What is kept of the documents that share a value of the column `by`, or of all.

    Attributes
    ----------
    documents, unscored
        How many there are, and how many of them have no score.
    weight
        Sum over the scored ones of what is counted: documents, or tokens.
    low, high
        Places between which documents are kept; both are outside.
    """

    documents: int
    unscored: int
    weight: int
    low: Place
    high: Place


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A choice of documents of one corpus.

    Attributes
    ----------
    metric, by, tokens, seed
        What was asked for; `tokens` is the column of weights, None where documents are counted.
    strata
        By value of the column `by`; one stratum, "", where there is no such column.
    """

    metric: str
    by: str | None
    tokens: str | None
    seed: int
    strata: Mapping[str, Stratum] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """Columns that a chooser reads."""
        wanted = [ID, self.metric if self.metric != RANDOM else None, self.by, self.tokens]
        return list(dict.fromkeys(name for name in wanted if name))

    def chooser(self) -> "Chooser":
        """Return what tells, batch by batch and in the order of the corpus, which documents are kept."""
        return Chooser(self)


class Chooser:
    """Tells which documents are kept; for one pass over the corpus, in its order.

    It counts documents that are alike in score and id, of which an interval may hold some and not others.
    """

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._seen = {(name, edge): 0 for name in selection.strata for edge in ("low", "high")}

    def __call__(self, batch: pa.RecordBatch) -> np.ndarray:
        """Return which documents of the next batch are kept, bool [rows]."""
        kept = np.zeros(len(batch), dtype=bool)
        for name, rows, values in values_of(batch, self._selection):
            stratum, seen = self._selection.strata[name], self._seen
            above, seen[name, "low"] = order_statistics.after(values, stratum.low, seen[name, "low"])
            beyond, seen[name, "high"] = order_statistics.from_on(values, stratum.high, seen[name, "high"])
            kept[rows[above & ~beyond]] = True
        return kept


def select(
    corpus: Path,
    *,
    metric: str,
    fraction: float | None = None,
    tokens: int | None = None,
    side: Side = "middle",
    by: str | None = None,
    weights: str = N_TOKENS,
    seed: int = 0,
    collected: int = order_statistics.COLLECTED,
) -> Selection:
    """Choose documents of a corpus.

    Parameters
    ----------
    corpus
        Scored corpus.
    metric
        Column of scores, or `random`, which needs none.
    fraction
        Share of the scored documents to keep, in (0, 1]: exactly floor(fraction * n) of each stratum.
    tokens
        Keep at most so many tokens instead; of each stratum its share of them by tokens. `middle` then leaves
        the same number of tokens on both sides.
    side
        Part of the order to keep.
    by
        Column whose values are the strata; none: the corpus is one.
    weights
        Column with the number of tokens, for `tokens`.
    seed
        For `random` and for the order of equal scores.
    collected
        See `order_statistics.COLLECTED`.

    Raises
    ------
    InputError
        Not exactly one of `fraction` and `tokens` is given, one is out of range, or a column holds no numbers.
    MissingColumn
        The corpus lacks a column.
    """
    if (fraction is None) == (tokens is None):
        raise InputError("give either a fraction or a number of tokens to keep")
    if fraction is not None and not 0 < fraction <= 1:
        raise InputError(f"fraction must be in (0, 1]: {fraction}")
    if tokens is not None and tokens < 1:
        raise InputError(f"tokens must be at least 1: {tokens}")
    asked = Selection(metric=metric, by=by, tokens=weights if tokens is not None else None, seed=seed)
    counts = count(corpus, asked)
    total = sum(each.weight for each in counts.values())
    targets = {}
    for name, each in counts.items():
        if fraction is not None:
            budget = int(Decimal(str(fraction)) * each.weight)  # in binary, 0.29 * 100 is less than 29
        else:
            budget = min(each.weight, (tokens or 0) * each.weight // max(total, 1))
        start, stop = interval(each.weight, budget, side=side)
        targets[name] = [start - 1, stop] if budget else [each.weight, each.weight]
    found = order_statistics.places(
        lambda: pieces(corpus, asked),
        targets,
        counts={name: each.scored for name, each in counts.items()},
        totals={name: each.weight for name, each in counts.items()},
        collected=collected,
    )
    strata = {
        name: Stratum(
            documents=each.documents,
            unscored=each.documents - each.scored,
            weight=each.weight,
            low=found[name][0],
            high=found[name][1],
        )
        for name, each in counts.items()
    }
    return dataclasses.replace(asked, strata=strata)


def interval(total: int, budget: int, *, side: Side) -> tuple[int, int]:
    """Return where a side begins and ends in an order of `total`, of which `budget` are kept.

    Examples
    --------
    >>> [interval(10, 3, side=side) for side in ("bottom", "middle", "top")]
    [(0, 3), (3, 6), (7, 10)]
    """
    start = {"bottom": 0, "middle": (total - budget) // 2, "top": total - budget}[side]
    return start, start + budget


@dataclass(kw_only=True)
class Count:
    """Documents of a stratum, those that have a score, and the sum of their weights."""

    documents: int = 0
    scored: int = 0
    weight: int = 0


def _check(corpus: Path, asked: Selection) -> None:
    present = reader.schema(corpus)
    if asked.metric != RANDOM:
        if asked.metric not in present.names:
            next(iter(reader.batches(corpus, [asked.metric], hint=hint(corpus))), None)
        kind = present.field(asked.metric).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise InputError(f"the column {asked.metric} of {corpus} holds {kind}, not scores")
    if asked.tokens in present.names and not pa.types.is_integer(present.field(asked.tokens).type):
        raise InputError(f"the column {asked.tokens} of {corpus} holds no numbers of tokens")


def hint(corpus: Path) -> str:
    """Return what makes scores, for an error about a column that is missing."""
    return f"sulan prune score {corpus} --model MODEL --out FOLDER makes perplexity, el2n and memorization"


def count(corpus: Path, asked: Selection) -> dict[str, Count]:
    """Count the documents of each stratum.

    Raises
    ------
    MissingColumn
        The corpus lacks a column that `asked` needs; the hint is what makes it.
    """
    _check(corpus, asked)
    counts: dict[str, Count] = {}
    for batch in reader.batches(corpus, asked.columns, rows=ROWS, hint=hint(corpus)):
        for name, rows in strata_of(batch, asked.by):
            counts.setdefault(name, Count()).documents += len(rows)
        for name, rows, values in values_of(batch, asked):
            counts[name].scored += len(rows)
            counts[name].weight += int(values.weights.sum())
    return dict(sorted(counts.items()))


def pieces(corpus: Path, asked: Selection) -> Iterator[tuple[str, Values]]:
    """Give what is to be ordered, batch by batch, each with its stratum."""
    for batch in reader.batches(corpus, asked.columns, rows=ROWS):
        for name, _, values in values_of(batch, asked):
            yield name, values


def values_of(batch: pa.RecordBatch, asked: Selection) -> Iterator[tuple[str, np.ndarray, Values]]:
    """Give each stratum's scored rows of a batch and their values."""
    ids = batch.column(ID)
    if asked.metric == RANDOM:
        keys, scored = _hashes(ids, asked.seed, "random"), np.ones(len(batch), dtype=bool)
    else:
        scores = numbers(batch.column(asked.metric))
        scored = ~np.isnan(scores)
        keys = order_statistics.key(np.where(scored, scores, 0))
    weights = np.ones(len(batch), dtype=np.int64)
    if asked.tokens is not None:
        weights = batch.column(asked.tokens).cast(pa.int64()).fill_null(0).to_numpy()
    for name, rows in strata_of(batch, asked.by):
        rows = rows[scored[rows]]
        if len(rows):
            yield name, rows, Values(scores=keys[rows], ties=_ties(ids, rows, asked), weights=weights[rows])


def numbers(column: pa.Array) -> np.ndarray:
    """Return a column of scores as float64 [rows], NaN where there is none."""
    return column.cast(pa.float64()).fill_null(float("nan")).to_numpy(zero_copy_only=False)


def _ties(ids: pa.Array, rows: np.ndarray, asked: Selection) -> order_statistics.Ties:
    return lambda among: _hashes(ids.take(pa.array(rows[among])), asked.seed, "tie")


def _hashes(ids: pa.Array, seed: int, what: str) -> np.ndarray:
    return np.array([seeds.key(seed, f"{what} {name}") >> 64 for name in ids.to_pylist()], dtype=np.uint64)
