"""What a choice of documents comes to: counts, thresholds and tokens by stratum, and agreement with other choices.

One pass over ids and scores; memory does not grow with the corpus.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sulan.documents import reader
from sulan.documents.sample import strata
from sulan.prune.agreement import jaccard
from sulan.prune.columns import RANDOM
from sulan.prune.selection import Selection, numbers
from sulan.reports.report import Cell, Table


@dataclass(kw_only=True)
class Kept:
    """Of one stratum: how many documents are kept, their tokens, their lowest and highest score."""

    documents: int = 0
    tokens: int = 0
    low: float = float("inf")
    high: float = float("-inf")


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a choice comes to.

    Attributes
    ----------
    selection
        The choice.
    kept
        By stratum.
    common
        By the name of another choice: documents that both keep, and documents that the other keeps.
    """

    selection: Selection
    kept: Mapping[str, Kept]
    common: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def documents(self) -> int:
        """Documents of the corpus."""
        return sum(stratum.documents for stratum in self.selection.strata.values())

    @property
    def unscored(self) -> int:
        """Documents without a score, which are never kept."""
        return sum(stratum.unscored for stratum in self.selection.strata.values())

    @property
    def total(self) -> int:
        """Documents that are kept."""
        return sum(kept.documents for kept in self.kept.values())

    def strata_table(self) -> Table:
        """Return one row a stratum."""
        rows: list[tuple[Cell, ...]] = []
        for name, stratum in self.selection.strata.items():
            kept = self.kept.get(name, Kept())
            ends = (
                (kept.low, kept.high) if kept.documents and self.selection.metric != RANDOM else (None, None)
            )
            named = name or ("(none)" if self.selection.by else "(all)")
            rows.append(
                (named, stratum.documents, stratum.unscored, kept.documents, *ends, kept.tokens or None)
            )
        by = self.selection.by or "corpus"
        columns = (by, "documents", "without a score", "kept", "lowest kept", "highest kept", "tokens kept")
        return Table(title=f"Kept by {self.selection.metric}", columns=columns, rows=tuple(rows))

    def overlap_table(self) -> Table:
        """Return one row for each other choice."""
        rows = [
            (
                name,
                theirs,
                common,
                common / self.total if self.total else None,
                _or_none(common, self.total, theirs),
            )
            for name, (common, theirs) in self.common.items()
        ]
        columns = ("the same part by", "keeps", "of them kept here", "share of what is kept here", "Jaccard")
        return Table(title="Overlap with other metrics", columns=columns, rows=tuple(rows))


def tally(
    corpus: Path,
    selection: Selection,
    *,
    tokens: str | None = None,
    others: Mapping[str, Selection] | None = None,
) -> Tally:
    """Count what is kept.

    Parameters
    ----------
    corpus
        The corpus that the choice is of.
    selection
        The choice.
    tokens
        Column with the number of tokens of a document, where there is one.
    others
        Choices to compare with, by name.
    """
    others = others or {}
    wanted = [*selection.columns, *([tokens] if tokens else [])]
    wanted += [name for other in others.values() for name in other.columns]
    choose = selection.chooser()
    choosers = {name: other.chooser() for name, other in others.items()}
    kept: dict[str, Kept] = {}
    common = dict.fromkeys(others, (0, 0))
    for batch in reader.batches(corpus, list(dict.fromkeys(wanted)), rows=1 << 16):
        mask = choose(batch)
        for name, chooser in choosers.items():
            theirs = chooser(batch)
            both, all_of_them = common[name]
            common[name] = (both + int((mask & theirs).sum()), all_of_them + int(theirs.sum()))
        for name, rows in strata(batch, selection.by):
            rows = rows[mask[rows]]
            if not len(rows):
                continue
            found = kept.setdefault(name, Kept())
            found.documents += len(rows)
            if tokens:
                found.tokens += int(np.nansum(numbers(batch.column(tokens))[rows]))
            if selection.metric != RANDOM:
                scores = numbers(batch.column(selection.metric))[rows]
                found.low, found.high = min(found.low, scores.min()), max(found.high, scores.max())
    return Tally(selection=selection, kept=kept, common=common)


def _or_none(common: int, ours: int, theirs: int) -> float | None:
    return jaccard(common, ours, theirs) if ours or theirs else None
