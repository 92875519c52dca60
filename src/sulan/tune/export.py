"""`sulan tune export`: the tuned small model in other tools' formats."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report

TOLERANCE = 1e-5
"""Most that a label's probability may change by merging, in float32: what rounding does."""


def export(
    tuned: Path,
    *,
    out: Path,
    format: Literal["merged", "adapter", "gguf"] = "merged",
    student: str = "",
) -> Report:
    """Write a tuned model as a checkpoint, as a bare adapter, or as an adapter for llama.cpp.

    Parameters
    ----------
    tuned
        What `sulan tune fit` wrote.
    out
        Folder of the export. Written aside, renamed when it was read back and agreed.
    format
        `merged`: an ordinary checkpoint in float32 with the adapter in its weights. `adapter`: PEFT's files, for
        vLLM and transformers. `gguf`: the adapter for llama.cpp's `--lora`, for models of Llama's shape.
    student
        Where the small model is now, if not where it was; it must be the same one.

    Returns
    -------
    Report
        What was written, and how far it is from the tuned model.

    Raises
    ------
    MissingFile, InputError
        There is no such model, it is another one than before, or the format does not fit it.
    BrokenArtefact
        What was written does not say what the tuned model says.
    """
    config = dict(locals())
    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.tune import fiat as stored

    fiat = stored.read(tuned)
    with (
        outputs.folder(out) as folder,
        record(verb="tune export", folder=folder, config=config, inputs=[tuned]) as run,
    ):
        from sulan.tune import exporting

        made = exporting.write(tuned, fiat, folder, format=format, student=student or None)
        run.metric("difference", made.difference, scale=made.scale)
    return Report(
        title=f"tune export {fiat.task.name}",
        summary={
            "format": format,
            "parameters": made.parameters,
            "largest difference of a probability": made.difference,
            "allowed": TOLERANCE,
            "out": str(out),
        },
        notes=made.notes,
    )
