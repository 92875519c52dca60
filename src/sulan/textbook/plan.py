"""`sulan textbook plan`: what is to be written, as prompts with an estimate of what they cost."""

from pathlib import Path

from sulan.chat.settings import ChatSettings
from sulan.reports.report import Report
from sulan.textbook.outline import AUDIENCES, FORMS, Audience, Form


def plan(
    topics: Path = Path("builtin"),
    *,
    out: Path,
    count: int = 1000,
    audiences: tuple[Audience, ...] = AUDIENCES,
    forms: tuple[Form, ...] = FORMS,
    web: Path | None = None,
    max_tokens: int = 2500,
    chat: ChatSettings = ChatSettings(),
    seed: int = 0,
) -> Report:
    """Plan texts: topic by audience by form, with extracts of web pages for variety.

    Parameters
    ----------
    topics
        Topic tree (TOML), a text file with one topic a line, or `builtin`: the one that comes with Sulan. The paper
        began from 20 thousand topics picked by hand, which it did not release.
    out
        Folder of the plan, a corpus whose texts are the prompts. Written aside, renamed when whole.
    count
        Texts. Every combination comes as often as any other, give or take one.
    audiences, forms
        What topics are combined with.
    web
        Corpus whose texts the extracts are taken from; half of the prompts then have one.
    max_tokens
        Longest text, for the estimate. Default: 2500, as in Cosmopedia.
    chat
        Prices for the estimate; a plan asks no model.
    seed
        Of the order and the extracts.

    Returns
    -------
    Report
        Texts by form and audience, tokens at most, and what they may cost.

    Raises
    ------
    MissingFile
        There are no topics or web pages at a path.
    InputError
        The topics are no topic tree, or nothing is asked for.
    """
    config = dict(locals())
    from collections import Counter

    import pyarrow as pa

    from sulan.chat.ledger import Price, prompt_bound
    from sulan.chat.protocol import Message, Request
    from sulan.documents import reader, writer
    from sulan.errors import InputError
    from sulan.reports import html
    from sulan.reports.report import Table
    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.textbook import outline
    from sulan.textbook import topics as trees

    if count < 1 or max_tokens < 1 or not audiences or not forms:
        raise InputError("a plan needs a count, a longest text, an audience and a form")
    tree = trees.read(topics)
    extracts = reader.columns(web, ["text"])["text"].to_pylist() if web else []
    inputs = [path for path in (topics, web) if path and path != trees.BUILT_IN]
    with (
        outputs.folder(out) as folder,
        record(verb="textbook plan", folder=folder, config=config, seed=seed, inputs=inputs) as run,
    ):
        rows = outline.planned(tree, extracts, count=count, audiences=audiences, forms=forms, seed=seed)
        writer.write([pa.Table.from_pylist([row.row() for row in rows], outline.SCHEMA)], folder)
        unique = dict.fromkeys(row.prompt for row in rows)
        asked = sum(
            prompt_bound(Request(messages=(Message(role="user", content=prompt),), max_tokens=max_tokens))
            for prompt in unique
        )
        written = len(unique) * max_tokens
        cost = None
        if chat.price_in is not None and chat.price_out is not None:
            price = Price(prompt=chat.price_in, completion=chat.price_out)
            cost = round(price.cost(prompt_tokens=asked, completion_tokens=written), 4)
        cells = Counter((row.form, row.audience) for row in rows)
        report = Report(
            title="textbook plan",
            summary={
                "texts": len(rows),
                "topics": len(tree),
                "requests": len(unique),
                "with a web extract": sum(bool(row.extract) for row in rows),
                "prompt tokens at most": asked,
                "written tokens at most": written,
                "cost at most": cost,
            },
            tables=(
                Table(
                    title="Texts",
                    columns=("form", "audience", "texts"),
                    rows=tuple((*cell, found) for cell, found in sorted(cells.items())),
                ),
            ),
        )
        html.write(report, folder)
        run.metric("requests", len(unique), scale=f"{len(rows)} texts, {len(tree)} topics")
    return report
