"""All checks of a text against one abstract.

`check` is what the pipeline calls for a field of prose, `keyword` for a keyword; each smaller function, here and in
`figures`, `naming` and `wording`, may be called alone. Offsets are those of the text that was passed in.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Literal

from sulan.digest import directions, figures, naming, wording
from sulan.digest.directions import Direction
from sulan.digest.facts import Facts
from sulan.digest.finding import Finding, Severity, make
from sulan.digest.naming import keyword
from sulan.digest.quantities import MAX_TEXT

__all__ = ["check", "compare", "is_quote", "keyword", "known_links", "superlatives"]

_CLAIMS: dict[str, tuple[re.Pattern[str], Severity, str]] = {
    "first": (
        re.compile(
            r"首创|首次|首个|首款|首篇|首例|首度|第一个(?!阶段|问题|步|任务|组)|第一次|开创性|开创了|前所未有|史无前例|"
            r"\bfor the first time\b|\bfirst-ever\b|\bunprecedented\b|\bpioneer\w*|\bgroundbreaking\b|"
            r"\b(?:the|a|is|are) first (?:to\b|(?:\w+ ){0,2}(?:work|study|method|model|system|approach|framework|"
            r"dataset|benchmark|example)\b)",
            re.IGNORECASE,
        ),
        "error",
        "no sentence of the source claims to be first",
    ),
    "best": (
        re.compile(
            r"最先进|最佳|最优(?!化)|最好|最强|最高水平|最新水平|业界领先|领先水平|state[- ]of[- ]the[- ]art|\bSOTA\b|"
            r"\b(?:the|achieves?) best\b|\bunmatched\b|\bunrivall?ed\b",
            re.IGNORECASE,
        ),
        "warning",
        "no sentence of the source claims to be best",
    ),
    "most": (
        re.compile(
            r"绝?大部分|绝?大多数|\bmost of the\b|\bthe majority of\b|\bvast majority\b", re.IGNORECASE
        ),
        "warning",
        "the source does not speak of most",
    ),
}
_MARKUP = re.compile(r"\\[a-z]+|[^a-z0-9.%\u0080-\uffff]|[\u2000-\u206f]")
"""What a page may add to or take from a quoted sentence: TeX commands, white space, ASCII and typographic signs."""
_LINK = re.compile(r"(?:https?://|www\.)[^\s\u3000-\uffef<>()\]]+")


def check(
    text: str,
    facts: Facts,
    *,
    language: Literal["zh", "en"],
    evidence: Sequence[int] = (),
    links: Iterable[str] = (),
    worded: bool = True,
    item: bool = False,
) -> tuple[Finding, ...]:
    """Return everything there is to say about one field of prose, in reading order.

    Parameters
    ----------
    text
        The field; what is over `MAX_TEXT` characters is reported and not read further.
    facts
        Of the paper.
    language
        In which the field should be.
    evidence
        Sentence numbers that the field says it rests on; their other numbers are noted as omitted.
    links
        Links of the record that the text may name, besides those of the abstract.
    worded
        Somebody's own words, so that a long copy is reported; False for quoted sentences.
    item
        A list item: a phrase without inner punctuation needs no full stop.

    Examples
    --------
    >>> facts = Facts.read("SignRound", "We propose SignRound. It needs at most 400 steps.")
    >>> [str(f) for f in check("SignRound仅需4000步。", facts, language="zh") if f.severity == "error"]
    ["scale_error: '4000步': 10 times the source's '400 steps' [S2]; write '400步'"]
    """
    findings = list(wording.length(text, most=MAX_TEXT))
    text = text[:MAX_TEXT]
    findings += wording.language(text, language)
    findings += figures.check(text, facts, language=language, evidence=evidence)
    findings += compare(text, facts)
    findings += naming.known_names(text, facts)
    findings += naming.expansions(text, facts)
    findings += superlatives(text, facts)
    findings += known_links(text, facts, links=links)
    findings += wording.cut(text, item=item)
    if worded:
        findings += wording.copied(text, facts)
    # One word may be wrong about its number and about its names; it is wrong once.
    once: dict[tuple[str, int, int, str], Finding] = {}
    for each in findings:
        once.setdefault((each.verdict, each.start, each.end, each.piece), each)
    return tuple(sorted(once.values(), key=lambda finding: (finding.start, finding.end)))


def is_quote(text: str, facts: Facts) -> bool:
    """Return whether `text` is one or more sentences of the abstract, character by character but for markup.

    Examples
    --------
    >>> facts = Facts.read("", r"We train \\textbf{phi-1.5}. It is small.")
    >>> is_quote("We train phi-1.5.", facts), is_quote("We train phi-1.", facts)
    (True, False)
    """
    wanted = _letters(text)
    ends = [0, *accumulate(len(_letters(sentence)) for sentence in facts.sentences)]
    whole = "".join(_letters(sentence) for sentence in facts.sentences)
    return bool(wanted) and any(whole.startswith(wanted, end) and end + len(wanted) in ends for end in ends)


def _letters(text: str) -> str:
    return _MARKUP.sub("", text.lower())


def compare(text: str, facts: Facts) -> tuple[Finding, ...]:
    """Return a finding for each comparison or change that the source has the other way round.

    A comparison of the source bears on one of the text when they share a name; when none does, all comparisons
    of the source must point one way to count against it. A change ("improves") bears on one of the text only
    through a shared name and where both have no other, and then gives a warning.

    Examples
    --------
    >>> facts = Facts.read("", "FIAT outperforms ICL.")
    >>> [f.verdict for t in ("FIAT优于ICL。", "ICL不如FIAT。", "FIAT劣于ICL。") for f in compare(t, facts)]
    ['direction_error']
    """
    comparisons = [pair for pair in facts.directions if pair[1].kind == "comparison"]
    changes = [pair for pair in facts.directions if pair[1].kind != "comparison"]
    findings: list[Finding] = []
    if not facts.directions:
        return ()
    found = directions.find(text)
    several = sum(said.kind != "comparison" for said in found) > 1
    for said in found:
        compares = said.kind == "comparison"
        there = comparisons if compares else changes
        named = [pair for pair in there if _same_names(said, pair[1])]
        linked = (named or comparisons) if compares else ([] if several or len(named) > 1 else named)
        if linked and all(directions.contradict(said, meant) for _, meant in linked):
            number, meant = linked[0]
            severity: Severity = "error" if compares else "warning"
            reason = f"the source says {meant.text!r}"
            findings.append(
                make(
                    "direction_error",
                    severity,
                    (said.start, said.end),
                    said.text,
                    source=facts.cited(number),
                    reason=reason,
                )
            )
    return tuple(findings)


def _same_names(a: Direction, b: Direction) -> bool:
    return bool((a.left | a.right) & (b.left | b.right))


def superlatives(text: str, facts: Facts) -> tuple[Finding, ...]:
    """Return a finding for each claim to be first, best or most that the source does not make.

    Examples
    --------
    >>> facts = Facts.read("", "We present NExT-GPT, an any-to-any system.")
    >>> [(f.piece, f.severity) for f in superlatives("首创任意到任意的系统，首先介绍动机。", facts)]
    [('首创', 'error')]
    """
    findings = []
    for kind, (pattern, severity, reason) in _CLAIMS.items():
        match = pattern.search(text)
        if match and facts.cue(kind) is None:
            findings += [
                make("superlative", severity, found.span(), found.group(), reason=reason)
                for found in pattern.finditer(text)
            ]
    return tuple(findings)


def known_links(text: str, facts: Facts, *, links: Iterable[str] = ()) -> tuple[Finding, ...]:
    """Return an error for each link that neither the abstract nor the record has.

    Examples
    --------
    >>> facts = Facts.read("", "Code: https://github.com/intel/neural-compressor soon.")
    >>> [f.piece for f in known_links("见 https://github.com/intel/x。", facts)]
    ['https://github.com/intel/x']
    """
    known = facts.links | {link.rstrip("/") for link in links} | set(links)
    findings = []
    for match in _LINK.finditer(text):
        link = match.group().rstrip(".,;:!?'\"*`")
        if link not in known and link.rstrip("/") not in known:
            reason = "a link that the record does not have"
            findings.append(
                make(
                    "unknown_url",
                    "error",
                    (match.start(), match.start() + len(link)),
                    link,
                    reason=reason,
                )
            )
    return tuple(findings)
