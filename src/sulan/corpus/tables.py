"""Tables of an audit's report."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from sulan.corpus.agreement import kappa
from sulan.corpus.audits import LABELS, LabelRow
from sulan.reports.report import Table


def labels(rows: Sequence[LabelRow]) -> Table:
    """Return how often each label was given, by language and round."""
    counted = Counter((row.language, row.round, row.label) for row in rows)
    groups = sorted({(language, round_) for language, round_, _ in counted})
    return Table(
        title="Labels",
        columns=("language", "round", *LABELS),
        rows=tuple((*group, *(counted[(*group, label)] for label in LABELS)) for group in groups),
    )


def agreement(rows: Sequence[LabelRow]) -> Table:
    """Return Cohen's kappa of every two auditors over the documents that both labelled."""
    by_auditor: dict[str, dict[str, str]] = {}
    for row in rows:
        by_auditor.setdefault(row.auditor or "nobody", {})[row.id] = row.label
    found = []
    for first, second in combinations(sorted(by_auditor), 2):
        both = sorted(set(by_auditor[first]) & set(by_auditor[second]))
        if both:
            value = kappa([by_auditor[first][id_] for id_ in both], [by_auditor[second][id_] for id_ in both])
            found.append((first, second, len(both), round(value, 3)))
    return Table(title="Agreement", columns=("auditor", "auditor ", "documents", "kappa"), rows=tuple(found))
