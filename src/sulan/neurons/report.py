"""`sulan neurons report`: the paper's figures of a classification on one page."""

from pathlib import Path

from sulan.reports.report import Report


def report(tables: Path, *, out: Path, rows: int = 40) -> Report:
    """Draw the figures of a classification as one page that asks no network anything.

    Parameters
    ----------
    tables
        What `sulan neurons classify` wrote.
    out
        Folder for `report.html` and `report.json`. Written aside, renamed when whole.
    rows
        Detectors and positional neurons listed; all are in the tables.

    Returns
    -------
    Report
        What the page shows.
    """
    config = dict(locals())
    from sulan.neurons import figures, listing, tallies
    from sulan.neurons import tables as stored
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    read = stored.read(tables)
    meta = read.meta
    with (
        outputs.folder(out) as folder,
        record(verb="neurons report", folder=folder, config=config, inputs=[tables]),
    ):
        measured = listing.measured(tables)
        found = Report(
            title=f"Neurons of {Path(meta.model).name or meta.model}",
            summary={
                **tallies.facts(meta),
                "activation function": meta.activation,
                "precision": meta.dtype,
                "context": meta.context,
                **measured,
            },
            tables=(
                tallies.layers(read.layers, meta),
                *(listing.detectors(read, order=order, rows=rows) for order in meta.ngrams),
                listing.positional(read, rows=rows),
            ),
            notes=(*tallies.warnings(meta), *tallies.bound(meta, measured), *listing.notes(meta)),
            charts=figures.draw(read),
        )
        html.write(found, folder)
    return Report(title="neurons report", summary={**found.summary, "out": str(out)}, notes=found.notes)
