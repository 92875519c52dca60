"""`sulan neurons prune`: a model without its dead neurons."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report, Table

TOLERANCE = 1e-4
"""Most that a logit may change: rounding in float32 was 9.5e-6 where 80 of 1,536 neurons went."""


def prune(
    model: str,
    *,
    tables: Path,
    data: Path,
    out: Path,
    level: Literal["proved", "observed"] = "proved",
    tokens: int = 4096,
) -> Report:
    """Remove dead neurons from a model and check that it computes the same.

    Parameters
    ----------
    model
        The model that was classified.
    tables
        What `sulan neurons classify` wrote.
    data
        Text to check on; best one that was not scanned.
    out
        Folder for the checkpoint, which plain transformers loads: layers are filled up with zeros to the widest.
        In `compact` each layer has its own width. Written aside, renamed when whole.
    level
        `proved`: neurons that no input wakes, by the weights. `observed`: those that the scan never saw active,
        which leaves other texts open.
    tokens
        Tokens to check on.

    Returns
    -------
    Report
        Neurons removed, parameters before and after, largest change of a logit. Exit code 1 when it exceeds 1e-4.

    Raises
    ------
    InputError
        The model is another one, or its neurons can add something while never active, so that nothing could be
        removed without loss.
    """
    config = dict(locals())
    from sulan.neurons import tables as stored
    from sulan.neurons import texts

    read = stored.read(tables)
    from sulan.runs import outputs
    from sulan.runs.record import record

    with (
        texts.opened(data) as corpus,
        outputs.folder(out) as folder,
        record(verb="neurons prune", folder=folder, config=config, inputs=[tables, data]) as run,
    ):
        from sulan.neurons import removal  # torch, once it is clear that there is a text

        found = removal.remove(model, read, texts.texts(corpus), folder=folder, level=level, tokens=tokens)
        scale = f"{read.meta.scale}; checked on {found.checked:,} tokens"
        for name, value in found.measured.items():
            run.metric(name, value, scale=scale)
    good = found.change <= TOLERANCE
    kind = (
        "No input wakes what was removed: the model is the same up to rounding."
        if level == "proved"
        else "What was removed was never active in the scan; on other text the model may differ."
    )
    return Report(
        title=f"neurons prune {model}",
        summary={**found.measured, "largest change allowed": TOLERANCE, "out": str(out)},
        tables=(
            Table(title="Neurons left", columns=("layer", "neurons"), rows=tuple(enumerate(found.left))),
        ),
        notes=(kind,) if good else (f"A logit changed by {found.change:.3g}: do not use this checkpoint.",),
        exit_code=0 if good else 1,
    )
