"""`sulan prune inspect`: what the scores of a corpus say, on one page."""

from pathlib import Path
from typing import TYPE_CHECKING

from sulan.prune.columns import Side
from sulan.reports.report import Report, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sulan.prune.order_statistics import Place
    from sulan.prune.percentiles import Example
    from sulan.prune.selection import Selection

PERCENTILES = (0.0, 1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 100.0)

SHOWN = (1, 10, 25, 50, 75, 90, 99)
"""Percentiles in the tables by stratum."""

STRATA = 6
"""Strata with a line of their own in a chart: the largest; the tables have all."""

SAMPLE = 1_000_000
"""Documents that rank correlations are computed on, at most: 8 MB a metric."""

FEWEST = 5
"""Documents below which a rank correlation says nothing."""

CHARACTERS = 300
"""Of a text, in the table of examples."""


def inspect(
    corpus: Path,
    *,
    out: Path,
    metric: str = "",
    fraction: float = 0.5,
    side: Side = "middle",
    by: str | None = None,
) -> Report:
    """Show what the scores of a corpus say: distributions, examples, agreement, what would be removed.

    Parameters
    ----------
    corpus
        Scored corpus.
    out
        Folder of `report.html`, one page without a network reference, and `report.json`.
    metric
        Column whose documents are shown as examples. Empty: the first column of scores.
    fraction, side
        The part that would be kept, as in `sulan prune keep`.
    by
        Column by whose values distributions are shown, such as `lang` or `source`. What would be removed is
        shown by it too, but chosen over the whole corpus: so it is seen what pruning does to each.
        None: the corpus is one.

    Returns
    -------
    Report
        Percentiles by metric and stratum, examples at each percentile, overlap and rank correlation of the
        metrics, and what would be removed.

    Raises
    ------
    MissingColumn
        The corpus has no scores; the hint is the command that makes them.
    """
    config = dict(locals())
    from sulan.documents import reader, schema
    from sulan.prune.columns import scores
    from sulan.prune.percentiles import examples, percentiles
    from sulan.prune.selection import hint, select
    from sulan.prune.tally import tally
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    found = reader.schema(corpus)
    names = scores(found.names)
    shown = metric or (names[0] if names else "perplexity")
    schema.require(found, [shown, *([by] if by else [])], where=corpus, hint=hint(corpus))
    names = list(dict.fromkeys([shown, *names]))
    choices = {name: select(corpus, metric=name, fraction=fraction, side=side) for name in names}
    with (
        outputs.folder(out) as folder,
        record(verb="prune inspect", folder=folder, config=config, inputs=[corpus]) as run,
    ):
        whole = {name: percentiles(corpus, metric=name, by=None, at=PERCENTILES) for name in names}
        parts = {name: percentiles(corpus, metric=name, by=by, at=SHOWN) for name in names}
        places = dict(zip(PERCENTILES, whole[shown][""][1], strict=True)) if whole[shown] else {}
        seen = examples(corpus, choices[shown], places, characters=CHARACTERS)
        others = {name: choice for name, choice in choices.items() if name != shown}
        counted = tally(corpus, choices[shown], others=others)
        report = Report(
            title=f"prune inspect: {shown}",
            summary={
                "documents": counted.documents,
                f"without {shown}": counted.unscored,
                f"kept by {side} {fraction:g}": counted.total,
                "removed": counted.documents - counted.total,
                "unit": "document",
            },
            tables=(
                _removed(corpus, choices[shown], by),
                *_percentile_tables(parts, by=by),
                _examples(seen, shown),
                *((counted.overlap_table(), _correlations(corpus, names)) if others else ()),
            ),
            charts=_charts(corpus, names, whole, by=by),
        )
        html.write(report, folder)
        run.metric("documents", counted.documents, scale=f"{counted.documents} documents")
    return report


