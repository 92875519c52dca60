"""All checks of a text against one abstract, and the ones that need its names.

`check` is what the pipeline calls for a field of prose, `keyword` for a keyword; each smaller function may be
called alone. Offsets are those of the text that was passed in.
"""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import accumulate
from typing import Literal

from sulan.digest import directions, figures, names, wording
from sulan.digest.directions import Direction
from sulan.digest.facts import Facts
from sulan.digest.finding import Finding, Severity, Verdict
from sulan.digest.names import Name
from sulan.digest.quantities import MAX_TEXT

ALIKE = 0.75
"""Least likeness (difflib ratio) of an unknown name to a name of the source that it is taken to be altered from."""

ALIKE_WORD = 0.8
"""The same for a plain capitalised word."""

ALIKE_OPENING = 0.85
"""The same for the first word of an English sentence, which has a capital whatever it is."""

MAX_COMPARED = 50
"""Unknown names of one text that are compared with the source's; a field has a handful."""

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
_CAPITALISED = re.compile(r"(?<![A-Za-z0-9.\-])[A-Z][a-z]{3,}(?![A-Za-z0-9\-])")
_SMALL_WORDS = frozenset(["a", "an", "the", "of", "for", "and", "in", "on", "with", "to", "via", "by", "or"])


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
    findings += known_names(text, facts)
    findings += expansions(text, facts)
    findings += superlatives(text, facts)
    findings += known_links(text, facts, links=links)
    findings += wording.cut(text, item=item)
    if worded:
        findings += wording.copied(text, facts)
    return tuple(sorted(findings, key=lambda finding: (finding.start, finding.end)))


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
                _found(
                    "direction_error",
                    severity,
                    (said.start, said.end),
                    said.text,
                    facts,
                    number,
                    reason=reason,
                )
            )
    return tuple(findings)


def _same_names(a: Direction, b: Direction) -> bool:
    return bool((a.left | a.right) & (b.left | b.right))


def known_names(text: str, facts: Facts) -> tuple[Finding, ...]:
    """Return a finding for each name that the source does not have.

    `altered_name` is an error: another name of the source is so like it that it must be meant. `unknown_name`
    is a warning: a writer may name what everybody knows.

    Examples
    --------
    >>> facts = Facts.read("", "We release phi-1.5, trained on TinyStories.")
    >>> [(f.verdict, f.piece, f.suggestion) for f in known_names("phi-15 and LLaMA on Tiny-Stories", facts)]
    [('altered_name', 'phi-15', 'phi-1.5'), ('unknown_name', 'LLaMA', '')]
    """
    findings = []
    altered: dict[str, str] = {}
    for name in names.find(text):
        if _known(name, facts):
            continue
        if name.key not in altered:
            altered[name.key] = _altered_from(name.key, facts.names) if len(altered) < MAX_COMPARED else ""
        if altered[name.key] or not _made_of_known(name, facts):
            findings.append(_name_finding(name, altered[name.key], facts))
    return (*findings, *_capitalised(text, facts))


def _known(name: Name, facts: Facts) -> bool:
    if name.key in facts.name_keys or name.key in names.WELL_KNOWN:
        return True
    # "in-context learning" in the source lets a summary write ICL.
    letters = name.text.removesuffix("s")
    return letters.isalpha() and letters.isupper() and len(letters) > 2 and letters.lower() in facts.initials


def _made_of_known(name: Name, facts: Facts) -> bool:
    keys = [names.key(part) for part in names.parts(name.text)]
    return bool(keys) and all(key in facts.name_keys or key in names.WELL_KNOWN for key in keys)


def _altered_from(key: str, candidates: dict[str, str]) -> str:
    letters = re.sub(r"[\d.]", "", key)
    for other, written in candidates.items():
        if letters != key and other != re.sub(r"[\d.]", "", other) == letters:
            return written  # only digits differ: phi-15, GPT-3 for GPT-4
    close = get_close_matches(key, candidates, n=1, cutoff=ALIKE if len(key) > 3 else 0.6)
    return candidates[close[0]] if close else ""


def _name_finding(name: Name, meant: str, facts: Facts) -> Finding:
    if not meant:
        return _found(
            "unknown_name", "warning", (name.start, name.end), name.text, facts, reason="not in the source"
        )
    number = next((i for i, s in enumerate((facts.title, *facts.sentences)) if meant in s), None)
    reason = f"the source has {meant!r}"
    return _found(
        "altered_name",
        "error",
        (name.start, name.end),
        name.text,
        facts,
        number,
        suggestion=meant,
        reason=reason,
    )


