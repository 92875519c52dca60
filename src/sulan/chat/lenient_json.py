r"""Read the JSON object that a model's reply contains, with the mistakes that models make.

Accepted besides JSON: text and Markdown fences around the object, reasoning in <think> tags before it,
trailing commas, raw line ends and unescaped quotes inside strings, and LaTeX whose backslashes were not
doubled. Of the last, `\alpha` is no JSON escape and so no question; `\text`, `\beta`, `\frac`, `\nabla` and
`\rho` are escapes of JSON (tab, backspace, form feed, line feed, carriage return) and are read as LaTeX when
they spell a command. Not accepted: single quotes, comments, unquoted keys; a repair call is the better cure
for those.

Every function is linear in its input: no character is looked at more than a fixed number of times.
"""

import math
import re
from typing import Any

MAX_CHARACTERS = 200_000
"""Longest reply that is read; a reply of 4,000 tokens has about 16,000 characters."""

MAX_DEPTH = 32
"""Deepest nesting; the deepest schema of the house has 4 levels."""

_SPACE = re.compile(r"[ \t\r\n\u00a0\u3000]*")
_PLAIN = re.compile(r'[^"\\]*')
_LETTERS = re.compile(r"[A-Za-z]{1,32}")
_HEX4 = re.compile(r"[0-9A-Fa-f]{4}")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,39})(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?(?![0-9.eE])")
_LITERALS = {"true": True, "false": False, "null": None}

_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

# A line end before a word and a LaTeX command that starts with n look the same. Listed are the commands whose
# rest is not the beginning of a line anyone writes: `\nabla` is not a line that starts with "abla".
# `\nexists` and `\nless` are left out: "exists" and "less" may well start a line.
_N = "nabla natural ne nearrow neg neq newline noindent nolimits nonumber normalsize not notin nu nwarrow"
_COMMANDS_N = frozenset(_N.split())
# A tab inside a sentence is never meant, so every command that starts with t is listed.
_T = """
    tag tan tanh tau tbinom text textbf textit textmd textnormal textrm textsc textsf textsl textstyle
    textsubscript textsuperscript texttt textup textwidth tfrac therefore theta thickapprox thicksim thinspace
    tilde times tiny to top triangle triangledown triangleleft triangleq triangleright twoheadrightarrow
"""
_COMMANDS_T = frozenset(_T.split())


class NoObject(ValueError):
    """A reply holds no readable JSON object; the message says where reading failed."""


class _Broken(Exception):
    def __init__(self, at: int, expected: str) -> None:
        super().__init__(expected)
        self.at = at
        self.expected = expected


def objects(text: str) -> list[dict[str, Any]]:
    r"""Return the JSON objects of a reply, outermost only, in their order.

    Parameters
    ----------
    text
        A model's reply.

    Raises
    ------
    NoObject
        None is readable, or the reply is longer than `MAX_CHARACTERS`.

    Examples
    --------
    >>> objects('<think>{"a"}? no.</think> Here: ```json\n{"loss": "$\\nabla \\theta$", "n": [1, 2,],}\n```')
    [{'loss': '$\\nabla \\theta$', 'n': [1, 2]}]
    """
    if len(text) > MAX_CHARACTERS:
        raise NoObject(f"the reply has more than {MAX_CHARACTERS} characters")
    answer = without_reasoning(text)
    found: list[dict[str, Any]] = []
    furthest: _Broken | None = None
    at = 0
    while (start := answer.find("{", at)) >= 0:
        try:
            value, at = _object(answer, start + 1, MAX_DEPTH)
            found.append(value)
        except _Broken as broken:
            if furthest is None or broken.at > furthest.at:
                furthest = broken
            at = max(start + 1, broken.at)  # what was read once is not read again
    if found:
        return found
    if furthest is None:
        raise NoObject("the reply has no JSON object")
    near = answer[furthest.at : furthest.at + 20]
    where = f"before {near!r}" if near else "at the end of the reply"
    raise NoObject(f"the JSON is broken {where}: expected {furthest.expected}")


def without_reasoning(text: str) -> str:
    """Return a reply without the reasoning before its first `</think>`, empty when the reasoning never ends.

    Some chat templates put the opening tag into the prompt, so the closing one alone counts too, unless the
    reply starts with the object or a Markdown fence: then the tag is a word of the answer.

    Examples
    --------
    >>> without_reasoning("<think>5 or 6? 6.</think>six")
    'six'
    """
    begin = text.lstrip()
    if begin.startswith(("{", "```")):
        return text
    _, closed, answer = text.partition("</think>")
    if closed:
        return answer
    return "" if begin.startswith("<think>") else text


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    first = text[at : at + 1]
    if first == '"':
        return _string(text, at + 1)
    if first and first in "{[":
        if depth == 0:
            raise _Broken(at, f"at most {MAX_DEPTH} levels")
        return _object(text, at + 1, depth - 1) if first == "{" else _array(text, at + 1, depth - 1)
    if number := _NUMBER.match(text, at):
        return _number(number), number.end()
    for word, value in _LITERALS.items():
        if text.startswith(word, at):
            return value, at + len(word)
    raise _Broken(at, "a value")


def _number(match: re.Match[str]) -> int | float:
    digits = match.group()
    if digits.lstrip("-").isdigit():
        return int(digits)
    value = float(digits)
    if not math.isfinite(value):
        raise _Broken(match.start(), "a number of ordinary size")
    return value


def _object(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    made: dict[str, Any] = {}
    while True:
        at = _skip(text, at)
        if text.startswith("}", at):  # of an empty object, or after a trailing comma
            return made, at + 1
        if not text.startswith('"', at):
            raise _Broken(at, "a key in double quotes")
        name, at = _string(text, at + 1)
        at = _skip(text, at)
        if not text.startswith(":", at):
            raise _Broken(at, "a colon")
        made[name], at = _value(text, _skip(text, at + 1), depth)
        at = _skip(text, at)
        if text.startswith("}", at):
            return made, at + 1
        if not text.startswith(",", at):
            raise _Broken(at, "a comma or a closing brace")
        at += 1


def _array(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    made: list[Any] = []
    while True:
        at = _skip(text, at)
        if text.startswith("]", at):
            return made, at + 1
        value, at = _value(text, at, depth)
        made.append(value)
        at = _skip(text, at)
        if text.startswith("]", at):
            return made, at + 1
        if not text.startswith(",", at):
            raise _Broken(at, "a comma or a closing bracket")
        at += 1


def _string(text: str, at: int) -> tuple[str, int]:
    pieces: list[str] = []
    while True:
        plain = _PLAIN.match(text, at)
        assert plain is not None  # the pattern matches the empty string
        pieces.append(plain.group())
        at = plain.end()
        if at == len(text):
            raise _Broken(at, "a closing quote")
        if text[at] == "\\":
            piece, at = _escape(text, at)
        elif _closes(text, at + 1):
            return "".join(pieces), at + 1
        else:  # in JSON a closing quote stands before one of those, so this one was not escaped
            piece, at = '"', at + 1
        pieces.append(piece)


def _closes(text: str, at: int) -> bool:
    after = _skip(text, at)
    return text[after : after + 1] in ("", ",", ":", "}", "]")


def _escape(text: str, at: int) -> tuple[str, int]:
    follows = text[at + 1 : at + 2]
    if follows and follows in '"\\/':
        return follows, at + 2
    if follows == "u" and _HEX4.match(text, at + 2):
        return _unicode(text, at)
    if follows in _ESCAPES and not _is_command(text, at + 1):
        return _ESCAPES[follows], at + 2
    return "\\", at + 1


def _is_command(text: str, at: int) -> bool:
    letters = _LETTERS.match(text, at)
    word = letters.group() if letters else ""
    if word[:1] == "n":
        # "e.g." may start a line; what is not equal to something is not followed by a full stop.
        return word in _COMMANDS_N and not (word == "ne" and text.startswith(".", at + 2))
    if word[:1] == "t":
        return word in _COMMANDS_T
    return len(word) > 1  # backspace, form feed and carriage return before a letter are never meant


def _unicode(text: str, at: int) -> tuple[str, int]:
    code, after = int(text[at + 2 : at + 6], 16), at + 6
    if 0xD800 <= code < 0xDC00 and text.startswith("\\u", after) and _HEX4.match(text, after + 2):
        low = int(text[after + 2 : after + 6], 16)
        if 0xDC00 <= low < 0xE000:
            return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)), after + 6
    return ("\ufffd" if 0xD800 <= code < 0xE000 else chr(code)), after


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None
    return space.end()
