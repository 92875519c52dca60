"""`sulan digest write`: one day's papers as an edition in every format."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sulan.chat.settings import ChatSettings
from sulan.reports.report import Report, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sulan.digest.edition import Edition
    from sulan.reports.report import Cell

SCORES = ("practicality", "novelty", "recommendation")


def write(
    date: str,
    *,
    out: Path,
    input: Path | None = None,
    engine: str = "extractive",
    lang: tuple[Literal["zh", "en"], ...] = ("zh", "en"),
    top: int | None = None,
    min_upvotes: int = 0,
    keywords: tuple[str, ...] = (),
    offline: bool = False,
    max_cost: float | None = None,
    store: Path | None = None,
    chat: ChatSettings = ChatSettings(),
) -> Report:
    """Write the digest of one day.

    Parameters
    ----------
    date
        The day on the daily list, `YYYY-MM-DD`, UTC.
    out
        Folder of the edition: Markdown per language, `edition.json`, `index.html`, feeds, mail, `run.json`.
        Written aside, renamed when whole.
    input
        Read the papers from this file instead of the store or the network; `-` is standard input. JSON of the
        Hub's API, JSONL, a list of ids, Atom, BibTeX or an `edition.json`.
    engine
        `extractive`: the abstract's own sentences, no model (the default: it cannot state what the abstract
        does not). Else a chat model, whose every field is verified: `openai:MODEL` (any OpenAI-compatible
        server; `openai` alone for the one model of a server that has one), `gguf:PATH`, `gguf:smollm2`,
        `gguf:gemma`, `scripted:FILE`.
    lang
        Languages of the edition; the first names the main files. Default: both that the glossary has.
    top
        Keep the papers with the most votes, so many.
    min_upvotes
        Keep papers with at least so many votes.
    keywords
        Keep papers whose title or abstract has one of these, whatever the case.
    offline
        Make no call: the store, the replay cache and the day that ships with Sulan must do.
    max_cost
        Stop asking the model before its calls cost more, in the currency of `chat.price_in` and
        `chat.price_out`; the rest of the day is extracted.
    store
        Folder of the store that `sulan digest fetch` fills. Default: the user's data folder.
    chat
        How to reach the model.

    Returns
    -------
    Report
        Papers with rank, scores and fallbacks; exit code 3 when a field fell back.

    Raises
    ------
    InputError
        No such date or engine, a day in the future, a day without papers, no paper that passes the filters.
    BackendError
        The list could not be fetched and is not stored.
    """
    config = dict(locals())
    from sulan import chat as chats
    from sulan.digest import assembly, composition, inspection, listing, notices, render
    from sulan.runs import outputs
    from sulan.runs.record import now, record

    languages = tuple(dict.fromkeys(lang))
    day, time = listing.today(date)
    before = assembly.previous(out)
    listed = listing.gather(day, file=input, store=store, offline=offline, now=time)
    papers = listing.select(listed.papers, top=top, min_upvotes=min_upvotes, keywords=keywords)
    read = [input] if input and str(input) != "-" else []
    with ExitStack() as stack:
        session = None
        if engine != "extractive":
            session = stack.enter_context(chats.open(engine, chat, max_cost=max_cost))
        folder = stack.enter_context(outputs.folder(out))
        run = stack.enter_context(record(verb="digest write", folder=folder, config=config, inputs=read))
        composed = list(
            composition.compose(
                papers,
                languages=languages,
                chat=session,
                concurrency=chat.concurrency,
                label=f"write {date}",
            )
        )
        edition = assembly.assemble(
            composed,
            day=date,
            state=listed.state,
            source=listed.source,
            engine=composition.engine_name(session),
            languages=languages,
            notices=notices.of(composed, listed=listed, languages=languages),
            considered=len(listed.papers),
            listed_at=listed.listed_at,
            before=before,
            now=now(),
        )
        render.render(edition, folder)
        reasons = [f"{each.paper.id} {reason}" for each in composed for reason in each.fallbacks]
        for reason in (*listed.problems, *reasons):
            run.partial(reason)
        usage = session.ledger.summary() if session else {}
        scale = f"{len(papers)} papers, {edition.engine}, {' and '.join(languages)}"
        found, _ = inspection.of_edition(
            edition,
            {paper.id: paper for paper in papers},
            known={each.paper.id: each.facts for each in composed if each.facts},
        )
        for name, value in inspection.measure(edition, found).items():
            run.metric(name, value, scale=scale)
        for name, value in usage.items():
            if value is not None:
                run.metric(f"chat.{name}", value, scale=scale)
    return _report(edition, out=out, usage=usage, problems=(*listed.problems, *reasons))


def _report(
    edition: "Edition", *, out: Path, usage: "Mapping[str, Cell]", problems: "tuple[str, ...]"
) -> Report:
    first = edition.languages[0]
    rows = [
        (
            entry.rank,
            entry.paper.id,
            entry.paper.title,
            *(entry.summaries[first].scores[name].value for name in SCORES),
            len(entry.fallbacks),
        )
        for entry in edition.entries
    ]
    return Report(
        title=f"digest write {edition.day}",
        summary={
            "papers": len(edition.entries),
            "engine": edition.engine,
            "source": edition.source,
            "state": edition.state,
            "revision": edition.revision,
            "fallbacks": sum(len(entry.fallbacks) for entry in edition.entries),
            **usage,
            "out": str(out),
        },
        tables=(
            Table(
                title="Papers",
                columns=("rank", "id", "title", *SCORES, "fallbacks"),
                rows=tuple(rows),
            ),
            *(
                (
                    Table(
                        title="What fell back, and why",
                        columns=("reason",),
                        rows=tuple((p,) for p in problems),
                    ),
                )
                if problems
                else ()
            ),
        ),
        notes=edition.notices[first],
        exit_code=3 if problems else 0,
    )
