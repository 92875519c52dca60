"""Texts from a plan: the template writer, or a chat model that is asked each prompt once.

A chat model's replies are kept in its cache as they come, so a run that is killed, or stops at its budget, has paid for
nothing twice. A reply is text and nothing else: it is never run, opened or obeyed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from sulan.chat import parallel
from sulan.chat.protocol import Chat, Message, Reply, Request
from sulan.documents import reader, schema
from sulan.errors import BackendError, BudgetExceeded
from sulan.runs.progress import progress
from sulan.textbook import lessons
from sulan.textbook.asking import Asking
from sulan.textbook.outline import Planned
from sulan.textbook.topics import Topic

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("prompt", pa.large_string()),
        ("subject", pa.string()),
        ("topic", pa.string()),
        ("audience", pa.string()),
        ("format", pa.string()),
        ("seed_data", pa.string()),
        ("generator", pa.string()),
    ]
)

EMPTY, CUT, REFUSED, FAILED = "empty", "cut at the limit", "refused", "no answer"
REASONS = (EMPTY, CUT, REFUSED, FAILED)
"""Why a text is left out. One that was cut ends in the middle of a sentence, which a model would learn."""

BATCH = 256


@dataclass(kw_only=True)
class Tally:
    """What became of the rows of a plan."""

    written: int = 0
    characters: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def rows(plan: Path) -> list[Planned]:
    """Read a plan.

    Raises
    ------
    MissingFile, MissingColumn
        There is no plan at the path, or what is there is none.
    """
    names = ["id", "subject", "topic", "word", "problems", "audience", "format", "seed_data"]
    schema.require(reader.schema(plan), names, where=plan, hint="sulan textbook plan --out ...")
    return [
        Planned(
            id=row["id"],
            topic=Topic(
                subject=row["subject"], name=row["topic"], word=row["word"], problems=tuple(row["problems"])
            ),
            audience=row["audience"],
            form=row["format"],
            extract=row["seed_data"],
        )
        for batch in reader.batches(plan, names)
        for row in batch.to_pylist()
    ]


def by_template(plan: Sequence[Planned], tally: Tally, *, seed: int) -> Iterator[pa.Table]:
    """Yield the texts of the template writer, in the plan's order."""
    for start in range(0, len(plan), BATCH):
        some = plan[start : start + BATCH]
        texts = [lessons.write(row, seed=seed) for row in progress(some, label="textbook synthesize")]
        yield _table(some, texts, [lessons.NAME] * len(some), tally)


def by_chat(
    plan: Sequence[Planned], chat: Chat, asking: Asking, tally: Tally, *, seed: int, concurrency: int
) -> Iterator[pa.Table]:
    """Yield the texts of a chat model, in the plan's order; rows with one prompt share one reply.

    Raises
    ------
    BudgetExceeded
        The next request might cost too much.
    BackendError
        Not one request was answered.
    """
    prompts = list(dict.fromkeys(row.prompt for row in plan))

    def ask(prompt: str) -> Reply:
        return chat.reply(
            Request(
                messages=(Message(role="user", content=prompt),),
                max_tokens=asking.max_tokens,
                temperature=asking.temperature,
                seed=seed,
            )
        )

    replies: dict[str, Reply | None] = {}
    outcomes = parallel.in_order(ask, prompts, concurrency=concurrency)
    for prompt, outcome in zip(
        prompts, progress(outcomes, label="textbook synthesize", total=len(prompts)), strict=True
    ):
        if isinstance(outcome.error, BackendError) and not isinstance(outcome.error, BudgetExceeded):
            replies[prompt] = None  # one request without an answer costs one text
        else:
            replies[prompt] = outcome.get()
    if not any(replies.values()):
        raise BackendError(f"{chat.model} answered none of {len(prompts)} requests")
    for start in range(0, len(plan), BATCH):
        some = plan[start : start + BATCH]
        kept, texts, models = [], [], []
        for row in some:
            reply = replies[row.prompt]
            reason = _reason(reply)
            if reason:
                tally.left_out[reason] += 1
            elif reply is not None:
                kept.append(row)
                texts.append(reply.text.strip() + "\n")
                models.append(reply.model or chat.model)
        yield _table(kept, texts, models, tally)


def _reason(reply: Reply | None) -> str:
    if reply is None:
        return FAILED
    if reply.finish == "content_filter":
        return REFUSED
    if reply.finish == "length":
        return CUT
    return "" if reply.text.strip() else EMPTY


def _table(plan: Sequence[Planned], texts: Sequence[str], models: Sequence[str], tally: Tally) -> pa.Table:
    tally.written += len(texts)
    tally.characters += sum(map(len, texts))
    made: list[dict[str, Any]] = [
        {
            "id": row.id,
            "text": text,
            "prompt": row.prompt,
            "subject": row.topic.subject,
            "topic": row.topic.name,
            "audience": row.audience,
            "format": row.form,
            "seed_data": row.extract,
            "generator": model,
        }
        for row, text, model in zip(plan, texts, models, strict=True)
    ]
    return pa.Table.from_pylist(made, SCHEMA)
