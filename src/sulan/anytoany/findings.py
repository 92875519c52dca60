"""What the trials say: shares with intervals, differences from the cascade, and the hue beside what names force."""

from collections.abc import Callable

import numpy as np

from sulan.anytoany.directions import Score
from sulan.anytoany.scenes import COLOURS
from sulan.anytoany.trials import Routing, Scores, Trial
from sulan.evaluation import significance
from sulan.reports.report import Cell, Table

FLOOR = 360 / len(COLOURS) / 12**0.5
"""Degrees, root mean square, that the hue is off where names of colours alone are passed on: 13.0."""


def whole(scores: Scores) -> np.ndarray:
    """Return which answers were wholly right, float64 [repeats, scenes]."""
    return _matrix(scores, lambda one: float(one.whole))


def hue(scores: Scores) -> tuple[float, float] | None:
    """Return the root mean square error of hue in degrees and the share of answers whose hue can be read."""
    errors = [one.hue for row in scores for one in row]
    read = [error for error in errors if error is not None]
    if not read:
        return None
    return float(np.sqrt(np.mean(np.square(read)))), len(read) / len(errors)


def tables(trials: list[Trial], routing: Routing) -> tuple[Table, ...]:
    """Return the table of directions, of attributes, of hues and of routing."""
    main, attributes, hues = [], [], []
    for trial in trials:
        mine = whole(trial.system)
        interval = significance.bootstrap(mine.mean(axis=0))
        row: list[Cell] = [
            str(trial.direction),
            round(interval.value, 4),
            round(interval.low, 4),
            round(interval.high, 4),
        ]
        row.append(round(trial.direction.chance, 6))
        others = (trial.cascade, trial.bound, trial.zeroed, trial.shuffled)
        row += [None if other is None else round(float(whole(other).mean()), 4) for other in others]
        if trial.cascade is None:
            row += [None, None]
        else:
            found = significance.paired_bootstrap(mine, whole(trial.cascade))
            row += [round(found.low, 4), round(found.high, 4)]
        main.append(tuple(row))
        for name in trial.direction.scored:
            share = _matrix(trial.system, lambda one, name=name: float(one.right[name])).mean()
            attributes.append((str(trial.direction), name, round(float(share), 4)))
        found_hue = hue(trial.system) if trial.direction.target != "text" else None
        if found_hue is not None:
            beside = hue(trial.cascade) if trial.cascade else None
            hues.append(
                (
                    str(trial.direction),
                    round(found_hue[0], 2),
                    round(found_hue[1], 4),
                    None if beside is None else round(beside[0], 2),
                    round(FLOOR, 2),
                )
            )
    columns = (
        "direction",
        "all right",
        "low",
        "high",
        "chance",
        "cascade",
        "upper bound",
        "zeroed",
        "shuffled",
    )
    return (
        Table(title="directions", columns=(*columns, "over cascade, low", "high of that"), rows=tuple(main)),
        Table(title="attributes", columns=("direction", "attribute", "right"), rows=tuple(attributes)),
        Table(
            title="hue, degrees (root mean square)",
            columns=("direction", "system", "readable", "cascade", "floor of colour names"),
            rows=tuple(hues),
        ),
        Table(
            title="routing",
            columns=("prompts", "recall", "precision", "exact"),
            rows=(
                (
                    len(routing.wanted),
                    *(round(x, 4) for x in (routing.recall, routing.precision, routing.exact)),
                ),
            ),
        ),
    )


def _matrix(scores: Scores, value: Callable[[Score], float]) -> np.ndarray:
    return np.array([[value(one) for one in row] for row in scores])
