"""New inputs from their file to their answers (2309.04663, algorithm 2). Not covered: streaming."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sulan.chat.settings import ChatSettings
from sulan.documents import convert, reader, schema, writer
from sulan.errors import BackendError, InputError, MissingFile
from sulan.evaluation.generation import generate
from sulan.tune import labels, rationales, students, teachers
from sulan.tune.fiat import Fiat
from sulan.tune.settings import Teaching
from sulan.tune.students import Student
from sulan.tune.task import Example


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the small model says; without probabilities where answers are free text."""

    text: str
    probabilities: tuple[float, ...] = ()


def inputs(data: Path, *, column: str) -> list[Example]:
    """Read inputs as examples without answers.

    Raises
    ------
    MissingFile, MissingColumn, InputError
        There are none.
    """
    if not data.exists():
        raise MissingFile(f"no data at {data}", hint="a corpus, JSON Lines, CSV, Parquet or text")
    if data.is_dir() and any(schema.PART.fullmatch(each.name) for each in data.iterdir()):
        return _rows(data, column)
    with tempfile.TemporaryDirectory(prefix="sulan-") as scratch:
        convert.convert(data, Path(scratch), columns={"text": column} if column != "text" else None)
        return _rows(Path(scratch), "text")


def _rows(corpus: Path, column: str) -> list[Example]:
    found = []
    schema.require(reader.schema(corpus), ["id", column], where=corpus)
    for batch in reader.batches(corpus, ["id", column]):
        names, texts = (
            batch.column(batch.schema.get_field_index(name)).to_pylist() for name in ("id", column)
        )
        found += [
            Example(id=name, input=text or "", answer="", split="test")
            for name, text in zip(names, texts, strict=True)
        ]
    if not found:
        raise InputError(f"{corpus} has no input")
    return found


def reasons(
    fiat: Fiat,
    examples: Sequence[Example],
    *,
    rationales: Path | None,
    teacher: str,
    fallback: bool,
    max_cost: float | None,
    chat: ChatSettings,
) -> tuple[list[str], dict[str, Any]]:
    """Return a rationale for every input, empty where there is none, and the frozen model's ledger.

    Raises
    ------
    InputError
        The frozen model is another one than wrote the rationales that the small one was tuned on.
    BackendError
        It gave no reply to some inputs, and `fallback` is not set.
    """
    if not fiat.reasons:
        return [""] * len(examples), {}
    if rationales is not None:
        return _read(rationales, examples, fiat), {}
    return _asked(fiat, examples, teacher=teacher, fallback=fallback, max_cost=max_cost, chat=chat)


def _read(folder: Path, examples: Sequence[Example], fiat: Fiat) -> list[str]:
    known, origin = rationales.read(folder, replace(fiat.task, examples=tuple(examples)))
    if origin and fiat.identity and (origin.identity, origin.words) != (fiat.identity, fiat.words):
        raise InputError(
            f"the rationales in {folder} are of another frozen model, or other words, than those tuned on"
        )
    if missing := [example.id for example in examples if example.id not in known]:
        raise InputError(f"{folder} has no rationale for {len(missing)} inputs, such as {missing[0]}")
    return [known[example.id] for example in examples]


def _asked(
    fiat: Fiat,
    examples: Sequence[Example],
    *,
    teacher: str,
    fallback: bool,
    max_cost: float | None,
    chat: ChatSettings,
) -> tuple[list[str], dict[str, Any]]:
    name = teacher or fiat.teacher
    if not name:
        raise InputError(
            "the rationales that this model was tuned on are not of `sulan tune reason`",
            hint="--rationales gives those of the inputs",
        )
    teaching = Teaching(**fiat.teaching)
    try:
        opened = teachers.open_teacher(name, settings=chat, max_cost=max_cost, batch=teaching.batch)
    except BackendError:
        if not fallback:
            raise
        return [""] * len(examples), {}
    try:
        if opened.identity != fiat.identity:
            raise InputError(
                f"{name} is not the frozen model that wrote the rationales for the tuning",
                hint=f"that was {fiat.teacher}; sulan tune reason and fit make a new pair",
            )
        found = rationales.write(opened, fiat.task, examples, teaching)
        ledger = opened.session.ledger.summary()
    finally:
        opened.close()
    failed = [example.id for example in examples if found[example.id].status == "failed"]
    if failed and not fallback:
        raise BackendError(
            f"the frozen model gave no rationale for {len(failed)} of {len(examples)} inputs",
            hint="run again: the replies that came are kept; --fallback answers those without one",
        )
    return [found[example.id].text for example in examples], ledger


def answer(
    student: Student, fiat: Fiat, examples: Sequence[Example], given: Sequence[str], *, max_tokens: int
) -> list[Answer]:
    """Return the small model's answer to every input."""
    task = fiat.task
    prompts = students.prompt_tokens(
        student, task, [example.input for example in examples], given, instructions=fiat.instructions
    )
    student.model.eval()
    if not task.labels:
        model = replace(student.base, model=student.model)
        by_id = {
            str(number): prompt.tolist() for number, (prompt, _) in enumerate(prompts)
        }  # ids may be there twice in somebody's data
        made = generate(model, by_id, max_tokens=max_tokens, stop=("\n",), label="answer")
        return [Answer(text=each.text.strip()) for each in made]
    tokens = students.answer_tokens(student.base, task.labels)
    chances = labels.probabilities(student.halves, [prompt for prompt, _ in prompts], tokens)
    return [
        Answer(text=task.labels[int(np.argmax(row))], probabilities=tuple(row.tolist())) for row in chances
    ]


def save(
    answers: Sequence[Answer], examples: Sequence[Example], given: Sequence[str], fiat: Fiat, folder: Path
) -> None:
    """Write answers as a corpus."""
    columns: Mapping[str, Any] = {
        "id": [example.id for example in examples],
        "text": pa.array([example.input for example in examples], pa.large_string()),
        "answer": [each.text for each in answers],
        "probability": pa.array(
            [max(each.probabilities) if each.probabilities else None for each in answers], pa.float64()
        ),
        "probabilities": pa.array([list(each.probabilities) for each in answers], pa.list_(pa.float64())),
        "reasoning": pa.array(list(given), pa.large_string()),
        "fallback": [fiat.reasons and not reason for reason in given],
    }
    writer.write([pa.table(columns)], folder)
