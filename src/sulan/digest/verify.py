"""Check a finished digest against the abstracts it speaks of, Sulan's own or anybody's.

What it cannot see: statements without numbers, names, superlatives or directions that no abstract supports, and
whether an abstract itself is right.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sulan.reports.report import Report, Table

if TYPE_CHECKING:
    from sulan.digest.edition import Edition, Passage
    from sulan.digest.facts import Facts
    from sulan.digest.finding import Finding, Verdict
    from sulan.digest.foreign import Block, ForeignPaper
    from sulan.digest.paper import Paper

MAX_BYTES = 20_000_000
"""Largest digest that is read; a year of editions in one file is smaller."""


@dataclass(frozen=True, kw_only=True)
class Located:
    """A finding with the paper it concerns and where it stands: a line of Markdown or a field of an edition."""

    paper: str
    place: str
    finding: "Finding"


def verify(
    digest: Path,
    *,
    input: Path,
    language: Literal["zh", "en"] | None = None,
    notes: bool = False,
) -> Report:
    """Check the numbers, names and wording of a digest against the papers' abstracts.

    Parameters
    ----------
    digest
        A digest in Markdown, from whatever program, or the `edition.json` of `sulan digest write`.
    input
        The papers, in any form that `sulan digest fetch --input` reads; the Hub's JSON array for one.
    language
        In which a Markdown digest is written. Default: that of its section headings. An edition says it of every
        passage.
    notes
        List also what is only worth knowing, such as numbers of the abstract that the digest leaves out.

    Returns
    -------
    Report
        One row a finding, errors first: severity, verdict, paper, place, piece, source sentence, suggestion.
        The exit code is 1 when there is an error.

    Raises
    ------
    MissingFile
        There is no such file.
    InputError
        The digest is too large, not UTF-8, or holds no paper.
    BrokenArtefact
        The edition is damaged or of another schema.
    """
    from sulan.digest import inputs

    text = _text(digest)
    papers = {paper.id: paper for paper in inputs.read(input)}
    if digest.suffix == ".json" or text.lstrip()[:1] == "{":
        found, shown = _of_edition(_edition(text, digest), papers)
    else:
        found, shown = _of_markdown(text, digest, papers, language)
    return _report(digest, found, papers=shown, notes=notes)


def _text(digest: Path) -> str:
    from sulan.errors import InputError, MissingFile

    try:
        if digest.stat().st_size > MAX_BYTES:
            raise InputError(f"{digest} is larger than {MAX_BYTES:,} bytes")
        return digest.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise MissingFile(f"no digest at {digest}") from error
    except (IsADirectoryError, UnicodeDecodeError) as error:
        raise InputError(f"{digest} is not a text file", hint="give a .md file or an edition.json") from error


def _edition(text: str, digest: Path) -> "Edition":
    from pydantic import ValidationError

    from sulan.digest.edition import Edition
    from sulan.errors import BrokenArtefact

    try:
        return Edition.model_validate_json(text)
    except ValidationError as error:
        raise BrokenArtefact(f"{digest} is not an edition: {error.errors()[0]['msg']}") from error


def _of_markdown(
    text: str, digest: Path, papers: dict[str, "Paper"], language: Literal["zh", "en"] | None
) -> tuple[list[Located], int]:
    from sulan.digest import foreign
    from sulan.digest.facts import Facts
    from sulan.errors import InputError

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
    each: "ForeignPaper", facts: "Facts", paper: "Paper", language: Literal["zh", "en"]
) -> Iterator[Located]:
    from sulan.digest import checks, foreign

    def at(line: int, finding: "Finding") -> Located:
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


def _of_block(
    block: "Block", facts: "Facts", paper: "Paper", language: Literal["zh", "en"]
) -> "Sequence[Finding]":
    from sulan.digest import checks, figures

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


def _of_edition(edition: "Edition", papers: dict[str, "Paper"]) -> tuple[list[Located], int]:
    from sulan.digest import checks
    from sulan.digest.facts import Facts

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
        facts = Facts.read(paper.title, paper.abstract)
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


def _of_passage(passage: "Passage", facts: "Facts", paper: "Paper") -> "Sequence[Finding]":
    from sulan.digest import checks, figures

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


def _links(paper: "Paper") -> tuple[str, ...]:
    return tuple(link for link in (paper.url, paper.code_url, paper.project_url) if link)


def _bare(title: str) -> str:
    return "".join(c for c in title.lower() if c.isalnum())


def _missing(paper: "Paper", severity: Literal["error", "note"]) -> Located:
    finding = _plain("missing_paper", severity, paper.title, "the digest does not have this paper")
    return Located(paper=paper.id, place="", finding=finding)


def _plain(
    verdict: "Verdict", severity: Literal["error", "warning", "note"], piece: str, reason: str
) -> "Finding":
    from sulan.digest.finding import make

    return make(verdict, severity, (0, 0), piece, reason=reason)


_ORDER = {"error": 0, "warning": 1, "note": 2}
_WRONG_NUMBERS = ("scale_error", "unit_error", "unsupported")


def _report(digest: Path, found: Sequence[Located], *, papers: int, notes: bool) -> Report:
    severities = Counter(each.finding.severity for each in found)
    passed = Counter(each.finding.verdict for each in found if each.finding.severity == "pass")
    wrong = [
        each for each in found if each.finding.severity == "error" and each.finding.verdict in _WRONG_NUMBERS
    ]
    doubtful = sum(
        each.finding.severity == "warning" and each.finding.verdict in _WRONG_NUMBERS for each in found
    )
    listed = sorted(
        (each for each in found if each.finding.severity in ("error", "warning", "note")[: 2 + notes]),
        key=lambda each: _ORDER[each.finding.severity],
    )
    rows = tuple(
        (
            each.finding.severity,
            each.finding.verdict,
            each.paper,
            each.place,
            each.finding.piece,
            f"[S{each.finding.sentence}] {each.finding.quote}" if each.finding.sentence is not None else "",
            each.finding.suggestion,
            each.finding.reason,
        )
        for each in listed
    )
    columns = ("severity", "verdict", "paper", "place", "piece", "source", "suggestion", "reason")
    hidden = severities["note"] and not notes
    return Report(
        title=f"digest verify {digest.name}",
        summary={
            "papers": papers,
            "numbers checked": sum(passed.values()) + doubtful + len(wrong),
            "numbers supported": passed["supported"],
            "numbers rounded": passed["approximate_ok"],
            "wrong numbers": len(wrong),
            "errors": severities["error"],
            "warnings": severities["warning"],
            "notes": severities["note"],
        },
        tables=(Table(title="Findings", columns=columns, rows=rows),) if rows else (),
        notes=(f"{severities['note']} notes are not listed; --notes lists them.",) if hidden else (),
        exit_code=1 if severities["error"] else 0,
    )
