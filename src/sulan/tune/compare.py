"""`sulan tune compare`: is the large model needed, and is tuning?"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sulan.chat.settings import ChatSettings
from sulan.reports.report import Report
from sulan.tune.plans import Comparing
from sulan.tune.settings import Adapter, Learning, Teaching


def compare(
    task: Path,
    *,
    out: Path,
    teacher: str = "gemma",
    student: str = "smollm2",
    base: str = "",
    comparing: Annotated[Comparing, Parameter(name="*")] = Comparing(),
    teaching: Teaching = Teaching(),
    adapter: Adapter = Adapter(),
    learning: Learning = Learning(),
    max_cost: float | None = None,
    chat: ChatSettings = ChatSettings(),
) -> Report:
    """Compare in-context learning, fine-tuning, distillation and FIAT on one task, with intervals and costs.

    Parameters
    ----------
    task
        Folder with a `task.toml` that has `labels`, or the file.
    out
        Folder for `report.html` and `report.json`. Written aside, renamed when whole.
    teacher
        The frozen model, as in `sulan tune reason`.
    student
        The small model, as in `sulan tune fit`.
    base
        A small model that was not tuned on instructions before, for the last row of the paper's ladder; empty: that
        row is left out.
    comparing
        Rows and seeds.
    teaching
        How the frozen model is asked.
    adapter
        The adapter's shape.
    learning
        How small models are tuned.
    max_cost
        Stop before a request that may take the total above this.
    chat
        How a chat model is reached.

    Returns
    -------
    Report
        Accuracy, AUC-PR, F1 and cost of every row, differences to FIAT with intervals, the ladder of the paper's
        table 3, accuracy by group, and a recommendation.

    Raises
    ------
    MissingFile, InputError
        There is no such task or model, the task has no labels or no dev or test examples, or a value is out of range.
    BudgetExceeded
        The next request might cost too much. What was paid for and what was trained is kept.
    """
    config = dict(locals())
    import shutil

    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.tune import plans, settings
    from sulan.tune import task as tasks

    settings.check(adapter, learning)
    plans.chosen(comparing)
    read = tasks.read(task)
    from sulan.tune import teachers
    from sulan.tune.experiment import Experiment, Setup
    from sulan.tune.verdict import Verdict

    work = out.parent / f".{out.name}.work"
    with (
        outputs.folder(out) as folder,
        record(verb="tune compare", folder=folder, config=config, seed=0, inputs=[task]) as run,
    ):
        opened = teachers.open_teacher(teacher, settings=chat, max_cost=max_cost, batch=teaching.batch)
        try:
            setup = Setup(
                task=read,
                student=student,
                base=base,
                teaching=teaching,
                adapter=adapter,
                learning=learning,
                comparing=comparing,
            )
            found = Experiment(setup, opened, name=teacher, work=work).run()
            ledger = opened.session.ledger.summary()
        finally:
            opened.close()
        verdict = Verdict(found)
        for name, value, claim in verdict.metrics():
            run.metric(name, value, scale=verdict.scale, claim=claim)
        run.metric("teacher.calls", ledger["calls"], scale=verdict.scale)
        report = verdict.report(ledger)
        html.write(report, folder)
    shutil.rmtree(work, ignore_errors=True)
    return Report(
        title=report.title,
        summary={**report.summary, "out": str(out)},
        tables=report.tables,
        notes=report.notes,
    )
