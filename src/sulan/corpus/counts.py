"""Counters of a stage that add up: in = kept + sum of dropped by reason."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from sulan.reports.report import Table
from sulan.runs.record import Run


def added(counted: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sum of shards' counters, names in the order of the first.

    Examples
    --------
    >>> added([{"in": 2, "kept": 1}, {"in": 3, "kept": 3}])
    {'in': 5, 'kept': 4}
    """
    total: Counter[str] = Counter()
    for each in counted:
        total.update(each)
    return dict(total)


def dropped_table(totals: Mapping[str, int], reasons: Sequence[str], *, of: str) -> Table:
    """Return what was left out, by reason; reasons that never occurred are left out."""
    rows = tuple(
        (reason, totals[reason], round(100 * totals[reason] / max(totals[of], 1), 2))
        for reason in reasons
        if totals.get(reason)
    )
    return Table(title="Left out", columns=("reason", of, "%"), rows=rows)


def measure(run: Run, totals: Mapping[str, int], *, scale: str) -> None:
    """Record all counters of a stage."""
    for name, value in totals.items():
        run.metric("counts." + "_".join(name.replace("(", "").replace(")", "").split()), value, scale=scale)
