"""A number that a model reached, with its interval, and which of the texts behind it were in the training corpora."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
from numpy.typing import ArrayLike, NDArray

from sulan.documents import overlap, reader
from sulan.documents.schema import ID, TEXT
from sulan.errors import InputError
from sulan.evaluation.significance import LEVEL, finite, statistics
from sulan.runs.progress import progress

WORDS = 10
"""Words of an n-gram, as in `refine`: Cosmopedia's."""

SHARE = 0.5
"""Least share of a text's n-grams in one training text for which it counts as seen, as in `refine`."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One number.

    Attributes
    ----------
    task
        What was asked.
    measure
        Such as `accuracy`; with the task it is the metric's name.
    value, low, high
        The number and its 95 % interval; ends are NaN where lm-eval gives no error.
    chance
        What guessing gives; None where there is no such thing.
    texts
        (id, text) of what was asked, which must not stand in the training corpora.
    values
        `[texts]`: what each contributed; empty where the number is no mean of them.
    """

    task: str
    measure: str
    value: float
    low: float
    high: float
    chance: float | None = None
    texts: tuple[tuple[str, str], ...] = ()
    values: NDArray[numpy.float64]

    @property
    def metric(self) -> str:
        """Name in the run record."""
        return f"{self.measure}.{self.task}"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What of a task's texts was found in the training corpora.

    Attributes
    ----------
    texts
        Texts, and those of them that have too few words to be found.
    short
        Texts with fewer words than an n-gram.
    ids
        Those of which a training text has at least `SHARE` of the n-grams.
    """

    texts: int
    short: int
    ids: frozenset[str]


def share(
    right: ArrayLike, *, task: str, measure: str, texts: Sequence[tuple[str, str]], chance: float | None
) -> Measured:
    """Return a share of right answers with Wilson's interval.

    Wilson's and not the bootstrap, for a share of 0 or 1 has an interval too.

    Parameters
    ----------
    right
        `[items]`, 1 where an answer is right, else 0.
    task, measure, texts, chance
        See `Measured`.

    Examples
    --------
    None of ten right says that fewer than 28 % would be:

    >>> found = share([0] * 10, task="sums", measure="accuracy", texts=(), chance=0.25)
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (0.0, 0.0, 0.278)
    """
    values = finite(right, name=task)
    if not values.size:
        raise InputError(f"the task {task} has no items")
    interval = (
        statistics()
        .binomtest(int(values.sum()), values.size)
        .proportion_ci(confidence_level=LEVEL, method="wilson")
    )
    return Measured(
        task=task,
        measure=measure,
        value=float(values.mean()),
        low=max(0.0, float(interval.low)),
        high=min(1.0, float(interval.high)),
        chance=chance,
        texts=tuple(texts),
        values=values,
    )


def seen(tasks: Mapping[str, Sequence[tuple[str, str]]], corpora: Sequence[Path]) -> dict[str, Seen]:
    """Look for the texts of tasks in training corpora.

    Parameters
    ----------
    tasks
        (id, text) by task.
    corpora
        What the model was trained on.

    Returns
    -------
    dict
        By task.
    """
    indexes = {task: overlap.Index.of(texts, n=WORDS) for task, texts in tasks.items()}
    ids: dict[str, set[str]] = {task: set() for task in tasks}
    for corpus in corpora:
        batches = reader.batches(corpus, [ID, TEXT], rows=1024)
        for batch in progress(batches, label=f"look through {corpus.name}"):
            for task, index in indexes.items():
                rows = index.matches(batch).to_pylist()
                ids[task].update(row["evaluation_id"] for row in rows if row["share"] >= SHARE)
    return {
        task: Seen(texts=len(tasks[task]), short=len(indexes[task].short), ids=frozenset(ids[task]))
        for task in tasks
    }


def unseen(measured: Measured, known: Seen) -> float | None:
    """Return the mean over the texts that were not found; None where that is nothing or all of it."""
    if len(measured.values) != len(measured.texts):
        return None
    kept = [
        value
        for (name, _), value in zip(measured.texts, measured.values, strict=True)
        if name not in known.ids
    ]
    return float(numpy.mean(kept)) if kept and known.ids else None
