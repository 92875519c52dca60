"""`sulan tune reason`: what a large frozen model thinks about every input of a task."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sulan.chat.settings import ChatSettings
from sulan.reports.report import Report
from sulan.tune.settings import Teaching


def reason(
    task: Path,
    *,
    out: Path,
    teacher: str = "gemma",
    teaching: Annotated[Teaching, Parameter(name="*")] = Teaching(),
    max_cost: float | None = None,
    chat: ChatSettings = ChatSettings(),
) -> Report:
    """Let a large frozen model write a rationale for every input of a task; it never sees an answer.

    Parameters
    ----------
    task
        Folder with a `task.toml`, or the file.
    out
        Folder for the rationales, a corpus. Written aside, renamed when whole.
    teacher
        The frozen model: `gemma`, `smollm2`, a checkpoint folder, a `.gguf` file or an id on the Hub, which run here;
        or a chat model, `openai:MODEL`, `gguf:PATH`, `scripted:FILE`. Default: the larger of the built-in ones.
    teaching
        How it is asked.
    max_cost
        Stop before a request that may take the total above this, in the currency of the prices.
    chat
        How a chat model is reached. Its cache keeps the replies of models that run here as well.

    Returns
    -------
    Report
        Rationales by what became of them, calls, tokens, cost and seconds.

    Raises
    ------
    MissingFile, InputError
        There is no such task or model, or the task's splits leak into one another.
    BudgetExceeded
        The next request might cost too much; what was paid for is kept.
    """
    config = dict(locals())
    import time
    from collections import Counter
    from dataclasses import asdict

    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.tune import rationales, teachers
    from sulan.tune import task as tasks

    read = tasks.read(task)
    with (
        outputs.folder(out) as folder,
        record(verb="tune reason", folder=folder, config=config, inputs=[task]) as run,
    ):
        begun = time.perf_counter()
        opened = teachers.open_teacher(teacher, settings=chat, max_cost=max_cost, batch=teaching.batch)
        try:
            found = rationales.write(opened, read, read.examples, teaching)
            origin = rationales.Origin(
                teacher=teacher,
                identity=opened.identity,
                words=rationales.words(read, teaching),
                teaching=asdict(teaching),
            )
            ledger = opened.session.ledger.summary()
        finally:
            opened.close()
        rationales.save(found, read.examples, origin, folder)
        statuses = Counter(each.status for each in found.values())
        written = sum(each.completion_tokens for each in found.values())
        scale = f"{read.name}, {len(found)} inputs, {teacher}"
        run.metric("calls", ledger["calls"], scale=scale)
        run.metric("tokens.written", written, scale=scale)
        run.metric("seconds", round(time.perf_counter() - begun, 2), scale=scale)
    named = rationales.naming({name: each.text for name, each in found.items()}, read.examples)
    return Report(
        title=f"tune reason {read.name}",
        summary={
            "inputs": len(found),
            **{f"rationales {status}": count for status, count in sorted(statuses.items())},
            "name the answer": round(named, 3),
            **{f"ledger: {name}": value for name, value in ledger.items()},
            "out": str(out),
        },
        notes=read.notes,
    )
