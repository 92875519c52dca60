"""Rationales y_beta: what the frozen model wrote about each input, cleaned, counted, and kept on disk.

On disk they are a corpus (`id`, `text` for the input, `reasoning`, `status`) with `rationales.json` beside it: which
model wrote them after which words. Whoever tunes on them checks that these are the task's; rationales of two models,
or of other words, are never mixed.

A reply becomes a rationale by fixed rules: lines are joined; what repeats itself is cut at its first repetition
(`looped`); a reply that met its token limit is kept up to its last whole word (`cut`); an empty one, a refusal and a
call that failed leave none, and the small model does without. Not covered: judging whether a rationale is right.
"""

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from sulan.chat.protocol import Reply
from sulan.documents import reader, schema, writer
from sulan.errors import BackendError, BrokenArtefact, InputError, MissingFile
from sulan.runs import outputs
from sulan.tune import costs, prompts
from sulan.tune.settings import Teaching
from sulan.tune.task import Example, Task
from sulan.tune.teachers import Question, Teacher

FILE = "rationales.json"
SCHEMA_VERSION = 1
Status = Literal["whole", "cut", "looped", "empty", "refused", "failed"]

STOP = ("\n\n",)
"""What ends a rationale: exemplars are parted by an empty line."""

REFUSAL = re.compile(
    r"^(?:i'?m sorry\b|i am sorry\b|sorry,|i can(?:no|')t\b|i am unable\b|i'm unable\b|as an ai\b|抱歉|申し訳)",
    re.IGNORECASE,
)
"""How refusals begin."""

REPEATS = 3
"""Times in a row that the same words come before it is called a loop."""

SEEN = 0.2
"""How much more often training rationales may name their answer than those of dev and test. A model that never saw an
answer names it as often in every split; 0.2 is beyond chance for 100 and 100 examples (three standard errors)."""