def _capitalised(text: str, facts: Facts) -> list[Finding]:
    """Return altered names that look like plain words: "Polgylint" for "Polyglint".

    Words that the source also writes in lower case are no names.
    """
    known = facts.capitalised
    findings: list[Finding] = []
    for match in _CAPITALISED.finditer(text) if known else ():
        word = match.group()
        opens = (
            text[max(0, match.start() - 2) : match.start()].rstrip()[-1:] in ("", ".", "!", "?", ":")
            and text[match.end() : match.end() + 1] in " ,"
        )
        stem = names.stem(word)
        if len(findings) >= MAX_COMPARED or any(stem in sentence for sentence in facts.stems):
            continue
        close = get_close_matches(word, known, n=1, cutoff=ALIKE_OPENING if opens else ALIKE_WORD)
        if close:
            name = Name(start=match.start(), end=match.end(), text=word, key=names.key(word))
            findings.append(_name_finding(name, close[0], facts))
    return findings


def expansions(text: str, facts: Facts) -> tuple[Finding, ...]:
    """Return an error for each acronym that is said to stand for words which the source does not have.

    Examples
    --------
    >>> facts = Facts.read("FIAT: Fusing learning paradigms with Instruction-Accelerated Tuning", "")
    >>> [f.piece for f in expansions("FIAT (Fusing Instruction-Accelerated Tuning)", facts)]
    ['FIAT (Fusing Instruction-Accelerated Tuning']
    """
    source = names.key(f"{facts.title} {facts.abstract}")
    findings = []
    for found in names.expansions(text):
        acronym, words = names.key(found.acronym), names.key(found.words)
        stated = facts.expansions.get(acronym, names.WELL_KNOWN.get(acronym, ""))
        if words in source or (stated and get_close_matches(words, [names.key(stated)], cutoff=0.9)):
            continue
        reason = f"the source says {stated!r}" if stated else "the source does not say what it stands for"
        suggestion = f"{found.acronym} ({stated})" if stated else found.acronym
        piece = text[found.start : found.end]
        findings.append(
            _found(
                "expansion_error",
                "error",
                (found.start, found.end),
                piece,
                facts,
                suggestion=suggestion,
                reason=reason,
            )
        )
    return tuple(findings)


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
                _found("superlative", severity, found.span(), found.group(), facts, reason=reason)
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
                _found(
                    "unknown_url",
                    "error",
                    (match.start(), match.start() + len(link)),
                    link,
                    facts,
                    reason=reason,
                )
            )
    return tuple(findings)


def keyword(term: str, translation: str, facts: Facts) -> tuple[Finding, ...]:
    """Return what is wrong with one keyword: its English side must occur, a coined name is not translated.

    Every word of the term must occur in some form: in one sentence, or a warning says that they are scattered.

    Examples
    --------
    >>> facts = Facts.read("SignRound for LLMs", "We estimate data quality. Our models use SignRound.")
    >>> keyword("Data Quality Estimation", "数据质量评估", facts)
    ()
    >>> [f.verdict for f in (*keyword("Diffusion", "扩散", facts), *keyword("SignRound", "符号圆", facts))]
    ['keyword_absent', 'translated_name']
    """
    outside = re.sub(r"[(（][^()（）]*[)）]", " ", term)
    wanted = names.stems(outside) - _SMALL_WORDS
    span = (0, len(term))
    findings: list[Finding] = []
    everywhere = frozenset[str]().union(*facts.stems)
    missing = wanted - everywhere
    if missing:
        reason = "the abstract does not have it"
        findings.append(_found("keyword_absent", "error", span, term, facts, reason=reason))
    elif not any(wanted <= sentence for sentence in facts.stems):
        reason = "its words stand in different sentences of the abstract"
        findings.append(_found("keyword_absent", "warning", span, term, facts, reason=reason))
    coined = re.fullmatch(r"[A-Z][a-z0-9]+(?:[A-Z][A-Za-z0-9]*)+", term)
    if coined and translation and term not in translation and names.key(term) not in facts.expansions:
        reason = f"a name is not translated, here as {translation!r}"
        findings.append(
            _found("translated_name", "warning", span, term, facts, suggestion=term, reason=reason)
        )
    return (*findings, *expansions(term, facts))


def _found(
    verdict: Verdict,
    severity: Severity,
    span: tuple[int, int],
    piece: str,
    facts: Facts,
    number: int | None = None,
    *,
    suggestion: str = "",
    reason: str = "",
) -> Finding:
    return Finding(
        verdict=verdict,
        severity=severity,
        start=span[0],
        end=span[1],
        piece=piece,
        sentence=number,
        quote=facts.quote(number) if number is not None else "",
        suggestion=suggestion,
        reason=reason,
    )
