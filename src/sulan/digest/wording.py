"""Checks of the wording itself: is the text whole, in the right language, of the right length, its own?

Nothing here needs the numbers or names of the source; `checks` has those.
"""

import re
from functools import lru_cache
from typing import Literal

from sulan.digest.facts import Facts
from sulan.digest.finding import Finding, Severity, Verdict, make

MAX_COPIED = 25
"""Consecutive tokens of the abstract that a worded field may repeat: a long clause, less than a sentence."""

CHINESE_SHARE = 0.4
"""Least share of Chinese characters among characters and Latin words in Chinese prose that is full of names."""

FOREIGN_SHARE = 0.2
"""Most of another script that English prose may hold."""

_CLOSERS = "\"'”’»)]}」』）】*`_ \n"
_STOPS = "。！？.!?"
_ELLIPSES = ("…", "...", "。。。")
_INNER_STOP = re.compile(r"[，。；！？,;]|[.!?](?=\s)")
_DANGLING = tuple("，、；：,;:（([【《“‘-—")
_UNFINISHED = re.compile(
    r"[了的地得和与及在对为以从将把被具并或而于向使]$|\b(?:the|an?|of|to|and|or|with|for|in|on|by|that|which|is|are|as)$",
    re.IGNORECASE,
)
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_OTHER = re.compile(r"[\u3040-\u30ff\uac00-\ud7af\u0400-\u04ff\u0600-\u06ff\u0e00-\u0e7f]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+")
_TOKEN = re.compile(r"[A-Za-z0-9]+|[\u3400-\u9fff]")


def cut(text: str, *, item: bool = False) -> tuple[Finding, ...]:
    """Return a finding when `text` ends in the middle.

    Parameters
    ----------
    text
        One paragraph or list item.
    item
        A list item without any inner punctuation is a phrase and needs no full stop, unless its last word asks
        for another one.

    Examples
    --------
    >>> [finding.piece for finding in cut("因其为进一步发展更人性化的AI研究铺平了")]
    ['更人性化的AI研究铺平了']
    >>> cut("该方法有效。"), cut("多模态适配器", item=True)
    ((), ())
    """
    bare = text.rstrip(_CLOSERS)
    if not bare:
        return ()
    whole = bare[-1] in _STOPS and not bare.endswith(_ELLIPSES)
    open_end = bare.endswith((*_DANGLING, *_ELLIPSES)) or _UNFINISHED.search(bare[-8:])
    phrase = item and not _INNER_STOP.search(bare) and not open_end
    if whole or phrase:
        return ()
    start = max(0, len(bare) - 12)
    return _at("cut_text", "error", text, (start, len(bare)), "the text has no end")


def language(text: str, wanted: Literal["zh", "en"]) -> tuple[Finding, ...]:
    """Return a finding when prose is not in the language wanted.

    Six characters or words are the least that a language is told from.

    Examples
    --------
    >>> [f.verdict for f in language("We propose a new method for tuning.", "zh")]
    ['wrong_language']
    >>> language("FIAT在多语言任务上优于ICL。", "zh")
    ()
    """
    chinese = len(_CHINESE.findall(text))
    other = len(_OTHER.findall(text))
    latin = len(_LATIN.findall(text))
    total = chinese + latin + other
    if total < 6:
        return ()
    if wanted == "zh":
        right = chinese >= CHINESE_SHARE * total and other <= FOREIGN_SHARE * total
    else:
        right = chinese + other <= FOREIGN_SHARE * total
    if right:
        return ()
    share = chinese / total
    reason = f"{share:.0%} of it is Chinese, where {wanted!r} is wanted"
    return _at("wrong_language", "error", text, (0, 30), reason)


def length(text: str, *, least: int = 1, most: int) -> tuple[Finding, ...]:
    """Return a finding when `text` has fewer than `least` or more than `most` characters.

    Examples
    --------
    >>> [f.verdict for f in length("", most=10)], [f.verdict for f in length("x" * 11, most=10)]
    (['too_short'], ['too_long'])
    """
    if len(text) > most:
        reason = f"{len(text)} characters, at most {most} wanted"
        return _at("too_long", "error", text, (most, most + 30), reason)
    if len(text.strip()) < least:
        reason = f"{len(text.strip())} characters, at least {least} wanted"
        return _at("too_short", "error", text, (0, len(text)), reason)
    return ()


def copied(text: str, facts: Facts, *, most: int = MAX_COPIED) -> tuple[Finding, ...]:
    """Return a finding when more than `most` consecutive tokens of the abstract stand in `text`.

    For fields that a model words; a quoted sentence is meant to be the same.

    Examples
    --------
    >>> facts = Facts.read("", "one two three four five six")
    >>> [f.piece for f in copied("As said: one two three four five!", facts, most=3)]
    ['one two three four five']
    """
    tokens = list(_TOKEN.finditer(text))
    window = most + 1
    if len(tokens) < window:
        return ()
    runs = _runs(facts.abstract, window)
    words = [token.group().lower() for token in tokens]
    hits = [i for i in range(len(words) - window + 1) if tuple(words[i : i + window]) in runs]
    if not hits:
        return ()
    last = hits[0]
    for hit in hits[1:]:
        if hit != last + 1:
            break
        last = hit
    start, end = tokens[hits[0]].start(), tokens[last + window - 1].end()
    reason = f"{last - hits[0] + window} tokens in a row stand in the abstract, at most {most} wanted"
    return _at("copied", "warning", text, (start, end), reason)


@lru_cache(maxsize=64)  # every field of a paper is compared with one abstract
def _runs(abstract: str, window: int) -> frozenset[tuple[str, ...]]:
    source = [token.lower() for token in _TOKEN.findall(abstract)]
    return frozenset(tuple(source[i : i + window]) for i in range(len(source) - window + 1))


def _at(
    verdict: Verdict, severity: Severity, text: str, span: tuple[int, int], reason: str
) -> tuple[Finding, ...]:
    start, end = span[0], min(span[1], len(text))
    return (make(verdict, severity, (start, end), text[start:end], reason=reason),)
