"""Percentiles of scores by stratum, and the documents that stand at them.

Exact, and in memory that the corpus cannot fill (see `order_statistics`). Not covered: interpolation between
two documents; a percentile here is the score of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sulan.documents import reader
from sulan.documents.schema import ID, TEXT
from sulan.prune import order_statistics, selection
from sulan.prune.order_statistics import Place
from sulan.prune.selection import Selection

TITLE = "title"


@dataclass(frozen=True, kw_only=True)
class Example:
    """A document at a percentile; `text` is its beginning."""

    percentile: float
    score: float
    id: str
    text: str
    kept: bool


def percentiles(
    corpus: Path, *, metric: str, by: str | None, at: Sequence[float]
) -> dict[str, tuple[int, list[Place]]]:
    """Return, by stratum, the number of scored documents and the places at percentiles.

    Parameters
    ----------
    corpus
        Scored corpus.
    metric
        Column of scores.
    by
        Column whose values are the strata; None: the corpus is one, "".
    at
        Percentiles, 0 to 100: the place of rank floor(at / 100 * (n - 1)). A stratum without scores is left out.
    """
    asked = Selection(metric=metric, by=by, tokens=None, seed=0)
    counts = {name: each for name, each in selection.count(corpus, asked).items() if each.scored}
    found = order_statistics.places(
        lambda: (piece for piece in selection.pieces(corpus, asked) if piece[0] in counts),
        {name: [int(p / 100 * (each.scored - 1)) for p in at] for name, each in counts.items()},
        counts={name: each.scored for name, each in counts.items()},
        totals={name: each.weight for name, each in counts.items()},
    )
    return {name: (counts[name].scored, found[name]) for name in counts}


def examples(
    corpus: Path, choice: Selection, places: Mapping[float, Place], *, characters: int
) -> list[Example]:
    """Return the documents at places, with the beginning of their texts; one pass over the texts.

    Parameters
    ----------
    corpus
        Scored corpus.
    choice
        Which documents are kept.
    places
        By percentile; of the whole corpus, with the seed 0.
    characters
        How much of a text is returned.
    """
    asked = Selection(metric=choice.metric, by=None, tokens=None, seed=0)
    wanted = {(place.score, place.tie): percentile for percentile, place in places.items()}
    scores = np.array(sorted({score for score, _ in wanted}), dtype=np.uint64)
    choose = choice.chooser()
    found: dict[float, Example] = {}
    for batch in reader.batches(corpus, list(dict.fromkeys([TEXT, *choice.columns]))):
        kept = choose(batch)
        for _, rows, values in selection.values_of(batch, asked):
            among = np.flatnonzero(np.isin(values.scores, scores))
            for place, tie in zip(among.tolist(), values.ties(among).tolist(), strict=True):
                score, row = int(values.scores[place]), int(rows[place])
                percentile = wanted.get((score, tie))
                if percentile is not None:
                    found.setdefault(
                        percentile,
                        Example(
                            percentile=percentile,
                            score=order_statistics.score(score),
                            id=batch.column(ID)[row].as_py(),
                            text=batch.column(TEXT)[row].as_py()[:characters],
                            kept=bool(kept[row]),
                        ),
                    )
    return [found[percentile] for percentile in sorted(found)]


def histograms(corpus: Path, *, metric: str, by: str | None, edges: np.ndarray) -> dict[str, np.ndarray]:
    """Count scores between edges, by stratum; those outside count at the ends, int64 [bins].

    Parameters
    ----------
    corpus
        Scored corpus.
    metric, by
        See `percentiles`.
    edges
        Rising, [bins + 1].
    """
    asked = Selection(metric=metric, by=by, tokens=None, seed=0)
    counts: dict[str, np.ndarray] = {}
    for batch in reader.batches(corpus, asked.columns, rows=selection.ROWS):
        scores = selection.numbers(batch.column(metric))
        for name, rows, _ in selection.values_of(batch, asked):
            found, _ = np.histogram(np.clip(scores[rows], edges[0], edges[-1]), edges)
            counts[name] = counts.get(name, np.zeros(len(edges) - 1, dtype=np.int64)) + found
    return counts