@dataclass(frozen=True, kw_only=True)
class Rationale:
    """A rationale; `text` is empty where there is none."""

    text: str
    status: Status
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where rationales come from.

    Attributes
    ----------
    teacher
        What was asked for, `gemma` or `openai:MODEL`.
    identity
        What exactly answered.
    words
        SHA-256 of the instructions, the exemplars and the limits.
    teaching
        How it was asked; see `settings.Teaching`.
    """

    teacher: str
    identity: str
    words: str
    teaching: Mapping[str, Any]


def questions(task: Task, inputs: Sequence[str], teaching: Teaching) -> list[Question]:
    """Return what the frozen model is asked; answers are no argument, so that it cannot see one."""
    shown = task.teacher.exemplars[: teaching.exemplars]
    shared = prompts.shared(task.teacher, exemplars=shown, reasons=True, answers=False)
    return [
        Question(
            shared=shared,
            text=prompts.question(task.teacher, text, reasoning=None, asks="reasoning"),
            max_tokens=teaching.max_tokens,
            stop=STOP,
        )
        for text in inputs
    ]


def words(task: Task, teaching: Teaching) -> str:
    """Return the fingerprint of everything but the input that a rationale depends on, the model aside."""
    (asked,) = questions(task, ["{input}"], teaching)
    return hashlib.sha256(
        json.dumps([asked.shared, asked.text, asked.max_tokens, asked.stop]).encode()
    ).hexdigest()


def write(
    teacher: Teacher, task: Task, examples: Sequence[Example], teaching: Teaching, *, label: str = "reason"
) -> dict[str, Rationale]:
    """Return the rationale of every example by id; equal inputs are asked about once."""
    inputs = list(dict.fromkeys(example.input for example in examples))
    began, calls = time.process_time(), teacher.session.ledger.summary()["calls"]
    replies = teacher.ask(questions(task, inputs, teaching), label=label)
    found = {text: clean(reply) for text, reply in zip(inputs, replies, strict=True)}
    if calls := teacher.session.ledger.summary()["calls"] - calls:
        costs.keep(teacher.identity, words(task, teaching), (time.process_time() - began) / calls)
    return {example.id: found[example.input] for example in examples}


def clean(reply: Reply | BackendError) -> Rationale:
    """Make a rationale of a reply.

    Examples
    --------
    >>> clean(Reply(text=" A game\\nof chess. ", finish="stop")).text
    'A game of chess.'
    >>> clean(Reply(text="a b a b a b a b", finish="length"))
    Rationale(text='a b', status='looped', prompt_tokens=0, completion_tokens=0)
    """
    if isinstance(reply, BackendError):
        return Rationale(text="", status="failed")
    spent = {"prompt_tokens": reply.prompt_tokens or 0, "completion_tokens": reply.completion_tokens or 0}
    text = " ".join(reply.text.split())
    if reply.finish == "content_filter" or REFUSAL.match(text):
        return Rationale(text="", status="refused", **spent)
    if not text:
        return Rationale(text="", status="empty", **spent)
    once = without_loop(text)
    if once != text:
        return Rationale(text=once, status="looped", **spent)
    if reply.finish == "length":
        whole, _, rest = text.rpartition(" ")
        return Rationale(text=whole or rest, status="cut", **spent)
    return Rationale(text=text, status="whole", **spent)


def without_loop(text: str) -> str:
    """Return a text up to where the same words have come once, if they come `REPEATS` times in a row.

    Examples
    --------
    >>> without_loop("It is a game game game game"), without_loop("very very good")
    ('It is a game', 'very very good')
    """
    parts = text.split(" ")
    for begin in range(len(parts)):
        for length in range(1, (len(parts) - begin) // REPEATS + 1):
            unit = parts[begin : begin + length]
            if all(parts[begin + n * length : begin + (n + 1) * length] == unit for n in range(1, REPEATS)):
                return " ".join(parts[: begin + length])
    return text


def save(found: Mapping[str, Rationale], examples: Sequence[Example], origin: Origin, folder: Path) -> None:
    """Write rationales into a folder that `outputs.folder` gave."""
    rows = [found[example.id] for example in examples]
    table = pa.table(
        {
            "id": [example.id for example in examples],
            "text": pa.array([example.input for example in examples], pa.large_string()),
            "reasoning": pa.array([row.text for row in rows], pa.large_string()),
            "status": [row.status for row in rows],
            "prompt_tokens": pa.array([row.prompt_tokens for row in rows], pa.int32()),
            "completion_tokens": pa.array([row.completion_tokens for row in rows], pa.int32()),
        }
    )
    writer.write([table], folder)
    document = {
        "schema_version": SCHEMA_VERSION,
        "teacher": origin.teacher,
        "identity": origin.identity,
        "words": origin.words,
        "teaching": dict(origin.teaching),
        "statuses": dict(sorted(Counter(row.status for row in rows).items())),
    }
    outputs.write_text(folder / FILE, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def read(folder: Path, task: Task) -> tuple[dict[str, str], Origin | None]:
    """Read rationales by id, and where they come from; None where they are a corpus of the user's own.

    Raises
    ------
    MissingFile
        There are none.
    MissingColumn
        The corpus has no `reasoning`.
    InputError
        They are of other inputs, or were written with the answers in sight.
    BrokenArtefact
        They are damaged.
    """
    if not folder.is_dir():
        raise MissingFile(f"no rationales at {folder}", hint="sulan tune reason makes them")
    schema.require(reader.schema(folder), ["id", "text", "reasoning"], where=folder)
    found: dict[str, str] = {}
    inputs: dict[str, str] = {}
    for batch in reader.batches(folder, ["id", "text", "reasoning"]):
        columns = [
            batch.column(batch.schema.get_field_index(name)).to_pylist()
            for name in ("id", "text", "reasoning")
        ]
        for name, text, reasoning in zip(*columns, strict=True):
            found[name], inputs[name] = reasoning or "", text or ""
    wanted = {example.id: example.input for example in task.examples}
    other = [name for name in wanted if inputs.get(name, wanted[name]) != wanted[name]]
    if other:
        raise InputError(f"the rationales in {folder} are of another task: the input of {other[0]} differs")
    _check_blind(found, task.examples, where=folder)
    return found, _origin(folder)


def _origin(folder: Path) -> Origin | None:
    path = folder / FILE
    if not path.exists():
        return None
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        return Origin(**{name: document[name] for name in ("teacher", "identity", "words", "teaching")})
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenArtefact(f"{path} is damaged: {error}") from error


def naming(found: Mapping[str, str], examples: Sequence[Example]) -> float:
    """Return the share of examples whose rationale names their answer."""
    named = [
        example.answer.casefold() in found[example.id].casefold()
        for example in examples
        if found.get(example.id)
    ]
    return sum(named) / len(named) if named else 0.0


def _check_blind(found: Mapping[str, str], examples: Sequence[Example], *, where: Path) -> None:
    train = naming(found, [example for example in examples if example.split == "train"])
    others = [example for example in examples if example.split != "train"]
    rest = naming(found, others)
    if others and train - rest > SEEN:
        raise InputError(
            f"the rationales in {where} name the answer in {train:.0%} of train and {rest:.0%} of the rest: they were "
            "written with the answer in sight",
            hint="sulan tune reason writes them without it",
        )
