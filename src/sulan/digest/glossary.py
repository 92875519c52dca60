"""The glossary: English terms of machine learning and their accepted Chinese forms.

The data is `glossary.toml`, our own work. It is made for keywords and for judging the terms of a digest; it
translates no sentence. Plural and singular, hyphen and blank, British and American spelling are one term.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

FILE = "glossary.toml"

_TOKEN = re.compile(r"[A-Za-z0-9\u00c0-\u024f]+")
_GAP = re.compile(r"[ \t\n]*[-\u2010\u2011\u2013]?[ \t\n]*")
_LONGEST_TERM = 200
_LONGEST_TOKEN = 40
_LONGEST_GAP = 3
_SPELLINGS = (
    (re.compile(r"is(ation|ations|e|ed|er|ers|es|ing)$"), r"iz\1"),
    (re.compile(r"ll(ed|ing)$"), r"l\1"),
    (re.compile(r"our(s?)$"), r"or\1"),
)
_IRREGULAR = {"corpora": "corpus", "vertices": "vertex", "analyses": "analysis", "matrices": "matrix"}


@dataclass(frozen=True, kw_only=True)
class Term:
    """One line of the glossary.

    Attributes
    ----------
    term
        English, singular.
    forms
        Accepted Chinese forms, the preferred one first.
    field
        Section of the file, e.g. `graphics`.
    """

    term: str
    forms: tuple[str, ...]
    field: str

    @property
    def cased(self) -> bool:
        """Whether case tells the term from a word, as it does `RAG` from `rag`."""
        return self.term != self.term.lower() and _TOKEN.fullmatch(self.term) is not None


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """A term at a place in a text: `text[start:end]`, however it is spelt there, is the glossary's `term`."""

    term: str
    start: int
    end: int


def translate(term: str, *, context: str = "") -> str | None:
    """Return the preferred Chinese form of an English term; None where the glossary lacks it.

    Parameters
    ----------
    term
        Case does not matter here.
    context
        Text the term stands in. Where fields differ on a term, the field with most other terms in the context
        decides; without a context, the first in the file.

    Examples
    --------
    >>> translate("Fine-Tuning"), translate("large language models"), translate("reinforcement learning")
    ('微调', '大语言模型', '强化学习')
    >>> translate("throughput"), translate("throughput", context="ray tracing of meshes with many bounces")
    ('吞吐量', '路径通量')
    >>> translate("SignRound") is None
    True
    """
    candidates = _lookup(term)
    if not candidates:
        return None
    if len(candidates) > 1 and context:
        votes = _fields(context)
        return max(candidates, key=lambda candidate: votes[candidate.field]).forms[0]
    return candidates[0].forms[0]


def forms(term: str) -> tuple[str, ...]:
    """Return every accepted Chinese form of a term, of all fields; empty where the glossary lacks it."""
    return tuple(dict.fromkeys(form for candidate in _lookup(term) for form in candidate.forms))


def terms_in(text: str) -> tuple[Occurrence, ...]:
    """Return the glossary's terms in an English text, from left to right, the longest at each place.

    The cost is linear in the text: from each token no more is read than the longest term has characters.

    Examples
    --------
    >>> [found.term for found in terms_in("We fine-tune LLMs by reinforcement learning, not by rags.")]
    ['LLM', 'reinforcement learning']
    """
    return tuple(_scan(text))


@cache
def terms() -> tuple[Term, ...]:
    """Return the whole glossary in the order of the file."""
    document = tomllib.loads(resources.files("sulan.digest").joinpath(FILE).read_text(encoding="utf-8"))
    return tuple(
        Term(term=term, forms=tuple(chinese), field=field)
        for field, section in document.items()
        for term, chinese in section.items()
    )


def _lookup(term: str) -> tuple[Term, ...]:
    tokens = _TOKEN.findall(term[:_LONGEST_TERM])
    if not tokens or len(term) > _LONGEST_TERM:
        return ()
    return _find("".join(map(_fold, tokens[:-1])), tokens[-1])


def _scan(text: str) -> Iterator[Occurrence]:
    beginnings = _beginnings()
    tokens = [token for token in _TOKEN.finditer(text) if token.end() - token.start() <= _LONGEST_TOKEN]
    place = 0
    while place < len(tokens):
        start, found, prefix = tokens[place].start(), None, ""
        for stop in range(place, len(tokens)):
            token = tokens[stop]
            if stop > place and not _joined(text, tokens[stop - 1].end(), token.start()):
                break
            candidates = _find(prefix, token[0])
            if candidates and _case_agrees(candidates[0], text[start : token.end()]):
                found = (candidates[0].term, stop)
            prefix += _fold(token[0])
            if prefix not in beginnings:
                break
        if found is None:
            place += 1
            continue
        term, last = found
        yield Occurrence(term=term, start=start, end=tokens[last].end())
        place = last + 1


def _joined(text: str, start: int, end: int) -> bool:
    return 0 < end - start <= _LONGEST_GAP and _GAP.fullmatch(text, start, end) is not None


def _case_agrees(term: Term, surface: str) -> bool:
    if not term.cased:
        return True
    written = "".join(_TOKEN.findall(surface))
    return written in (term.term, f"{term.term}s")


@lru_cache(maxsize=2**14)
def _fold(token: str) -> str:
    token = token.lower()
    for pattern, american in _SPELLINGS:
        token = pattern.sub(american, token)
    return token


def _find(prefix: str, last: str) -> tuple[Term, ...]:
    """Terms of the joined tokens: the last token as it stands, else as the plural that it may be."""
    index = _index()
    found = index.get(prefix + _fold(last), ())
    if found or last[-1] not in "asS":
        return found
    return next((index[key] for key in (prefix + _fold(one) for one in _singulars(last)) if key in index), ())


def _singulars(word: str) -> Iterator[str]:
    word = word.lower()
    if word in _IRREGULAR:
        yield _IRREGULAR[word]
    if word.endswith("s") and not word.endswith("ss"):
        yield word[:-1]
        if word.endswith("es"):
            yield word[:-2]
        if word.endswith("ies"):
            yield f"{word[:-3]}y"


@cache
def _index() -> dict[str, tuple[Term, ...]]:
    """Terms by their folded tokens written together, so that `fine-tuning` and `finetuning` are one key."""
    index: dict[str, tuple[Term, ...]] = {}
    for term in terms():
        key = "".join(map(_fold, _TOKEN.findall(term.term)))
        index[key] = (*index.get(key, ()), term)
    return index


@cache
def _beginnings() -> frozenset[str]:
    """Every beginning of every key: where the joined tokens are none of these, no term can follow."""
    return frozenset(key[:length] for key in _index() for length in range(1, len(key) + 1))


def _fields(context: str) -> Counter[str]:
    found = {occurrence.term for occurrence in terms_in(context)}
    named = [_lookup(term) for term in found]
    return Counter(candidates[0].field for candidates in named if len(candidates) == 1)
