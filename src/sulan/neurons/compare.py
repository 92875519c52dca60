"""`sulan neurons compare`: classifications side by side."""

from pathlib import Path

from sulan.reports.report import Report


def compare(tables: tuple[Path, ...], *, out: Path) -> Report:
    """Compare classifications: models, domains of text, or checkpoints of one training, in the order given.

    Parameters
    ----------
    tables
        Two or more folders that `sulan neurons classify` wrote.
    out
        Folder for `report.html` and `report.json`. Written aside, renamed when whole.

    Returns
    -------
    Report
        What each measured; by layer where they have the same layers; neuron by neuron where they have the same
        neurons: how many changed their class, and which tokens both detect.

    Raises
    ------
    InputError
        Fewer than two classifications.
    """
    config = dict(locals())
    from sulan.errors import InputError
    from sulan.neurons import comparison
    from sulan.neurons import tables as stored
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    read = {path: stored.read(path) for path in tables}
    if len(tables) < 2:
        raise InputError(
            "one classification has nothing to be compared with", hint="give two or more folders"
        )
    with (
        outputs.folder(out) as folder,
        record(verb="neurons compare", folder=folder, config=config, inputs=tables) as run,
    ):
        found = comparison.compare(read)
        html.write(found, folder)
        scale = "; ".join(each.meta.scale for each in read.values())
        for name, value in found.summary.items():
            if isinstance(value, int | float):
                run.metric(name, value, scale=scale)
    return Report(
        title="neurons compare",
        summary={**found.summary, "out": str(out)},
        tables=found.tables,
        notes=found.notes,
    )
