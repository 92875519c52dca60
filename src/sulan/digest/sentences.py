"""Cutting an abstract, or Chinese prose, into sentences without losing a character that can be seen.

A boundary is a stop, the quotes and brackets that close after it, and white space. What is not a boundary is
named here: abbreviations, initials, decimals, dots inside TeX formulas. Written for abstracts: headings,
tables and dialogue are not covered.
"""

import re
from typing import Literal

_CLOSERS = "\"'”’»)\\]}」』）】"
# The lookbehind starts a run of stops once; without it a megabyte of dots costs the square of its length.
_STOP = re.compile(rf"(?<![.!?…])[.!?…]+[{_CLOSERS}]{{0,4}}(?=\s)")
_CHINESE_STOP = re.compile(rf"[。！？；!?…]+[{_CLOSERS}]{{0,4}}|\n+")
_FORMULA = re.compile(r"\$[^$\n]{1,200}\$")
_LAST_WORD = re.compile(r"[^\s(\[“\"'`]{1,40}$")
_NEXT_WORD = re.compile(r"\s+([^\s]{1,40})")
_ABBREVIATIONS = frozenset(
    [
        *("e.g", "i.e", "cf", "vs", "al", "fig", "figs", "eq", "eqs", "sec", "secs", "tab", "ref", "refs"),
        *("approx", "resp", "dr", "mr", "mrs", "ms", "prof", "st", "no", "nos", "vol", "ch", "app", "viz"),
        *("w.r.t", "a.k.a", "aka", "i.i.d", "incl", "inc", "ltd", "dept", "univ", "ca"),
    ]
)
_ABBREVIATIONS_THAT_END = frozenset(["etc", "al", "i.i.d", "inc", "ltd", "no"])
"""Those that also end a sentence, so that a capital after them is believed."""

_OPENERS = frozenset(["We", "The", "This", "These", "It", "Our", "In", "To", "However", "By", "With", "For"])


def split(text: str, *, language: Literal["zh", "en"] = "en") -> tuple[str, ...]:
    r"""Return the sentences of `text`; joined again they lack only white space.

    Parameters
    ----------
    text
        Prose on one or more lines.
    language
        `en` cuts after `.`, `!`, `?`; `zh` after `。`, `！`, `？`, `；` and at line ends.

    Examples
    --------
    >>> split("We release phi-1.5. It beats Smith et al. by 3.5%, i.e. most. Why?")
    ('We release phi-1.5.', 'It beats Smith et al. by 3.5%, i.e. most.', 'Why?')
    >>> split("提出新方法。效果更好！", language="zh")
    ('提出新方法。', '效果更好！')
    """
    ends = _chinese_ends(text) if language == "zh" else _english_ends(text)
    pieces = [text[start:end].strip() for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]
    return tuple(piece for piece in pieces if piece)


def _chinese_ends(text: str) -> list[int]:
    return [match.end() for match in _CHINESE_STOP.finditer(text)]


def _english_ends(text: str) -> list[int]:
    inside = iter([match.span() for match in _FORMULA.finditer(text) if not _two_sentences(match.group())])
    formula = next(inside, None)
    ends = []
    for match in _STOP.finditer(text):
        while formula and formula[1] <= match.start():
            formula = next(inside, None)
        if formula and formula[0] < match.start():
            continue
        if _is_end(text, match):
            ends.append(match.end())
    return ends


def _two_sentences(formula: str) -> bool:
    # Two prices, "$5. We spent $", look like one formula; a formula has no stop before a capital.
    return re.search(r"\.\s+[A-Z]", formula) is not None


def _is_end(text: str, stop: re.Match[str]) -> bool:
    following = _NEXT_WORD.match(text, stop.end())
    if following is None:
        return True  # only white space is left
    word = following.group(1)
    bare = word.lstrip("\"'“‘`([{$\\")
    opens = bare[:1].isupper() or bare[:1].isdigit() or word[0] in '"“‘`\\$([' or not bare[:1].isascii()
    if not opens:
        # Lower case opens a sentence only as a name: "phi-1.5 exhibits", "iGPT is".
        return stop.group()[:2] not in ("..", "…") and any(c.isupper() or c.isdigit() for c in bare)
    if stop.group()[0] != "." or len(stop.group()) > 1:
        return True
    last = _LAST_WORD.search(text[max(0, stop.start() - 40) : stop.start()])
    before = last.group() if last else ""
    if len(before) == 1 and before.isupper() and before != "I":
        return bare.partition(" ")[0] in _OPENERS  # "vitamin C. We", but "J. Smith"
    if re.fullmatch(r"(?:[A-Z]\.)+[A-Z]", before):
        return bare[:1].isupper() and len(bare) > 1 and bare[1:2].islower()  # "U.S. We" but not "U.S. GDP"
    abbreviation = before.lower()
    if abbreviation in _ABBREVIATIONS_THAT_END:
        # "No. 1", "et al. (2023)" go on; "etc. We", "et al. We" end.
        return bare[:1].isupper() and not word.startswith("(")
    return abbreviation not in _ABBREVIATIONS
