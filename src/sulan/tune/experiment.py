"""The paper's comparison on one frozen split: every method, every seed (2309.04663, tables 2 and 3).

All small models start from the same weights, see the same examples and keep the epoch that is best on dev. What lies
below the tuned layers is run once for all of them. Not covered: free-text answers (`tune fit` and `predict` do).
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sulan import models
from sulan.errors import InputError
from sulan.models import LanguageModel
from sulan.runs import seeds
from sulan.tune import costs, fitting, incontext, prompts, rationales, results, students
from sulan.tune.learning import Row
from sulan.tune.plans import BASE, VARIANTS, Comparing, Method, chosen
from sulan.tune.rationales import Origin, Rationale
from sulan.tune.results import Result
from sulan.tune.settings import Adapter, Learning, Teaching
from sulan.tune.task import Example, Task
from sulan.tune.teachers import Teacher


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a comparison is made of; as the verb has it."""

    task: Task
    student: str
    base: str
    teaching: Teaching
    adapter: Adapter
    learning: Learning
    comparing: Comparing


@dataclass(frozen=True, kw_only=True)
class Reasoned:
    """The frozen model's rationales and what they cost.

    Attributes
    ----------
    found
        By id.
    origin
        Who wrote them.
    tokens
        Prompt and completion tokens an input, in the mean.
    seconds
        CPU seconds an input of a model that runs here, when it was first asked; NaN for chat models.
    """

    found: Mapping[str, Rationale]
    origin: Origin
    tokens: tuple[float, float]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Results by name of the row, one for every seed (one alone for the frozen model)."""

    setup: Setup
    reasoned: Reasoned
    results: Mapping[str, tuple[Result, ...]]

    @property
    def test(self) -> tuple[Example, ...]:
        """What was answered."""
        return self.setup.task.split("test")

    def chances(self, name: str) -> np.ndarray:
        """Return the probabilities of a row or a variant, float64 [seeds, examples, labels]."""
        row, variant = ("FIAT", name) if name in VARIANTS else (name, "")
        return np.stack([each.chances[variant] for each in self.results[row]])


class Experiment:
    """Runs the rows of a comparison.

    Parameters
    ----------
    setup
        What is compared.
    teacher
        The frozen model.
    work
        Folder for trainings under way.
    """

    def __init__(self, setup: Setup, teacher: Teacher, *, name: str, work: Path) -> None:
        self._setup, self._teacher, self._name, self._work = setup, teacher, name, work
        if not setup.task.labels:
            raise InputError(
                "the comparison is of closed label sets", hint="`labels` in task.toml names them"
            )
        for split in ("dev", "test"):
            if not setup.task.split(split):
                raise InputError(f"the task has no {split} examples")
        self._lower: dict[tuple[str, str], dict[str, torch.Tensor]] = {}
        self._loaded: dict[tuple[str, str], LanguageModel] = {}

    def run(self) -> Compared:
        """Run what is not in the cache."""
        setup = self._setup
        reasoned = self._reason()
        found: dict[str, tuple[Result, ...]] = {}
        for method in chosen(setup.comparing):
            if method.by == "teacher":
                found[method.name] = (self._in_context(method, reasoned),)
            else:
                found[method.name] = self._tuned(method, reasoned, student=setup.student)
        if setup.base:
            plain = next(method for method in chosen(Comparing()) if method.name == "fine-tuning")
            found[BASE] = self._tuned(replace(plain, name=BASE), reasoned, student=setup.base)
        return Compared(setup=setup, reasoned=reasoned, results=found)

    def _reason(self) -> Reasoned:
        setup, task = self._setup, self._setup.task
        found = rationales.write(self._teacher, task, task.examples, setup.teaching)
        origin = Origin(
            teacher=self._name,
            identity=self._teacher.identity,
            words=rationales.words(task, setup.teaching),
            teaching=asdict(setup.teaching),
        )
        local = ":" not in self._name  # a chat model's seconds are spent elsewhere
        spent = [(each.prompt_tokens, each.completion_tokens) for each in found.values()]
        mean = np.mean(spent, axis=0).tolist()
        return Reasoned(
            found=found,
            origin=origin,
            tokens=(mean[0], mean[1]),
            seconds=costs.seconds(origin.identity, origin.words) if local else float("nan"),
        )

    def _in_context(self, method: Method, reasoned: Reasoned) -> Result:
        task = self._setup.task
        test = task.split("test")
        reasons = [reasoned.found[each.id].text for each in test] if method.reasons else None

        def make() -> Result:
            began = time.process_time()
            chances = incontext.chances(
                self._teacher, task, test, shots=method.shots, reasons=reasons, label=method.name
            )
            return Result(
                chances={"": chances},
                dev=float("nan"),
                train_seconds=0.0,
                test_seconds=time.process_time() - began,
                tokens=0,
            )

        about = {
            "method": asdict(method),
            "identity": self._teacher.identity,
            "words": _words(task),
            "test": _digest([[each.id, each.input] for each in test]),
            "reasons": _digest(reasons),
        }
        return results.kept(about, make)

    def _tuned(self, method: Method, reasoned: Reasoned, *, student: str) -> tuple[Result, ...]:
        return tuple(
            self._seed(method, reasoned, student=student, seed=seed)
            for seed in range(self._setup.comparing.seeds)
        )

    def _seed(self, method: Method, reasoned: Reasoned, *, student: str, seed: int) -> Result:
        setup, task = self._setup, self._setup.task
        texts = {name: each.text for name, each in reasoned.found.items()}
        given = texts if method.reasons else None
        longer = 1 if method.reasons else setup.comparing.longer
        learning = replace(setup.learning, epochs=setup.learning.epochs * longer)
        about = {
            "method": asdict(method),
            "student": self._load(student, method.kind).fingerprint,
            "words": _words(task),
            "examples": _digest([asdict(each) for each in task.examples]),
            "reasons": _digest(texts if method.reasons or method.distils else None),
            "adapter": asdict(setup.adapter),
            "learning": asdict(learning),
            "seed": seed,
        }
        return results.kept(about, lambda: self._train(method, given, texts, student, learning, seed, about))

    def _train(
        self,
        method: Method,
        given: Mapping[str, str] | None,
        texts: Mapping[str, str],
        student: str,
        learning: Learning,
        seed: int,
        about: dict[str, Any],
    ) -> Result:
        setup, task = self._setup, self._setup.task
        loaded = self._load(student, method.kind)
        prepared = students.equip(
            loaded,
            kind=method.kind,
            adapter=setup.adapter,
            dtype=learning.dtype,
            seed=seed,
            kept=self._lower.setdefault((student, method.kind), {}),
        )
        before = {name: each.detach().clone() for name, each in prepared.tuned.items()}
        extra = _written(prepared, task, texts) if method.distils else ()
        began = time.process_time()
        try:
            fitted = fitting.tune(
                prepared,
                task,
                given=given,
                origin=None,
                name=student,
                instructions=method.instructions,
                kind=method.kind,
                settings=learning,
                seed=seed,
                work=self._work / f"{method.name}-{seed}".replace(" ", "_"),
                about=about,
                extra=extra,
                label=f"{method.name}, seed {seed}",
            )
            trained = time.process_time() - began
            began = time.process_time()
            chances = {"": self._answers(prepared, method, given)}
            tested = time.process_time() - began
            if method.name == "FIAT":
                chances |= self._variants(prepared, method, texts, seed)
        finally:
            students.restore(prepared, before)
        learnt = fitted.learnt
        return Result(
            chances=chances,
            dev=learnt.dev[learnt.kept - 1] if learnt.dev else float("nan"),
            train_seconds=trained,
            test_seconds=tested,
            tokens=learnt.tokens,
        )

    def _answers(
        self, prepared: students.Student, method: Method, given: Mapping[str, str] | None
    ) -> np.ndarray:
        task = self._setup.task
        return fitting.probabilities(
            prepared, task, task.split("test"), given=given, instructions=method.instructions
        )

    def _variants(
        self, prepared: students.Student, method: Method, texts: Mapping[str, str], seed: int
    ) -> dict[str, np.ndarray]:
        test = self._setup.task.split("test")
        order = seeds.generator(seed, "tune shuffled rationales").permutation(len(test))
        shuffled = {
            test[at].id: texts[test[other].id] for at, other in zip(order, np.roll(order, 1), strict=True)
        }
        found = {
            "FIAT, no rationale": self._answers(prepared, method, {}),
            "FIAT, shuffled": self._answers(prepared, method, shuffled),
        }
        if all(each.oracle for each in test):
            oracle = {each.id: each.oracle for each in test}
            found["FIAT, oracle"] = self._answers(prepared, method, oracle)
        return found

    def _load(self, student: str, kind: str) -> LanguageModel:
        if (student, kind) not in self._loaded:
            dtype = "float32" if kind == "full" else self._setup.learning.dtype
            self._loaded[student, kind] = models.load(student, dtype=dtype)
        return self._loaded[student, kind]


def _words(task: Task) -> dict[str, Any]:
    """Return what a result depends on of a task's words; its name and what it is about are for people."""
    return {name: each for name, each in task.wording().items() if name not in ("name", "about")}


def _written(prepared: students.Student, task: Task, texts: Mapping[str, str]) -> tuple[Row, ...]:
    """Return rows that ask for the rationale itself; each token of it counts so that it weighs as one answer."""
    train = [each for each in task.split("train") if texts.get(each.id)]
    asked = [_asks_for_reasoning(task, each.input) for each in train]
    encoded = students.plain_tokens(prepared.base, asked)
    answers = students.answer_tokens(prepared.base, [texts[each.id] for each in train])
    return tuple(
        Row(
            id=f"{each.id} reasoning",
            prompt=prompt,
            bare=prompt,
            answer=np.asarray(answer),
            weight=1 / len(answer),
        )
        for each, prompt, answer in zip(train, encoded, answers, strict=True)
    )


def _asks_for_reasoning(task: Task, text: str) -> str:
    """Return the prompt of distillation's second task: the same, up to where a rationale begins."""
    made = prompts.student(task, text, reasoning="", instructions=True)
    return f"{made.before}\n{task.student.reasoning}"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def answers(task: Task, examples: Sequence[Example]) -> list[int]:
    """Return the right labels' numbers."""
    number = {label: at for at, label in enumerate(task.labels)}
    return [number[example.answer] for example in examples]
