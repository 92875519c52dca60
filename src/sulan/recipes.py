"""Recipes: the life of a model as a TOML file that calls verbs one after another.

A recipe is a list of steps. Each names a verb and its arguments; steps meet on disk, through `out`::

    [[step]]
    run = "digest write"
    date = "2023-09-12"
    out = "editions/2023-09-12"

A step whose output is complete and was made with the same arguments, inputs and version is skipped; the first
step that fails stops the recipe, and running it again goes on from there.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sulan.errors import InputError
from sulan.papers import verbs
from sulan.reports.report import Cell, Report, Table
from sulan.runs.record import is_current

if TYPE_CHECKING:
    from cyclopts import App

_log = logging.getLogger(__name__)


def run(recipe: Path, /, *, only: tuple[str, ...] = ()) -> Report:
    """Run a recipe: its verbs in order, skipping what is complete, stopping at the first failure.

    Parameters
    ----------
    recipe
        TOML file with `[[step]]` tables; paths in it are relative to the current folder.
    only
        Run only steps of these verbs (`"digest write"`) or outputs.

    Returns
    -------
    Report
        One row a step; the exit code of the step that stopped it, else 0.

    Raises
    ------
    InputError
        The file is no recipe, or a step's arguments do not fit its verb.
    """
    steps = _steps(recipe)
    unknown = set(only) - {name for step in steps for name in (step["run"], step.get("out"))}
    if unknown:
        raise InputError(f"{recipe} has no step {', '.join(sorted(unknown))}")
    wanted = [step for step in steps if not only or {step["run"], step.get("out")} & set(only)]
    app = verbs.application()
    for step in wanted:  # a mistake in the last step is told before the first one has worked for hours
        _bind(app, step)
    rows: list[tuple[Cell, ...]] = []
    for step in wanted:
        _log.info("step %s%s", step["run"], f" -> {step['out']}" if "out" in step else "")
        state, code = _run_step(app, step)
        rows.append((step["run"], step.get("out", ""), state))
        if code:
            return _report(recipe, rows, total=len(steps), exit_code=code)
    return _report(recipe, rows, total=len(steps), exit_code=0)


def _steps(recipe: Path) -> list[dict[str, Any]]:
    document = verbs.table(recipe)
    steps = document.pop("step", None)
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise InputError(f"{recipe} has no [[step]]", hint='[[step]] with run = "ROOM VERB"')
    # `about` and `minutes` are for the reader and the conformance suite.
    unknown = set(document) - {"about", "minutes"}
    if unknown:
        raise InputError(f"{recipe}: unknown key {', '.join(sorted(unknown))}")
    for number, step in enumerate(steps, 1):
        if not isinstance(step.get("run"), str) or len(step["run"].split()) != 2:
            raise InputError(f'{recipe}: step {number} needs run = "ROOM VERB"')
    return steps


def _bind(app: "App", step: dict[str, Any]) -> dict[str, Any]:
    return verbs.bind(app, step["run"].split(), config=_arguments(step), source=f"step {step['run']}")


def _run_step(app: "App", step: dict[str, Any]) -> tuple[str, int]:
    verb, bound = step["run"], _bind(app, step)
    if isinstance(bound.get("out"), Path) and is_current(bound["out"], verb=verb, config=bound):
        return "skipped: complete", 0
    report = verbs.call(app, verb.split(), config=_arguments(step), source=f"step {verb}")
    return ("done", 0) if report.exit_code == 0 else (f"exit {report.exit_code}", report.exit_code)


def _arguments(step: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name != "run"}


def _report(recipe: Path, rows: list[tuple[Cell, ...]], *, total: int, exit_code: int) -> Report:
    return Report(
        title=f"run {recipe}",
        summary={"steps": total, "reached": len(rows)},
        tables=(Table(title="Steps", columns=("verb", "out", "state"), rows=tuple(rows)),),
        exit_code=exit_code,
    )
