"""From papers to summaries: the embedded engine for every paper, and a model on top where there is one."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sulan.chat import parallel
from sulan.digest import extractive, prompt, sentences
from sulan.digest.assembly import Composed
from sulan.digest.edition import Language, Summary
from sulan.digest.injection import suspicious
from sulan.digest.paper import Paper
from sulan.runs.progress import progress

if TYPE_CHECKING:
    from sulan.chat import Chat


def compose(
    papers: Sequence[Paper],
    *,
    languages: tuple[Language, ...],
    chat: "Chat | None",
    concurrency: int,
    label: str,
) -> Iterator[Composed]:
    """Yield one summary after another, in the order of the papers.

    Parameters
    ----------
    papers
        Of one edition.
    languages
        Of the edition.
    chat
        The model; None: the embedded engine alone.
    concurrency
        Papers under way at once with a model.
    label
        What progress calls this.
    """
    if chat is None:
        for paper in progress(papers, label=label):
            yield extracted(paper, languages=languages)
        return
    model = chat

    def one(paper: Paper) -> Composed:
        return written(paper, languages=languages, chat=model)

    outcomes = parallel.in_order(one, papers, concurrency=concurrency)
    for outcome in progress(outcomes, label=label, total=len(papers)):
        yield outcome.get()


def extracted(paper: Paper, *, languages: tuple[Language, ...]) -> Composed:
    """Return one paper by the embedded engine."""
    numbered = sentences.split(paper.abstract)
    left_out = suspicious(numbered)
    return Composed(
        paper=paper,
        sentences=numbered,
        summaries={
            language: extractive.summarize(paper.title, numbered, language=language, left_out=left_out)
            for language in languages
        },
        engine="extractive",
    )


def written(paper: Paper, *, languages: tuple[Language, ...], chat: "Chat") -> Composed:
    """Return one paper in a model's words, with what failed extracted."""
    from sulan.digest import generative
    from sulan.digest.facts import Facts

    numbered = sentences.split(paper.abstract)
    if not numbered:
        return extracted(paper, languages=languages)
    left_out = suspicious(numbered)

    def extract(language: Language) -> Summary:
        return extractive.summarize(paper.title, numbered, language=language, left_out=left_out)

    # What speaks to the machine is no source either: its number stays, its words go.
    readable = tuple("" if n in left_out else text for n, text in enumerate(numbered, 1))
    facts = Facts(title=paper.title, abstract=" ".join(filter(None, readable)), sentences=readable)
    result = generative.write(facts, languages=languages, chat=chat, extract=extract, left_out=left_out)
    return Composed(
        paper=paper,
        sentences=numbered,
        summaries=result.summaries,
        engine=engine_name(chat),
        prompt_version=prompt.VERSION,
        fallbacks=result.fallbacks,
        facts=facts,
    )


def engine_name(chat: "Chat | None") -> str:
    """Return what a page calls the engine: the model without the address of its server."""
    return chat.model.partition("@")[0] if chat else "extractive"
