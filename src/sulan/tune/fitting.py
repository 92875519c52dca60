"""One tuning from a task to a tuned model with its measures. Not covered: the report, see the verbs."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sulan.reports.report import Table
from sulan.runs import seeds
from sulan.tune import labels, learning, rationales, students
from sulan.tune.fiat import Fiat
from sulan.tune.learning import Learnt
from sulan.tune.rationales import Origin
from sulan.tune.settings import Adapter, Learning
from sulan.tune.students import Student
from sulan.tune.task import Example, Task


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A tuned model, in memory.

    Attributes
    ----------
    student, fiat
        The model, and what using it takes.
    learnt
        Losses.
    measured
        For the run's record.
    scale
        At what scale.
    notes
        What a reader must know.
    """

    student: Student
    fiat: Fiat
    learnt: Learnt
    measured: dict[str, float | int]
    scale: str
    notes: tuple[str, ...]

    def save(self, folder: Path) -> None:
        """Write the model into a folder that `outputs.folder` gave."""
        students.save(self.student, self.fiat, folder)

    def epochs(self) -> Table:
        """Return the losses by epoch."""
        dev = self.learnt.dev or (None,) * len(self.learnt.losses)
        rows = zip(range(1, len(self.learnt.losses) + 1), self.learnt.losses, dev, strict=True)
        return Table(
            title="Loss, nats an answer",
            columns=("epoch", "training", "dev"),
            rows=tuple(tuple(r) for r in rows),
        )


def fit(
    task: Task,
    *,
    student: str,
    rationales: Path | None,
    instructions: bool,
    kind: Literal["lora", "full"],
    adapter: Adapter,
    learning: Learning,
    seed: int,
    work: Path,
) -> Fitted:
    """Tune a small model; the arguments are those of `sulan tune fit`."""
    given, origin = read_rationales(rationales, task)
    prepared = students.prepare(student, kind=kind, adapter=adapter, dtype=learning.dtype, seed=seed)
    return tune(
        prepared,
        task,
        given=given,
        origin=origin,
        name=student,
        instructions=instructions,
        kind=kind,
        settings=learning,
        seed=seed,
        work=work,
        about={"adapter": asdict(adapter)},
    )


def read_rationales(folder: Path | None, task: Task) -> tuple[dict[str, str] | None, Origin | None]:
    """Read rationales, if there are to be any."""
    return (None, None) if folder is None else rationales.read(folder, task)


def tune(
    prepared: Student,
    task: Task,
    *,
    given: Mapping[str, str] | None,
    origin: Origin | None,
    name: str,
    instructions: bool,
    kind: Literal["lora", "full"],
    settings: Learning,
    seed: int,
    work: Path,
    about: dict[str, Any],
    extra: tuple[learning.Row, ...] = (),
    label: str = "tune",
) -> Fitted:
    """Tune a prepared model.

    Parameters
    ----------
    prepared
        The small model with its adapter.
    task
        Words and examples.
    given, origin
        Rationales by id, and who wrote them; None: tuned without.
    name
        What the small model was asked for by.
    instructions, kind, settings, seed
        As in `sulan tune fit`.
    work
        Folder that survives a kill.
    about
        What else the training is made of.
    extra
        Further training rows, such as rationales to be written (distillation).
    label
        What the progress says.
    """
    began = time.process_time()
    train, cut = students.rows(
        prepared, task, task.split("train"), rationales=given, instructions=instructions
    )
    dev, cut_dev = students.rows(
        prepared, task, task.split("dev"), rationales=given, instructions=instructions
    )
    train += list(extra)
    found = learning.learn(
        prepared.halves,
        prepared.tuned,
        train,
        dev,
        learning=settings,
        seed=seed,
        folder=work,
        about={
            **about,
            "settings": asdict(settings),
            "student": prepared.base.fingerprint,
            "rows": f"{seeds.key(0, repr([(r.id, r.prompt.tolist(), r.answer.tolist()) for r in train + dev])):x}",
            "kind": kind,
            "seed": seed,
        },
        label=label,
    )
    seconds = time.process_time() - began
    measured: dict[str, float | int] = {
        "parameters.tuned": sum(each.numel() for each in prepared.tuned.values()),
        "loss.training": found.losses[-1],
        "epoch.kept": found.kept,
        "tokens": found.tokens,
        "seconds.cpu": round(seconds, 2),
    }
    if found.dev:
        measured["loss.dev"] = found.dev[found.kept - 1]
    if task.labels and task.split("dev"):
        chances = probabilities(prepared, task, task.split("dev"), given=given, instructions=instructions)
        measured["accuracy.dev"] = accuracy(chances, task, task.split("dev"))
    notes = (
        (f"{cut + cut_dev} prompts were longer than the context and lost the end of their rationale",)
        if cut + cut_dev
        else ()
    )
    missing = sum(not (given or {}).get(each.id) for each in task.split("train")) if given is not None else 0
    if missing:
        notes = (*notes, f"{missing} training examples have no rationale and are shown without")
    return Fitted(
        student=prepared,
        fiat=Fiat(
            task=task,
            student=name,
            fingerprint=prepared.base.fingerprint,
            kind=kind,
            instructions=instructions,
            reasons=given is not None,
            teacher=origin.teacher if origin else "",
            identity=origin.identity if origin else "",
            words=origin.words if origin else "",
            teaching=origin.teaching if origin else {},
        ),
        learnt=found,
        measured=measured,
        scale=(
            f"{task.name}, {len(task.split('train'))} training examples, {name}, "
            f"{prepared.base.model.config.get_text_config().num_hidden_layers - prepared.halves.cut} layers tuned, "
            f"{str(prepared.base.model.dtype).removeprefix('torch.')}"
        ),
        notes=notes,
    )


def probabilities(
    student: Student,
    task: Task,
    examples: tuple[Example, ...],
    *,
    given: Mapping[str, str] | None,
    instructions: bool,
) -> np.ndarray:
    """Return the probability of every label for every example, float64 [examples, labels]."""
    reasons = [(given or {}).get(example.id, "") for example in examples]
    prompts = students.prompt_tokens(
        student, task, [example.input for example in examples], reasons, instructions=instructions
    )
    answers = students.answer_tokens(student.base, task.labels)
    student.model.eval()
    return labels.probabilities(student.halves, [prompt for prompt, _ in prompts], answers)


def accuracy(chances: np.ndarray, task: Task, examples: tuple[Example, ...]) -> float:
    """Return the share of examples whose likeliest label is the right one."""
    right = [
        task.labels[at] == example.answer for at, example in zip(chances.argmax(1), examples, strict=True)
    ]
    return float(np.mean(right))
