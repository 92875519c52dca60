"""Check a finished digest against the abstracts it speaks of, Sulan's own or anybody's.

What it cannot see: statements without numbers, names, superlatives or directions that no abstract supports, and
whether an abstract itself is right.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sulan.reports.report import Report, Table

if TYPE_CHECKING:
    from sulan.digest.edition import Edition
    from sulan.digest.inspection import Located

MAX_BYTES = 20_000_000
"""Largest digest that is read; a year of editions in one file is smaller."""


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
    from sulan.digest import inputs, inspection

    text = _text(digest)
    papers = {paper.id: paper for paper in inputs.read(input)}
    if digest.suffix == ".json" or text.lstrip()[:1] == "{":
        found, shown = inspection.of_edition(_edition(text, digest), papers)
    else:
        found, shown = inspection.of_markdown(text, digest, papers, language)
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


_ORDER = {"error": 0, "warning": 1, "note": 2}


def _report(digest: Path, found: "Sequence[Located]", *, papers: int, notes: bool) -> Report:
    from sulan.digest.inspection import WRONG_NUMBERS

    severities = Counter(each.finding.severity for each in found)
    passed = Counter(each.finding.verdict for each in found if each.finding.severity == "pass")
    wrong = [
        each for each in found if each.finding.severity == "error" and each.finding.verdict in WRONG_NUMBERS
    ]
    doubtful = sum(
        each.finding.severity == "warning" and each.finding.verdict in WRONG_NUMBERS for each in found
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
