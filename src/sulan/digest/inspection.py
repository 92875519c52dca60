"""A whole digest against the papers it speaks of: Sulan's own edition, or anybody's Markdown.

Finds what `checks` finds in every field, and what only the whole shows: papers that are missing or unknown,
titles that differ, section forms. `verify` prints it; `write` records it of what it has just written.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sulan.digest import checks, figures, foreign
from sulan.digest.edition import Edition, Passage
from sulan.digest.facts import Facts
from sulan.digest.finding import Finding, Verdict, make
from sulan.digest.foreign import Block, ForeignPaper
from sulan.digest.paper import Paper
from sulan.errors import InputError

WRONG_NUMBERS = ("scale_error", "unit_error", "unsupported")
"""Verdicts that say a number is wrong."""


@dataclass(frozen=True, kw_only=True)
class Located:
    """A finding with the paper it concerns and where it stands: a line of Markdown or a field of an edition."""

    paper: str
    place: str
    finding: Finding


def of_markdown(
    text: str, digest: Path, papers: Mapping[str, Paper], language: Literal["zh", "en"] | None
) -> tuple[list[Located], int]:
    """Return what is to say about a digest in Markdown, and how many papers it shows.

    Parameters
    ----------
    text, digest
        The digest and, for error messages, its file.
    papers
        By id: what it should speak of.
    language
        In which it is written; None: as its text tells.

    Raises
    ------
    InputError
        No paper was found in it.
    """
    shown = foreign.parse(text)
    if not shown:
        raise InputError(f"no paper found in {digest}", hint="a paper is a second-level heading (##)")
    spoken = language or foreign.language(shown)
    found = [
        Located(paper=paper, place=str(line), finding=finding)
        for paper, line, finding in foreign.shape(shown)
    ]
    by_title = {_bare(paper.title): paper for paper in papers.values()}
    met = set()
    for each in shown:
        paper = papers.get(each.id) or by_title.get(_bare(each.title))
        if paper is None:
            reason = "the input has no such paper"
            finding = _plain("unknown_paper", "error", each.id or each.title, reason)
            found.append(Located(paper=each.id, place=str(each.line), finding=finding))
            continue
        met.add(paper.id)
        facts = Facts.read(paper.title, paper.abstract)
        found += _of_paper(each, facts, paper, spoken)
    found += [_missing(paper, "error") for paper in papers.values() if paper.id not in met]
    return found, len(shown)


def _of_paper(
    each: ForeignPaper, facts: Facts, paper: Paper, language: Literal["zh", "en"]
) -> Iterator[Located]:
    def at(line: int, finding: Finding) -> Located:
        return Located(paper=paper.id, place=str(line), finding=finding)

    if _bare(each.title) != _bare(paper.title):
        finding = _plain("title_mismatch", "error", each.title, f"the record says {paper.title!r}")
        yield at(each.line, finding)
    elif "  " in each.title:
        yield at(each.line, _plain("title_mismatch", "note", each.title, "double blanks in the title"))
    for kind in ("main_work", "highlights", "scores"):
        blocks = [block for block in each.blocks(kind) if block.prose.strip()]
        if not blocks and kind != "scores":
            yield at(each.line, _plain("missing_section", "warning", kind, "no such section was recognised"))
        for block in blocks:
            yield from (
                at(block.line_of(finding.start), finding)
                for finding in _of_block(block, facts, paper, language)
            )
    for block in each.blocks("keywords"):
        term, translation = foreign.keyword(block.prose)
        for finding in checks.keyword(term, translation, facts) if term else ():
            yield at(block.line, finding)


def _of_block(block: Block, facts: Facts, paper: Paper, language: Literal["zh", "en"]) -> Sequence[Finding]:
    if block.quoted and checks.is_quote(block.prose, facts):
        return figures.check(block.prose, facts, language="en")
    return checks.check(
        block.prose,
        facts,
        language=language,
        evidence=block.evidence,
        links=_links(paper),
        worded=not block.quoted,
        item=block.item,
    )


def of_edition(
    edition: Edition, papers: Mapping[str, Paper], *, known: Mapping[str, Facts] | None = None
) -> tuple[list[Located], int]:
    """Return what is to say about an edition, and how many papers it shows.

    Parameters
    ----------
    edition
        Sulan's own digest.
    papers
        By id: what it should speak of.
    known
        Facts of papers that were read already, by id.
    """
    known = known or {}

    found = []
    for entry in edition.entries:
        paper = papers.get(entry.paper.id)
        if paper is None:
            finding = _plain("unknown_paper", "error", entry.paper.id, "the input has no such paper")
            found.append(Located(paper=entry.paper.id, place="", finding=finding))
            continue
        if _bare(entry.paper.title) != _bare(paper.title):
            finding = _plain("title_mismatch", "error", entry.paper.title, f"the record says {paper.title!r}")
            found.append(Located(paper=paper.id, place="paper.title", finding=finding))
        facts = known.get(paper.id) or Facts.read(paper.title, paper.abstract)
        for language, summary in entry.summaries.items():
            passages = {
                "main_work": summary.main_work,
                **{f"highlights[{n}]": passage for n, passage in enumerate(summary.highlights)},
                **{f"scores.{name}": score.reason for name, score in summary.scores.items()},
            }
            for field, passage in passages.items():
                found += [
                    Located(paper=paper.id, place=f"{language}.{field}", finding=finding)
                    for finding in _of_passage(passage, facts, paper)
                ]
            for number, keyword in enumerate(summary.keywords):
                found += [
                    Located(paper=paper.id, place=f"{language}.keywords[{number}]", finding=finding)
                    for finding in checks.keyword(keyword.term, keyword.translation, facts)
                ]
    shown = {entry.paper.id for entry in edition.entries}
    # An edition of the best ten is not missing the eleventh.
    severity = "note" if edition.considered > len(edition.entries) else "error"
    found += [_missing(paper, severity) for paper in papers.values() if paper.id not in shown]
    return found, len(edition.entries)


def _of_passage(passage: Passage, facts: Facts, paper: Paper) -> Sequence[Finding]:
    extracted = passage.origin == "extractive" and passage.language == "en" and passage.evidence
    if extracted and checks.is_quote(passage.text, facts):
        return figures.check(passage.text, facts, language="en")
    return checks.check(
        passage.text,
        facts,
        language=passage.language,
        evidence=passage.evidence,
        links=_links(paper),
        worded=passage.origin == "model",
    )


def _links(paper: Paper) -> tuple[str, ...]:
    return tuple(link for link in (paper.url, paper.code_url, paper.project_url) if link)


def _bare(title: str) -> str:
    return "".join(c for c in title.lower() if c.isalnum())


def _missing(paper: Paper, severity: Literal["error", "note"]) -> Located:
    finding = _plain("missing_paper", severity, paper.title, "the digest does not have this paper")
    return Located(paper=paper.id, place="", finding=finding)


def _plain(
    verdict: Verdict, severity: Literal["error", "warning", "note"], piece: str, reason: str
) -> Finding:
    return make(verdict, severity, (0, 0), piece, reason=reason)


def measure(edition: Edition, found: Sequence[Located]) -> dict[str, float | int]:
    """Return what the digest room's own card claims, by the names of its metrics.

    Texts and numbers are counted over all languages, keywords in the first; a passage is a main work or a
    highlight.
    """
    summaries = [summary for entry in edition.entries for summary in entry.summaries.values()]
    passages = [passage for summary in summaries for passage in (summary.main_work, *summary.highlights)]
    wrong = [each.finding for each in found if each.finding.severity == "error"]
    scores = [score.value for summary in summaries for score in summary.scores.values()]
    return {
        "papers": len(edition.entries),
        "passages.with_evidence.share": sum(bool(each.evidence) for each in passages) / max(1, len(passages)),
        "keywords": sum(len(entry.summaries[edition.languages[0]].keywords) for entry in edition.entries),
        "numbers.wrong": sum(finding.verdict in WRONG_NUMBERS for finding in wrong),
        "texts.cut": sum(finding.verdict == "cut_text" for finding in wrong),
        "scores.minimum": min(scores),
    }
