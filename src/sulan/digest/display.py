"""Text from outside as a reader sees it: nothing invisible, LaTeX's text commands resolved, safe links.

What an edition holds came from papers and from models. Every renderer passes every string through `visible`
and wording through `prose`; escaping comes after, for each format its own. Mathematics between dollar signs
stays as the author typed it.
"""

import re
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from sulan.digest.edition import Entry, Language, Passage
from sulan.digest.paper import clean
from sulan.errors import BrokenArtefact

LANGUAGE_TAGS: dict[Language, str] = {"zh": "zh-Hans", "en": "en"}
"""BCP 47 tags: what stands in `lang` and `xml:lang`."""

_COMMAND = re.compile(
    r"\\(?:text(?:bf|it|tt|sc|rm|sf|sl|up|md)?|emph|mathrm|mathbf|underline|mbox)\{([^{}]*)\}"
)
_ESCAPED = re.compile(r"\\([%&#_$])")
_QUOTED = re.compile(r"``([^`\"']*)(?:''|\")")
_DOLLAR = re.compile(r"(?<!\\)\$")
_URL_SAFE = "%/:?#@!$&*+,;=~-._"


def visible(text: str) -> str:
    """Return `text` on one line without invisible, reordering or unencodable characters.

    Renderers call this on everything, also on what never went through `Paper`.

    Examples
    --------
    >>> visible("a\\x00b\\u202ec\\ud800")
    'abc'
    """
    return text if text.isprintable() else clean(text, limit=max(1, len(text)))


def prose(text: str) -> str:
    r"""Return wording with LaTeX's text commands resolved; what stands between `$` signs is kept.

    Examples
    --------
    >>> print(prose(r"We train \textbf{phi-1.5} on ``textbook quality'' data -- with $\alpha_1 < 30\%$."))
    We train phi-1.5 on “textbook quality” data – with $\alpha_1 < 30\%$.
    """
    text = visible(text)
    if not ("\\" in text or "``" in text or "--" in text):
        return text
    pieces = _DOLLAR.split(text)
    if len(pieces) % 2 == 0:  # an unpaired dollar sign is a dollar sign
        return _plain(text)
    return "$".join(piece if place % 2 else _plain(piece) for place, piece in enumerate(pieces))


def _plain(text: str) -> str:
    for _ in range(3):  # nested commands, to a fixed depth
        text = _COMMAND.sub(r"\1", text)
    text = _QUOTED.sub(r"“\1”", _ESCAPED.sub(r"\1", text))
    return text.replace("---", "—").replace("--", "–")


def link(url: str) -> str:
    """Return an http(s) address with everything unusual percent-encoded, or nothing.

    Examples
    --------
    >>> link("https://github.com/a/b?x=1"), link("javascript:alert(1)"), link("https://a.b/(c)<d>")
    ('https://github.com/a/b?x=1', '', 'https://a.b/%28c%29%3Cd%3E')
    """
    url = visible(url)
    try:
        parts = urlsplit(url)
    except ValueError:  # an unclosed IPv6 bracket
        return ""
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        return ""
    return quote(url, safe=_URL_SAFE)


def moment(text: str) -> datetime:
    """Return an ISO 8601 time of an edition as a time in UTC.

    Raises
    ------
    BrokenArtefact
        It is not a time; a time without a zone is taken as UTC.

    Examples
    --------
    >>> moment("2023-09-13T06:00:00+08:00").isoformat()
    '2023-09-12T22:00:00+00:00'
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise BrokenArtefact(f"not an ISO 8601 time: {visible(text)[:40]!r}") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def rfc3339(text: str) -> str:
    """Return an ISO 8601 time as feeds want it: UTC, whole seconds, `Z`."""
    return moment(text).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_quote(passage: Passage, entry: Entry, language: Language) -> bool:
    """Tell whether a passage is shown as a quotation: another language, or the abstract's own sentences."""
    if passage.language != language:
        return True
    cited = [entry.sentences[number - 1] for number in passage.evidence if 0 < number <= len(entry.sentences)]
    return bool(cited) and passage.text == " ".join(cited)


def byline(authors: tuple[str, ...], *, limit: int = 8) -> tuple[tuple[str, ...], int]:
    """Return the first authors that are shown and how many more there are.

    Examples
    --------
    >>> byline(("A", "B", "C", "D"), limit=2)
    (('A', 'B'), 2)
    """
    shown = authors if len(authors) <= limit + 1 else authors[:limit]  # "and 1 more" would save nothing
    return shown, len(authors) - len(shown)
