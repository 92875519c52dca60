"""`sulan neurons merge`: the parts of a scan, added up."""

from pathlib import Path

from sulan.reports.report import Report


def merge(parts: tuple[Path, ...], *, out: Path, memory_budget: str = "4g") -> Report:
    """Add up the parts of a scan that was divided with `--shard`.

    The result is byte for byte that of the undivided scan, whatever the order of the parts.

    Parameters
    ----------
    parts
        Folders that `sulan neurons scan --shard i/n` wrote, all n of them.
    out
        Folder for the counters. Written aside, renamed when whole.
    memory_budget
        Memory for counting: bytes, or with k, m, g.

    Returns
    -------
    Report
        What was counted, and mean activity by layer.

    Raises
    ------
    InputError
        A part was counted from another model, text or rule, is there twice, or is missing.
    """
    config = dict(locals())
    from dataclasses import replace

    from sulan.errors import InputError
    from sulan.neurons import options
    from sulan.neurons.counters import Meta

    budget = options.size(memory_budget)
    if not parts:
        raise InputError("nothing to merge", hint="sulan neurons merge PART... --out DIR")
    metas = [Meta.read(part) for part in parts]
    for part, meta in zip(parts, metas, strict=True):
        metas[0].check_same(meta, where=part)
    from sulan.neurons import reduction, sequences, tallies
    from sulan.runs import outputs
    from sulan.runs.record import record

    text = sequences.load(parts[0])
    meta = replace(metas[0], shard=(1, 1))
    with (
        outputs.folder(out) as folder,
        record(verb="neurons merge", folder=folder, config=config, inputs=parts) as run,
    ):
        units = [path for part in parts for path in sorted(part.glob("unit-*.safetensors"))]
        counted = reduction.reduce(units, text, meta, budget=budget)
        counted.write(folder)
        sequences.save(text, folder)
        meta.write(folder)
        run.metric("tokens", meta.tokens, scale=meta.scale)
    return Report(
        title="neurons merge",
        summary={**tallies.facts(meta), "parts": len(parts), "out": str(out)},
        tables=(tallies.by_layer(counted, meta),),
        notes=tallies.warnings(meta),
    )
