"""`sulan quantize run`: a checkpoint with its matrices rounded to 2, 3, 4 or 8 bits."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sulan.quantize.settings import Budget, Recipe, Tuning
from sulan.reports.report import Report


def run(
    model: Path,
    *,
    out: Path,
    bits: Literal[2, 3, 4, 8] = 4,
    group_size: int = 128,
    sym: bool = True,
    recipe: Recipe = "default",
    calibration: Path | None = None,
    keep_layers: str = "",
    resume: bool = False,
    seed: int = 0,
    tuning: Annotated[Tuning, Parameter(name="*")] = Tuning(),
    budget: Annotated[Budget, Parameter(name="*")] = Budget(),
) -> Report:
    """Quantise a language model's weights with signed gradient descent (SignRound).

    Parameters
    ----------
    model
        `smollm2`, `gemma`, `tiny` (a small random model, to try things out), a checkpoint folder, a `.gguf`
        file, or the id of a model on the Hugging Face Hub. A GGUF file is dequantised first: the teacher is
        then the dequantised model.
    out
        Folder of the quantised checkpoint. Written aside, renamed when whole.
    bits
        Width of a weight. Default 4, the paper's most reported setting (its tables W4G128).
    group_size
        Neighbouring weights that share a scale; -1: a whole row. Halved for a matrix whose rows it does not
        divide, which the report names. Default 128 (tables W4G128, W3G128, W2G128).
    sym
        Grids around zero, with a sign in the scale so that the full range is used; `--no-sym`: grids with a zero point.
    recipe
        `rtn`: round to nearest. `searched`: grids that cost least. `light`, `default`, `best`: tuned with 50,
        200 and 1000 steps a block (section 4.1 has 200).
    calibration
        Text to calibrate on: a corpus, a text or JSON Lines file, or `python`, the language reference that comes with
        Python. None: `rtn` and `searched` do without, with all columns alike; the tuned recipes need it.
    keep_layers
        Regular expression; matrices whose full name it matches somewhere keep their precision.
    resume
        Go on with what an interrupted run to the same folder has finished; refused, with the reason, where that
        was another job. Otherwise what it left is removed.
    seed
        Draws the calibration windows and the windows of every step.
    tuning
        How blocks are tuned.
    budget
        What it may cost and how large the result may be.

    Returns
    -------
    Report
        Size, bits, and the error of every block beside that of rounding to nearest and of searched grids.

    Raises
    ------
    InputError
        Settings that do not fit each other or the model, a stale folder to resume from, a budget that cannot be met.
    MissingFile
        No such model or calibration text.
    BrokenArtefact
        Weights that are missing, NaN or infinite; the message names the tensor.
    """
    config = dict(locals())
    from sulan.quantize import job, reporting, texts
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    with ExitStack() as stack:
        asked = job.Asked(
            model=model,
            bits=bits,
            group_size=group_size,
            symmetric=sym,
            recipe=recipe,
            calibration=calibration,
            keep=keep_layers,
            seed=seed,
            tuning=tuning,
            budget=budget,
        )
        folder = stack.enter_context(outputs.folder(out))
        read = [*([model] if model.exists() else []), *texts.files(calibration)]
        noted = stack.enter_context(
            record(verb="quantize run", folder=folder, config=config, seed=seed, inputs=read)
        )
        found = job.run(asked, folder, out=out, resume=resume)
        report = reporting.of_run(found)
        html.write(report, folder)
        for name, value, scale in found.metrics():
            noted.metric(name, value, scale=scale)
    found.work.remove()
    return report