def _removed(corpus: Path, choice: "Selection", by: str | None) -> Table:
    from sulan.documents import reader
    from sulan.documents.sample import strata

    choose = choice.chooser()
    kept: dict[str, list[int]] = {}
    columns = list(dict.fromkeys([*choice.columns, *([by] if by else [])]))
    for batch in reader.batches(corpus, columns, rows=1 << 16):
        mask = choose(batch)
        for name, rows in strata(batch, by):
            counts = kept.setdefault(name, [0, 0])
            counts[0] += len(rows)
            counts[1] += int(mask[rows].sum())
    rows = [
        (_named(name, by), documents, stay, documents - stay, 1 - stay / documents if documents else None)
        for name, (documents, stay) in sorted(kept.items())
    ]
    return Table(
        title=f"What would be removed by {choice.metric}, chosen over the whole corpus",
        columns=(by or "corpus", "documents", "kept", "removed", "share removed"),
        rows=tuple(rows),
    )


def _percentile_tables(
    parts: "Mapping[str, Mapping[str, tuple[int, Sequence[Place]]]]", *, by: str | None
) -> list[Table]:
    from sulan.prune.order_statistics import score

    return [
        Table(
            title=f"Percentiles of {name}",
            columns=(by or "corpus", "scored", *(f"{p} %" for p in SHOWN)),
            rows=tuple(
                (_named(stratum, by), count, *(score(place.score) for place in places))
                for stratum, (count, places) in found.items()
            ),
        )
        for name, found in parts.items()
    ]


def _named(stratum: str, by: str | None) -> str:
    return stratum or ("(none)" if by else "(all)")


def _examples(seen: "Sequence[Example]", metric: str) -> Table:
    rows = tuple(
        (each.percentile, each.score, "kept" if each.kept else "removed", each.id, each.text) for each in seen
    )
    columns = ("percentile", metric, "would be", "id", "text begins")
    return Table(title=f"Documents at percentiles of {metric}", columns=columns, rows=rows)


def _correlations(corpus: Path, names: "Sequence[str]") -> Table:
    import numpy as np

    from sulan.documents import reader
    from sulan.evaluation.correlation import rank_correlation
    from sulan.prune.selection import numbers

    total = reader.count(corpus)
    step = -(-total // SAMPLE) if total else 1
    values: dict[str, list[np.ndarray]] = {name: [] for name in names}
    start = 0
    for batch in reader.batches(corpus, list(names), rows=1 << 16):
        rows = np.flatnonzero((start + np.arange(len(batch))) % step == 0)
        start += len(batch)
        for name in names:
            values[name].append(numbers(batch.column(name))[rows])
    whole = {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in values.items()}

    def correlation(first: np.ndarray, second: np.ndarray) -> float | None:
        both = np.isfinite(first) & np.isfinite(second)
        first, second = first[both], second[both]
        if len(first) < FEWEST or not (np.ptp(first) and np.ptp(second)):
            return None
        return rank_correlation(first, second).value

    rows = tuple((a, *(correlation(whole[a], whole[b]) for b in names)) for a in names)
    title = "Rank correlation (Spearman)" + (f", one document in {step}" if step > 1 else "")
    return Table(title=title, columns=("metric", *names), rows=rows)


def _charts(
    corpus: Path,
    names: "Sequence[str]",
    whole: "Mapping[str, Mapping[str, tuple[int, Sequence[Place]]]]",
    *,
    by: str | None,
) -> dict[str, str]:
    import numpy as np

    from sulan.prune.order_statistics import score
    from sulan.prune.percentiles import histograms
    from sulan.reports import charts

    drawn = {}
    for name in names:
        if not whole[name]:
            continue
        places = whole[name][""][1]
        low, high = (score(places[PERCENTILES.index(p)].score) for p in (1, 99))
        logarithmic = name.endswith("perplexity") and low > 0
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            continue
        edges = (np.geomspace if logarithmic else np.linspace)(low, high, 41)
        counts = histograms(corpus, metric=name, by=by, edges=edges)
        largest = sorted(counts, key=lambda stratum: (-int(counts[stratum].sum()), stratum))[:STRATA]
        caption = f"{name} by {by or 'corpus'}, from the 1st to the 99th percentile; what lies outside is at the ends"
        drawn[caption] = charts.steps(
            edges,
            {_named(stratum, by): counts[stratum] for stratum in largest},
            title=f"{name} by {by or 'corpus'}",
            x=name,
            logarithmic=logarithmic,
        )
    return drawn
