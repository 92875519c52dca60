"""`sulan anytoany evaluate`: all directions on fresh scenes, read in closed form."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sulan.anytoany.rendering import Rendering
from sulan.anytoany.trials import Plan
from sulan.reports.report import Report


def evaluate(
    system: Path,
    *,
    out: Path,
    plan: Annotated[Plan, Parameter(name="*")] = Plan(),
    rendering: Rendering = Rendering(),
) -> Report:
    """Measure a system in all directions beside chance, the cascade through captions and the upper bound.

    Parameters
    ----------
    system
        Folder that `sulan anytoany train` wrote.
    out
        Folder for `report.html` and `report.json`. Written aside, renamed when whole.
    plan
        Scenes, repeats, samplers. Default of `steps` and `guidance`: the official demonstration's.
    rendering
        Sizes of the media that the system is given; those of its training.

    Returns
    -------
    Report
        Shares of scenes that are wholly right, with intervals; attributes; hue beside the floor of colour names;
        routing.

    Raises
    ------
    MissingFile, InputError
        There is no such system, or a number is out of range.
    BackendError
        The readers do not pass their gate at these sizes: nothing is measured.
    """
    config = dict(locals())
    from sulan.anytoany import readers
    from sulan.errors import InputError, MissingFile
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    if min(plan.scenes, plan.prompts) < 2 or plan.repeats < 1:
        raise InputError("at least two scenes, two prompts and one repeat are needed")
    if not system.is_dir():
        raise MissingFile(f"no system at {system}", hint="sulan anytoany train makes one")
    from sulan.anytoany import findings, trials
    from sulan.anytoany.system import load  # pyrefly: ignore[missing-import]

    with (
        outputs.folder(out) as folder,
        record(
            verb="anytoany evaluate", folder=folder, config=config, seed=plan.seed, inputs=[system]
        ) as run,
    ):
        gates = readers.require(rendering)
        opened = load(system)
        found = trials.run(opened, plan, rendering)
        routing = trials.route(opened, plan, rendering)
        scale = f"{plan.scenes} scenes, {plan.repeats} repeats, split {plan.split}, {plan.steps} steps"
        run.metric("routing.recall", routing.recall, scale=f"{plan.prompts} prompts", claim="any-to-any")
        run.metric("routing.precision", routing.precision, scale=f"{plan.prompts} prompts")
        for trial in found:
            run.metric(f"right.{trial.direction}", float(findings.whole(trial.system).mean()), scale=scale)
            hue = findings.hue(trial.system) if trial.direction.target != "text" else None
            if hue is not None:
                run.metric(f"hue.{trial.direction}", hue[0], scale=scale)
        report = Report(
            title="anytoany evaluate",
            summary={
                "routing recall": routing.recall,
                "routing precision": routing.precision,
                **{f"reader of {gate.kind}": gate.read for gate in gates},
            },
            tables=findings.tables(found, routing),
            notes=(
                f"A world of flat shapes and beeps, {scale}: it says nothing of photographs or speech.",
                "Intervals are over scenes; the upper bound is the decoder's own text encoder on a true caption.",
            ),
        )
        html.write(report, folder)
    return report
