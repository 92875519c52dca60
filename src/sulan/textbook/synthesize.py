"""`sulan textbook synthesize`: write what a plan asks for."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sulan.chat.settings import ChatSettings
from sulan.reports.report import Report
from sulan.textbook.asking import Asking


def synthesize(
    plan: Path,
    *,
    out: Path,
    writer: str = "template",
    asking: Annotated[Asking, Parameter(name="*")] = Asking(),
    max_cost: float | None = None,
    chat: ChatSettings = ChatSettings(),
    seed: int = 0,
) -> Report:
    """Write the texts of a plan.

    Parameters
    ----------
    plan
        Folder of `sulan textbook plan`.
    out
        Folder of the corpus. Written aside, renamed when whole.
    writer
        `template`: sentences around what WordNet says, and problems with known answers; offline, in seconds. Or a chat
        model: `openai:MODEL`, `gguf:PATH`, `gguf:smollm2`, `scripted:FILE`.
    asking
        How a chat model writes.
    max_cost
        Stop before a request that may take the total above this, in the currency of the prices.
    chat
        How a chat model is reached. Its cache keeps every reply as it comes: nothing is paid for twice.
    seed
        Of the template writer's choices, and the one that a chat model is asked with.

    Returns
    -------
    Report
        Texts, characters, what was left out and why, calls and cost.

    Raises
    ------
    MissingFile, MissingColumn
        There is no plan at the path.
    BudgetExceeded
        The next request might cost too much; what was paid for is kept.
    BackendError
        No request was answered.
    """
    config = dict(locals())
    from typing import Any

    from sulan import chat as chats
    from sulan.documents.writer import Writer
    from sulan.reports import html
    from sulan.reports.report import Table
    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.textbook import lessons, writing

    rows = writing.rows(plan)
    with (
        outputs.folder(out) as folder,
        record(verb="textbook synthesize", folder=folder, config=config, seed=seed, inputs=[plan]) as run,
    ):
        tally = writing.Tally()
        ledger: dict[str, Any] = {}
        with Writer(folder, schema=writing.SCHEMA) as texts:
            if writer == lessons.NAME:
                for table in writing.by_template(rows, tally, seed=seed):
                    texts.write(table)
            else:
                with chats.open(writer, chat, max_cost=max_cost) as session:
                    for table in writing.by_chat(
                        rows, session, asking, tally, seed=seed, concurrency=chat.concurrency
                    ):
                        texts.write(table)
                    ledger = session.ledger.summary()
        report = Report(
            title="textbook synthesize",
            summary={
                "planned": len(rows),
                "written": tally.written,
                "characters": tally.characters,
                **{f"ledger: {name}": value for name, value in ledger.items()},
            },
            tables=(
                Table(
                    title="Left out", columns=("reason", "texts"), rows=tuple(sorted(tally.left_out.items()))
                ),
            )
            * bool(tally.left_out),
        )
        html.write(report, folder)
        scale = f"{len(rows)} planned texts, {writer}"
        run.metric("written", tally.written, scale=scale)
        run.metric("characters", tally.characters, scale=scale)
        if ledger:
            run.metric("calls", ledger["calls"], scale=scale)
    return report
