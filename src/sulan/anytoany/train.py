"""`sulan anytoany train`: one stage of a system's training."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report


def train(
    data: Path,
    *,
    out: Path,
    stage: Literal["parts", "encode", "decode", "instruct"],
    system: Path | None = None,
    steps: int = 300,
    batch: int = 8,
    rate: float | None = None,
    seed: int = 0,
) -> Report:
    """Train one stage of a system that reads and makes text, pictures, sounds and clips.

    Parameters
    ----------
    data
        Corpus with media beside its documents, as `sulan anytoany world` writes it.
    out
        Folder for the system. Written aside, renamed when whole; a killed training goes on where it was.
    stage
        `parts`: encoders, decoders and a small language model from nothing. Then the paper's three, which leave those
        as they are: `encode` (input projections), `decode` (output projections), `instruct` (LoRA and all
        projections).
    system
        What the stage before wrote; None: a small one with random weights, for `parts`.
    steps
        Of Adam. 300 show that a loss falls; good pictures need thousands.
    batch
        Examples of a step. The paper: 18, 8 and 4 a card.
    rate
        The highest learning rate. None: 2e-3 for `parts` (ours), 4e-4, 4e-4 and 5e-4 for the others (v3, table 7).
    seed
        First weights, order of the examples, noise.

    Returns
    -------
    Report
        Loss at the beginning and the end, trained and reused parameters.

    Raises
    ------
    MissingFile, MissingColumn, InputError
        Data or system are missing or not what they should be, or a number is out of range.
    BrokenArtefact
        A medium or a weight is damaged.
    SulanError
        The loss is not finite.
    """
    config = dict(locals())
    import shutil

    from sulan.errors import InputError
    from sulan.reports.report import Table
    from sulan.runs import outputs
    from sulan.runs.record import record

    for name, value in (("steps", steps), ("batch", batch)):
        if value < 1:
            raise InputError(f"{name} is {value}; at least 1")
    if (system is None) != (stage == "parts"):
        hint = "train --stage parts first, and give what it wrote as --system"
        raise InputError(
            f"stage {stage} {'begins' if stage == 'parts' else 'goes on'} with a system", hint=hint
        )
    from sulan.anytoany import training

    work = out.parent / f".{out.name}.work"
    with (
        outputs.folder(out) as folder,
        record(
            verb="anytoany train",
            folder=folder,
            config=config,
            seed=seed,
            inputs=[data, *([system] if system else [])],
        ) as run,
    ):
        found = training.run(
            data, system=system, stage=stage, steps=steps, batch=batch, rate=rate, seed=seed, work=work
        )
        found.system.save(folder)
        for metric in found.metrics():
            run.metric(metric.name, metric.value, scale=metric.scale, claim=metric.claim)
    shutil.rmtree(work, ignore_errors=True)
    return Report(
        title=f"anytoany train {stage}",
        summary={**{metric.name: metric.value for metric in found.metrics()}, "out": str(out)},
        tables=(
            Table(
                title="Parameters of the paper's system",
                columns=("part", "parameters", "trained"),
                rows=tuple((row.part, row.count, "yes" if row.trained else "no") for row in found.official),
            ),
        ),
        notes=(
            "The paper's parameters are counted on the meta device; its encoder's and decoders' are as stated.",
        ),
    )
