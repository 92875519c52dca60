"""`sulan tune fit`: a small model tuned on instructions, rationales and inputs."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report
from sulan.tune.settings import Adapter, Learning


def fit(
    task: Path,
    *,
    out: Path,
    student: str = "smollm2",
    rationales: Path | None = None,
    instructions: bool = True,
    peft: Literal["lora", "full"] = "lora",
    adapter: Adapter = Adapter(),
    learning: Learning = Learning(),
    seed: int = 0,
) -> Report:
    """Tune a small model to answer from instructions, a frozen model's rationale and the input.

    Parameters
    ----------
    task
        Folder with a `task.toml`, or the file.
    out
        Folder for the adapter (PEFT's files) and `fiat.json`. Written aside, renamed when whole.
    student
        The small model: `smollm2`, `gemma`, a checkpoint folder, a `.gguf` file or an id on the Hub.
    rationales
        What `sulan tune reason` wrote, or a corpus of your own with `reasoning`. None: without, which is fine-tuning.
    instructions
        Whether the task's instructions stand before the input.
    peft
        `lora`: an adapter, as in the paper. `full`: all weights of the layers that `adapter.top` names, written as a
        checkpoint.
    adapter
        The adapter's shape.
    learning
        Epochs, rate and the like.
    seed
        First weights of the adapter, order of the examples, rationales left out.

    Returns
    -------
    Report
        Loss by epoch, accuracy on dev for closed label sets, trained parameters, seconds.

    Raises
    ------
    MissingFile, InputError
        There is no such task, model or rationales; they are of another task, or were written with the answer in
        sight; a value is out of range; or the loss is not finite.
    """
    config = dict(locals())
    import shutil

    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.tune import settings
    from sulan.tune import task as tasks

    settings.check(adapter, learning)
    read = tasks.read(task)
    from sulan.tune import fitting

    work = out.parent / f".{out.name}.work"
    with (
        outputs.folder(out) as folder,
        record(
            verb="tune fit",
            folder=folder,
            config=config,
            seed=seed,
            inputs=[task, *([rationales] if rationales else [])],
        ) as run,
    ):
        found = fitting.fit(
            read,
            student=student,
            rationales=rationales,
            instructions=instructions,
            kind=peft,
            adapter=adapter,
            learning=learning,
            seed=seed,
            work=work,
        )
        found.save(folder)
        for name, value in found.measured.items():
            run.metric(name, value, scale=found.scale)
    shutil.rmtree(work, ignore_errors=True)
    return Report(
        title=f"tune fit {read.name}",
        summary={**found.measured, "out": str(out)},
        tables=(found.epochs(),),
        notes=(*read.notes, *found.notes),
    )
