"""What an ablation found: means over seeds, differences seed by seed, and what they say in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sulan.evaluation.significance import Interval, seed_interval
from sulan.reports import charts
from sulan.reports.report import Table

MEASURES: Mapping[str, str] = {
    "exercises": "accuracy on exercises",
    "cloze": "accuracy on gloss-to-word",
    "textbook": "bits per byte of held-out textbooks",
    "web": "bits per byte of held-out web pages",
}
"""Key of a result -> what it is."""

HIGHER = frozenset({"exercises", "cloze"})
"""Measures of which more is better."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A difference of two variants in one measure, with its interval over seeds."""

    measure: str
    first: str
    second: str
    difference: Interval

    @property
    def better(self) -> str:
        """The variant that is better; empty where the interval holds 0."""
        if self.difference.low <= 0 <= self.difference.high:
            return ""
        return self.first if (self.difference.value > 0) == (self.measure in HIGHER) else self.second

    @property
    def words(self) -> str:
        """What the numbers say."""
        other = self.second if self.better == self.first else self.first
        said = (
            f"{self.better} is better than {other}"
            if self.better
            else "no difference can be told at this scale"
        )
        return (
            f"{self.first} and {self.second}, {MEASURES[self.measure]}: {said} ({signed(self.difference)} over "
            f"{self.difference.count} seeds)."
        )


def means(results: Sequence[Mapping[str, Any]], variants: Sequence[str]) -> dict[str, dict[str, Interval]]:
    """Return variant -> measure -> mean over seeds, with Student's interval."""
    return {
        variant: {measure: seed_interval(_values(results, variant, measure)) for measure in MEASURES}
        for variant in variants
    }


def differences(results: Sequence[Mapping[str, Any]], pairs: Sequence[tuple[str, str]]) -> list[Finding]:
    """Return the differences of pairs of variants, taken seed by seed.

    Examples
    --------
    >>> rows = [
    ...     {"variant": v, "seed": s, "exercises": x, "cloze": 0.3, "textbook": 2.0, "web": 2.0}
    ...     for v, values in (("textbook", (0.5, 0.52)), ("web", (0.4, 0.41))) for s, x in enumerate(values)
    ... ]
    >>> found = differences(rows, [("textbook", "web")])[0]
    >>> round(found.difference.value, 3), found.better
    (0.105, 'textbook')
    """
    found = []
    for first, second in pairs:
        for measure in MEASURES:
            gaps = [
                a - b
                for a, b in zip(
                    _values(results, first, measure), _values(results, second, measure), strict=True
                )
            ]
            found.append(Finding(measure=measure, first=first, second=second, difference=seed_interval(gaps)))
    return found


def tables(found: Mapping[str, Mapping[str, Interval]], gaps: Sequence[Finding]) -> tuple[Table, ...]:
    """Return the variants' numbers, and their differences."""
    return (
        Table(
            title="Each variant: mean over seeds and 95 % interval",
            columns=("variant", *MEASURES.values()),
            rows=tuple(
                (
                    variant,
                    *(
                        f"{each.value:.4f} [{each.low:.4f}, {each.high:.4f}]"
                        for each in (measures[name] for name in MEASURES)
                    ),
                )
                for variant, measures in found.items()
            ),
        ),
        Table(
            title="Differences, seed by seed",
            columns=("variants", "measure", "difference", "better"),
            rows=tuple(
                (
                    f"{gap.first} - {gap.second}",
                    MEASURES[gap.measure],
                    signed(gap.difference),
                    gap.better or "cannot be told",
                )
                for gap in gaps
            ),
        ),
    )


def drawn(found: Mapping[str, Mapping[str, Interval]]) -> dict[str, str]:
    """Return a chart of the accuracies and one of the bits per byte, by variant."""
    return {
        caption: charts.bars(
            list(found),
            {MEASURES[name]: [each[name].value for each in found.values()] for name in names},
            title=caption,
            y=unit,
            intervals={
                MEASURES[name]: [(each[name].low, each[name].high) for each in found.values()]
                for name in names
            },
        )
        for caption, unit, names in (
            ("Accuracy by what was trained on", "share answered right", ("exercises", "cloze")),
            ("Held-out text by what was trained on", "bits per byte", ("textbook", "web")),
        )
    }


def signed(interval: Interval) -> str:
    """Return a difference with its interval, as a run record has it."""
    return f"{interval.value:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"


def _values(results: Sequence[Mapping[str, Any]], variant: str, measure: str) -> list[float]:
    return [row[measure] for row in sorted(results, key=lambda row: row["seed"]) if row["variant"] == variant]
