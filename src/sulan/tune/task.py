"""A task on disk: `task.toml` with instructions and exemplars, and beside it the examples with their splits.

    about = "The archive section of a package, from its description in Japanese."
    data = "examples.jsonl"        # JSON Lines, CSV, Parquet or a corpus; beside this file
    input = "text"                 # columns; these are the defaults
    answer = "answer"
    split = "split"                # train, dev or test
    group = "lang"                 # optional: what results are broken down by
    oracle = "english"             # optional: a person's rationale, for the comparison alone
    labels = ["games", "science"]  # the closed set; without it answers are free text

    [teacher]                      # I_beta of the paper
    instructions = "Translate the descriptions into English."
    question = "Japanese: {input}"
    reasoning = "English:"         # what a rationale begins after
    answer = "Section:"            # and the answer, for in-context learning
    [[teacher.exemplars]]
    input = "..."
    reasoning = "..."
    answer = "..."

    [student]                      # I_tau of the paper
    instructions = "Which section of the archive is the package in?"
    question = "{input}"
    reasoning = "In English:"
    answer = "Section:"

Not covered: several inputs an example (join them into one text), exemplars chosen for each question.
"""

import re
import tempfile
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from sulan.documents import convert, reader, schema
from sulan.errors import InputError, MissingFile

FILE = "task.toml"
Split = Literal["train", "dev", "test"]
SPLITS: tuple[str, ...] = get_args(Split)

COLUMNS = {"input": "text", "answer": "answer", "split": "split", "group": "", "oracle": ""}
"""What `task.toml` may name columns for, and the column without; empty: none."""

