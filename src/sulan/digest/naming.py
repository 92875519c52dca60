"""Checks of names: those a text uses, what it says they stand for, and keywords, which are names of subjects."""

import re
from difflib import get_close_matches

from sulan.digest import names
from sulan.digest.facts import Facts
from sulan.digest.finding import Finding, make
from sulan.digest.names import Name

ALIKE = 0.75
"""Least likeness (difflib ratio) of an unknown name to a name of the source that it is taken to be altered from."""

ALIKE_WORD = 0.8
"""The same for a plain capitalised word."""

ALIKE_OPENING = 0.85
"""The same for the first word of an English sentence, which has a capital whatever it is."""

MAX_COMPARED = 50
"""Unknown names of one text that are compared with the source's; a field has a handful."""

_CAPITALISED = re.compile(r"(?<![A-Za-z0-9.\-])[A-Z][a-z]{3,}(?![A-Za-z0-9\-])")

_SMALL_WORDS = frozenset(["a", "an", "the", "of", "for", "and", "in", "on", "with", "to", "via", "by", "or"])


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
        return make("unknown_name", "warning", (name.start, name.end), name.text, reason="not in the source")
    number = next((i for i, s in enumerate((facts.title, *facts.sentences)) if meant in s), None)
    reason = f"the source has {meant!r}"
    return make(
        "altered_name",
        "error",
        (name.start, name.end),
        name.text,
        source=facts.cited(number),
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
            make(
                "expansion_error",
                "error",
                (found.start, found.end),
                piece,
                suggestion=suggestion,
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
        findings.append(make("keyword_absent", "error", span, term, reason=reason))
    elif not any(wanted <= sentence for sentence in facts.stems):
        reason = "its words stand in different sentences of the abstract"
        findings.append(make("keyword_absent", "warning", span, term, reason=reason))
    coined = re.fullmatch(r"[A-Z][a-z0-9]+(?:[A-Z][A-Za-z0-9]*)+", term)
    if coined and translation and term not in translation and names.key(term) not in facts.expansions:
        reason = f"a name is not translated, here as {translation!r}"
        findings.append(make("translated_name", "warning", span, term, suggestion=term, reason=reason))
    return (*findings, *expansions(term, facts))
