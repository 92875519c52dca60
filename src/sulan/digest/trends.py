"""Papers, scores, votes and keywords over time: the numbers, and where their points lie in a drawing.

Pure: days in, series and coordinates out; `templates/trends.html` draws them as inline SVG and prints every
series as a table too. Days without an edition are not filled in.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from sulan.digest.archive import Day
from sulan.digest.edition import SCORE_NAMES

DAILY = 92
"""Up to this many editions a point is a day; beyond, a month: a quarter of daily points fits a phone."""

TOP_KEYWORDS = 12

WIDTH, HEIGHT = 640, 160
"""Size of a chart in its own units; the page scales it."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a chart: `values` as long as the periods, None where nothing is known."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class Trends:
    """What the trends page shows.

    Attributes
    ----------
    unit
        `day` or `month`: what one period is.
    periods
        Labels, earliest first.
    papers
        Papers per period.
    scores
        Mean of each score per period, by the names of `SCORE_NAMES`.
    votes
        Median upvotes per period.
    keywords
        The most frequent keywords overall, papers per period.
    """

    unit: str
    periods: tuple[str, ...]
    papers: Series
    scores: tuple[Series, ...]
    votes: Series
    keywords: tuple[Series, ...]


def trends(days: Sequence[Day]) -> Trends:
    """Return the trends of a site's days.

    Parameters
    ----------
    days
        In order of date.
    """
    unit = "day" if len(days) <= DAILY else "month"
    periods: dict[str, list[Day]] = {}
    for day in days:
        periods.setdefault(day.day if unit == "day" else day.month, []).append(day)
    groups = [[paper for day in group for paper in day.papers] for group in periods.values()]
    counts = [Counter(term for paper in group for term, _ in paper.keywords) for group in groups]
    total: Counter[str] = sum(counts, Counter())
    top = sorted(total, key=lambda term: (-total[term], term))[:TOP_KEYWORDS]
    return Trends(
        unit=unit,
        periods=tuple(periods),
        papers=Series(name="papers", values=tuple(float(len(group)) for group in groups)),
        scores=tuple(
            Series(
                name=name,
                values=tuple(
                    _mean([paper.scores[place] for paper in group if paper.scores]) for group in groups
                ),
            )
            for place, name in enumerate(SCORE_NAMES)
        ),
        votes=Series(
            name="votes",
            values=tuple(
                _median([paper.upvotes for paper in group if paper.upvotes is not None]) for group in groups
            ),
        ),
        keywords=tuple(
            Series(name=term, values=tuple(float(count[term]) for count in counts)) for term in top
        ),
    )


def ticks(highest: float) -> list[float]:
    """Return three or four round axis values from 0 up to `highest` or just above.

    Examples
    --------
    >>> ticks(47), ticks(3.2), ticks(0)
    ([0.0, 20.0, 40.0, 60.0], [0.0, 2.0, 4.0], [0.0, 1.0])
    """
    if highest <= 0:
        return [0.0, 1.0]
    step = next(
        unit * 10.0**power
        for power in range(-3, 12)
        for unit in (1, 2, 5)
        if unit * 10.0**power * 3 >= highest
    )
    values = [0.0]
    while values[-1] < highest:
        values.append(round(values[-1] + step, 6))
    return values


def points(
    values: Sequence[float | None],
    *,
    low: float,
    high: float,
    width: float = WIDTH,
    height: float = HEIGHT,
) -> list[tuple[float, float]]:
    """Return where values lie in a drawing, y downwards; unknown values have no point.

    x = width * i / (n - 1), or the middle for a single value; y = height * (high - value) / (high - low).

    Examples
    --------
    >>> points([0, None, 5], low=0, high=5, width=100, height=50)
    [(0.0, 50.0), (100.0, 0.0)]
    """
    last = len(values) - 1
    return [
        (
            round(width * place / last if last else width / 2, 1),
            round(height * (high - value) / (high - low), 1),
        )
        for place, value in enumerate(values)
        if value is not None
    ]


def _mean(values: Sequence[float]) -> float | None:
    return round(fmean(values), 2) if values else None


def _median(values: Sequence[int]) -> float | None:
    return float(median(values)) if values else None