_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Exemplar:
    """A worked example that stands in the frozen model's prompt."""

    input: str
    reasoning: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class Wording:
    """How a model is spoken to.

    Attributes
    ----------
    instructions
        What stands before everything.
    question
        How an input is put; `{input}` stands for it.
    reasoning, answer
        What a rationale and an answer begin after.
    exemplars
        Worked examples; the student has none.
    """

    instructions: str = ""
    question: str = "{input}"
    reasoning: str = "Reasoning:"
    answer: str = "Answer:"
    exemplars: tuple[Exemplar, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Example:
    """One example of a task.

    Attributes
    ----------
    id
        Stable name.
    input, answer
        What is asked, and the right answer.
    split
        `train`, `dev` or `test`.
    group
        What results are broken down by, such as a language; empty: nothing.
    oracle
        A rationale that a person wrote, for the comparison alone; empty: none.
    """

    id: str
    input: str
    answer: str
    split: str
    group: str = ""
    oracle: str = ""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task that was read and checked.

    Attributes
    ----------
    name, about
        Of its folder; in a sentence.
    labels
        The closed set of answers; empty where answers are free text.
    teacher, student
        How the frozen and the tuned model are spoken to.
    examples
        In the order of the data.
    notes
        What was left out, and why.
    """

    name: str
    about: str
    labels: tuple[str, ...]
    teacher: Wording
    student: Wording
    examples: tuple[Example, ...]
    notes: tuple[str, ...] = ()

    def split(self, name: Split) -> tuple[Example, ...]:
        """Return the examples of a split."""
        return tuple(example for example in self.examples if example.split == name)

    def wording(self) -> dict[str, Any]:
        """Return everything but the examples, as JSON has it."""
        return {
            "name": self.name,
            "about": self.about,
            "labels": list(self.labels),
            "teacher": asdict(self.teacher),
            "student": asdict(self.student),
        }


def of_wording(document: Mapping[str, Any]) -> Task:
    """Return a task without examples from what `Task.wording` gave."""
    return Task(
        name=document["name"],
        about=document["about"],
        labels=tuple(document["labels"]),
        teacher=_wording(document["teacher"], where="teacher"),
        student=_wording(document["student"], where="student"),
        examples=(),
    )


def read(path: Path) -> Task:
    """Read a task.

    Parameters
    ----------
    path
        `task.toml`, or the folder that holds one.

    Raises
    ------
    MissingFile
        There is no such file, or its data are not there.
    InputError
        It does not say what it must; an example has no answer, one outside the labels, or an unknown split; ids are
        there twice; fewer training examples than labels; or the splits leak into one another (`leaks`).
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise MissingFile(f"no task at {path}", hint=f"a folder with {FILE}, or the file itself")
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not TOML: {error}") from error
    known = {"about", "data", *COLUMNS, "labels", "teacher", "student"}
    if unknown := sorted(document.keys() - known):
        raise InputError(f"{file}: no setting {unknown[0]!r}", hint=f"known: {', '.join(sorted(known))}")
    teacher = _wording(document.get("teacher", {}), where=f"{file}: teacher")
    student = _wording(document.get("student", {}), where=f"{file}: student")
    labels = tuple(str(label) for label in document.get("labels", ()))
    examples = _examples(file, document)
    examples, notes = _without_exemplars(examples, teacher.exemplars)
    _check(file, examples, labels)
    return Task(
        name=file.parent.resolve().name,
        about=str(document.get("about", "")),
        labels=labels,
        teacher=teacher,
        student=student,
        examples=tuple(examples),
        notes=tuple(notes),
    )


def plain(text: str) -> str:
    """Return a text as duplicates are told by: compatibility forms, case and white space alike.

    Examples
    --------
    >>> plain("  Ａ game\\tof  CHESS. ")
    'a game of chess.'
    """
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().casefold()


def leaks(examples: Sequence[Example]) -> list[str]:
    """Return the ids of dev and test examples whose input is in an earlier split too (train, dev, test), in order."""
    seen: dict[str, str] = {}
    found = []
    for split in SPLITS:
        for example in (each for each in examples if each.split == split):
            if seen.setdefault(plain(example.input), split) != split:
                found.append(example.id)
    return found


def _wording(table: Any, *, where: str) -> Wording:
    if not isinstance(table, Mapping):
        raise InputError(f"{where} is no table")
    known = {"instructions", "question", "reasoning", "answer", "exemplars"}
    if unknown := sorted(table.keys() - known):
        raise InputError(f"{where}: no setting {unknown[0]!r}", hint=f"known: {', '.join(sorted(known))}")
    exemplars = []
    for number, each in enumerate(table.get("exemplars", ()), start=1):
        missing = [name for name in ("input", "reasoning", "answer") if not isinstance(each.get(name), str)]
        if missing:
            raise InputError(f"{where}: exemplar {number} has no {missing[0]}")
        exemplars.append(Exemplar(**{name: each[name] for name in ("input", "reasoning", "answer")}))
    texts = {name: str(table[name]) for name in known - {"exemplars"} if name in table}
    found = Wording(**texts, exemplars=tuple(exemplars))
    if "{input}" not in found.question:
        raise InputError(f"{where}: the question has no {{input}} in it")
    return found


def _examples(file: Path, document: Mapping[str, Any]) -> list[Example]:
    data = file.parent / str(document.get("data", "examples.jsonl"))
    columns = {name: str(document.get(name, default)) for name, default in COLUMNS.items()}
    columns = {name: column for name, column in columns.items() if column}
    if not data.exists():
        raise MissingFile(f"no data at {data}", hint=f"{file} names it with `data`")
    if data.is_dir() and any(schema.PART.fullmatch(each.name) for each in data.iterdir()):
        return _rows(data, columns)
    own = {name: "text" if name == "input" else name for name in columns}
    with tempfile.TemporaryDirectory(prefix="sulan-") as scratch:
        convert.convert(data, Path(scratch), columns={own[name]: columns[name] for name in columns})
        return _rows(Path(scratch), own)


def _rows(corpus: Path, columns: Mapping[str, str]) -> list[Example]:
    schema.require(reader.schema(corpus), ["id", *columns.values()], where=corpus)
    found = []
    for batch in reader.batches(corpus, list(dict.fromkeys(["id", *columns.values()]))):
        table = {
            name: batch.column(batch.schema.get_field_index(column)).to_pylist()
            for name, column in {"id": "id", **columns}.items()
        }
        for values in zip(*table.values(), strict=True):
            row = dict(zip(table, values, strict=True))
            found.append(
                Example(**{name: "" if value is None else str(value) for name, value in row.items()})
            )
    return found


def _without_exemplars(
    examples: Sequence[Example], exemplars: Sequence[Exemplar]
) -> tuple[list[Example], list[str]]:
    """Leave training examples out that are exemplars: their rationales would be copies of what a person wrote."""
    known = {plain(exemplar.input) for exemplar in exemplars}
    held = [each.id for each in examples if each.split != "train" and plain(each.input) in known]
    if held:
        raise InputError(
            f"{len(held)} exemplars of the teacher are in dev or test ({_some(held)}): they would be told the answer",
            hint="take other exemplars",
        )
    kept = [each for each in examples if plain(each.input) not in known]
    left = len(examples) - len(kept)
    return kept, [f"{left} training examples are the teacher's exemplars, and are left out"] if left else []


def _check(file: Path, examples: Sequence[Example], labels: Sequence[str]) -> None:
    if unknown := sorted({each.split for each in examples} - set(SPLITS)):
        raise InputError(f"{file}: no split {unknown[0]!r}", hint=", ".join(SPLITS))
    if twice := [name for name, count in Counter(each.id for each in examples).items() if count > 1]:
        raise InputError(f"{file}: ids are there twice: {_some(twice)}")
    if empty := [each.id for each in examples if not each.input.strip()]:
        raise InputError(f"{file}: examples without an input: {_some(empty)}")
    train = [each for each in examples if each.split == "train"]
    if not train:
        raise InputError(f"{file}: no example has the split train")
    if bare := [each.id for each in examples if not each.answer.strip()]:
        raise InputError(f"{file}: examples without an answer: {_some(bare)}")
    if labels:
        if len(set(labels)) != len(labels) or not all(label.strip() for label in labels):
            raise InputError(f"{file}: labels must be different, and none empty")
        if other := [each.id for each in examples if each.answer not in labels]:
            raise InputError(
                f"{file}: {len(other)} answers are none of the labels ({_some(other)})",
                hint="add them to `labels`",
            )
        if len(train) < len(labels):
            raise InputError(
                f"{file}: {len(train)} training examples for {len(labels)} labels; one each is the least"
            )
    if leaking := leaks(examples):
        raise InputError(
            f"{file}: {len(leaking)} inputs are in more than one split ({_some(leaking)})",
            hint="keep each in one split; what is in train must not be in dev or test",
        )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
