"""What a check found: a verdict on a piece of text, with the place in the source that it rests on."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Verdict = Literal[
    # of quantities
    "supported",
    "approximate_ok",
    "scale_error",
    "unit_error",
    "unsupported",
    "direction_error",
    "omitted",
    # of names
    "unknown_name",
    "altered_name",
    "translated_name",
    "expansion_error",
    # of wording
    "superlative",
    "unknown_url",
    "cut_text",
    "wrong_language",
    "too_long",
    "too_short",
    "copied",
    "keyword_absent",
    # of a whole digest
    "altered_quote",
    "section_form",
    "score_form",
    "missing_section",
    "title_mismatch",
    "missing_paper",
    "unknown_paper",
]
Severity = Literal["error", "warning", "note", "pass"]
"""`error`: contradicts or is not in the source. `warning`: a person should look. `note`: worth knowing.
`pass`: was checked and is right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One verdict.

    Attributes
    ----------
    verdict, severity
        What is the matter and how bad it is.
    start, end
        Offsets of `piece` in the text that was checked; equal where something is missing.
    piece
        The text in question, as written; for `omitted` the source's quantity.
    sentence, quote
        Number of the source sentence, from 1 (0 is the title), and its text; None where no sentence bears on it.
    suggestion
        What to write instead; empty when the piece should go.
    reason
        In words, for a person and for a model that has to repair its text.
    """

    verdict: Verdict
    severity: Severity
    start: int
    end: int
    piece: str
    sentence: int | None = None
    quote: str = ""
    suggestion: str = ""
    reason: str = ""

    def __str__(self) -> str:
        source = f" [S{self.sentence}]" if self.sentence is not None else ""
        instead = f"; write {self.suggestion!r}" if self.suggestion else ""
        return f"{self.verdict}: {self.piece!r}: {self.reason}{source}{instead}"

    def moved(self, offset: int) -> "Finding":
        """Return the finding for a text in which this one begins at `offset`."""
        return replace(self, start=self.start + offset, end=self.end + offset)


def make(
    verdict: Verdict,
    severity: Severity,
    span: tuple[int, int],
    piece: str,
    *,
    source: tuple[int, str] | None = None,
    suggestion: str = "",
    reason: str = "",
) -> Finding:
    """Return a finding on `piece` at `span`; `source` is the number and text of the sentence it rests on."""
    number, quote = source if source is not None else (None, "")
    return Finding(
        verdict=verdict,
        severity=severity,
        start=span[0],
        end=span[1],
        piece=piece,
        sentence=number,
        quote=quote,
        suggestion=suggestion,
        reason=reason,
    )


def errors(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that make a text unfit to print."""
    return tuple(finding for finding in findings if finding.severity == "error")
