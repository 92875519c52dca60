"""lm-eval's own tasks by name, and task files: what they give, as numbers of this room.

The tasks' questions come from the Hugging Face Hub, or from its cache. Not covered: tags and tasks written in Python,
which have no file, and what runs code (`tasks.humaneval` does).
"""

import math
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy

from sulan.errors import InputError, MissingExtra
from sulan.evaluation import harness
from sulan.evaluation.harness import TaskResult
from sulan.models import LanguageModel
from sulan.textbook.measured import Measured

PREFIX = "lm-eval:"

MEASURES = {"acc": "accuracy", "acc_norm": "accuracy_norm"}
"""lm-eval's names -> ours; others stay."""

_NORMAL = 1.959964
"""97.5 % point of the normal distribution, for lm-eval's standard errors."""


def measure(name: str, language_model: LanguageModel, *, limit: int | None, seed: int) -> list[Measured]:
    """Run a task.

    Parameters
    ----------
    name
        A task or group of lm-eval, also with `lm-eval:` before it; or the path of a task file.
    language_model
        What is asked.
    limit
        Questions of each task at most.
    seed
        Of few-shot examples.

    Raises
    ------
    InputError
        lm-eval has no such task.
    BackendError
        Its questions cannot be reached.
    MissingExtra
        lm-eval is not installed.
    """
    path, names = Path(name), []
    if path.suffix != ".yaml":
        names = [name.removeprefix(PREFIX)]
        path = _file(names[0])
    results = harness.run(language_model, path, names=names, limit=limit, seed=seed)
    return [number for result in results for number in numbers(result)]


def numbers(result: TaskResult) -> list[Measured]:
    """Return what lm-eval reports of a task; an interval is 1.96 of its standard errors to either side."""
    found = []
    texts = tuple((f"{result.task} {place}", _asked(item)) for place, item in enumerate(result.items))
    for metric, value in result.metrics.items():
        error = result.errors.get(metric, math.nan)
        name = MEASURES.get(metric, metric.replace(",", "_"))
        found.append(
            Measured(
                task=result.task,
                measure=name,
                value=value,
                low=value - _NORMAL * error,
                high=value + _NORMAL * error,
                texts=texts,
                values=numpy.empty(0),
            )
        )
    return found


def _asked(item: Mapping[str, Any]) -> str:
    """Return what stood before the answer; the examples before it are the same for many items, and so left out."""
    given = item["arguments"]
    return str(given[0][0]) if given else ""


def _file(name: str) -> Path:
    """Return the file of a task or group; lm-eval's own index takes half a minute to build."""
    spec = find_spec("lm_eval")
    if spec is None or spec.origin is None:
        raise MissingExtra("lm_eval", extra="evaluation")
    folder = Path(spec.origin).parent / "tasks"
    files = sorted(folder.rglob("*.yaml"))
    for key in ("task", "group"):
        line = re.compile(rf"^{key}:\s*[\"']?{re.escape(name)}[\"']?\s*$".encode(), re.MULTILINE)
        for file in files:
            if line.search(file.read_bytes()):
                return file
    raise InputError(f"there is no task {name!r}", hint="of this room's, or of lm-eval's with a file")
