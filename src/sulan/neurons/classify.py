"""`sulan neurons classify`: what every neuron of a scan is."""

from pathlib import Path

from sulan.reports.report import Report


def classify(counters: Path, *, out: Path, model: str | None = None, minimum: int = 10) -> Report:
    """Say what every neuron of a scan is: dead, rare, detector of n-grams, marker of positions.

    Parameters
    ----------
    counters
        What `sulan neurons scan` or `merge` wrote.
    out
        Folder for the tables (Parquet). Written aside, renamed when whole.
    model
        Where the model is now, if not where it was scanned; it must be the same one.
    minimum
        Occurrences that a detected n-gram must have. The paper names no number; at ten of ten, the 95 % interval of
        the share begins at 0.72.

    Returns
    -------
    Report
        Counts by layer, and what the paper's claims are measured by.

    Raises
    ------
    MissingFile
        There is no scan, or no model.
    InputError
        The scan is a part of one, or the model is another one.
    """
    config = dict(locals())
    from sulan.neurons.counters import Counters, Meta

    meta = Meta.read(counters)
    counted = Counters.read(counters, meta)
    from sulan.errors import InputError
    from sulan.neurons import classes, sequences, tables, tallies, units
    from sulan.runs import outputs
    from sulan.runs.record import record

    text = sequences.load(counters)
    with (
        outputs.folder(out) as folder,
        record(verb="neurons classify", folder=folder, config=config, inputs=[counters]) as run,
    ):
        language_model = units.opened(model or meta.model, meta.dtype)
        if language_model.fingerprint != meta.fingerprint:
            raise InputError(f"{language_model.name} is not the model that was scanned")
        found = classes.classify(counted, text, meta, language_model, minimum=minimum)
        tables.write({name: getattr(found, name) for name in tables.NAMES}, meta, folder)
        scale = f"{language_model.model.num_parameters():,} parameters; {meta.scale}"
        for name, value in found.measured.items():
            run.metric(name, value, scale=scale)
    return Report(
        title=f"neurons classify {counters}",
        summary={**tallies.facts(meta), **found.measured, "out": str(out)},
        tables=(tallies.layers(found.layers, meta),),
        notes=(*tallies.warnings(meta), *tallies.bound(meta, found.measured)),
    )
