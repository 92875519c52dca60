"""`sulan corpus stats`: what is in a corpus, by language."""

from pathlib import Path
from typing import TYPE_CHECKING

from sulan.reports.report import Report, Table

if TYPE_CHECKING:
    from sulan.corpus.inventory import Inventory


def stats(corpus: Path, *, out: Path, column: str = "lang") -> Report:
    """Count documents, sentences, words and characters by language.

    Parameters
    ----------
    corpus
        Corpus, or the noisy and clean corpora of `sulan corpus filter` or `deduplicate`.
    out
        Folder of the report.
    column
        Column of languages.

    Returns
    -------
    Report
        One row a language, and the totals and medians that 2309.04662 gives (table 1, data set card).

    Raises
    ------
    MissingColumn
        The corpus has no such column.
    """
    config = dict(locals())
    from sulan.corpus import pair
    from sulan.corpus.inventory import take
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    noisy = pair.noisy(corpus)
    with (
        outputs.folder(out) as folder,
        record(verb="corpus stats", folder=folder, config=config, inputs=[corpus]) as run,
    ):
        found = {"noisy" if pair.is_pair(corpus) else "all": take(noisy, column=column)}
        if pair.is_pair(corpus):
            found["clean"] = take(pair.clean(corpus), column=column)
        report = Report(
            title="corpus stats",
            summary={
                f"{name}: {what}": value
                for name, inventory in found.items()
                for what, value in inventory.totals().items()
            },
            tables=tuple(_table(name, inventory) for name, inventory in found.items()),
        )
        html.write(report, folder)
        last = list(found.values())[-1]
        totals = last.totals()
        scale = f"{totals['documents']} documents, {totals['words']} words"
        run.metric("languages", len(last.rows), scale=scale)
        run.metric(f"documents.{list(found)[-1]}", totals["documents"], scale=scale)
        run.metric("documents.median", totals["documents of the median language"], scale=scale)
    return report


def _table(name: str, inventory: "Inventory") -> Table:
    return Table(
        title=f"Languages, {name}",
        columns=("language", "documents", "sentences", "words", "characters"),
        rows=tuple(
            (language, row.documents, row.sentences, row.words, row.characters)
            for language, row in inventory.ordered()
        ),
    )
