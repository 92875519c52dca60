"""Names in a text: models, data sets, acronyms, versions; and what an acronym is said to stand for.

A name is recognised by its look: a capital after the first letter, a digit beside letters, or a hyphen
between such parts. Ordinary capitalised words are not names here, because sentences start with them. Names
are compared by `key`: without case, hyphens and plural, but with the dots between digits, so that phi-1.5 is not
phi-15.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from sulan.digest.numerals import LETTER
from sulan.digest.units import ENGLISH_UNITS

MAX_NAME = 60
"""Characters of a name; longer tokens are data (hashes, paths)."""

_TOKEN = re.compile(rf"[{LETTER}0-9]+(?:[-–‑._+'’&/@][{LETTER}0-9]+)*\+?")
_LINK = re.compile(r"(?:https?://|www\.)[^\s\u3000-\uffef]+")
_SPLIT = re.compile(r"[-–‑+'’&/@_]")
_SEPARATORS = re.compile(r"[^a-z0-9.\u00df-\u024f\u0370-\u03ff]+")
_LOOSE_DOT = re.compile(r"(?<![0-9])\.|\.(?![0-9])")
_QUANTITY_LIKE = re.compile(
    r"\d[\d.,]*(?:[kmbtgxshd]|st|nd|rd|th|e-?\d+|[kmgt]b|ms|hz|bits?)?(?:-[a-z]+)*(?:-\d.*)?",
    re.IGNORECASE,
)
_ROMAN = re.compile(r"[IVX]{1,4}")
# An acronym in brackets, and an acronym before a bracket; what stands on the other side is read from a piece
# of bounded length, so that no pattern has to guess where it begins.
_IN_BRACKETS = re.compile(rf"[(（][ ]?([{LETTER}][{LETTER}0-9-]{{1,14}})[ ]?[)）]")
_BEFORE_BRACKET = re.compile(
    rf"(?<![{LETTER}0-9-])([{LETTER}][{LETTER}0-9-]{{1,14}})[`*]{{0,2}}[ ]{{0,2}}[(（]"
)
_REACH = 120
_PHRASE_BEFORE = re.compile(rf"[{LETTER}0-9'’ -]*$")
_PHRASE_AFTER = re.compile(rf"[{LETTER}'’ -]{{4,{_REACH}}}")
_WORD = re.compile(rf"[{LETTER}0-9]+")

WELL_KNOWN: dict[str, str] = {
    "ai": "artificial intelligence",
    "agi": "artificial general intelligence",
    "api": "application programming interface",
    "cnn": "convolutional neural network",
    "cpu": "central processing unit",
    "cv": "computer vision",
    "dl": "deep learning",
    "gpu": "graphics processing unit",
    "gan": "generative adversarial network",
    "icl": "in-context learning",
    "llm": "large language model",
    "lm": "language model",
    "ml": "machine learning",
    "mllm": "multimodal large language model",
    "moe": "mixture of experts",
    "nerf": "neural radiance field",
    "nlp": "natural language processing",
    "nlu": "natural language understanding",
    "nlg": "natural language generation",
    "qa": "question answering",
    "rag": "retrieval-augmented generation",
    "rl": "reinforcement learning",
    "rlhf": "reinforcement learning from human feedback",
    "rnn": "recurrent neural network",
    "sft": "supervised fine-tuning",
    "sota": "state of the art",
    "vlm": "vision-language model",
    "vqa": "visual question answering",
}
"""Acronyms that a reader of the field expects unexplained, and the only expansion accepted without a source."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """A name at `text[start:end]`; `key` is what it is compared by."""

    start: int
    end: int
    text: str
    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Expansion:
    """`acronym`, said at `text[start:end]` to stand for `words`."""

    start: int
    end: int
    acronym: str
    words: str


@lru_cache(maxsize=1 << 14)
def key(text: str) -> str:
    """Return what `text` is compared by.

    Examples
    --------
    >>> key("NExT-GPT"), key("phi-1.5"), key("LLMs") == key("LLM"), key("Phi 15") == key("phi-1.5")
    ('nextgpt', 'phi1.5', True, False)
    """
    squeezed = _LOOSE_DOT.sub("", _SEPARATORS.sub("", text.lower()))
    return (
        squeezed[:-1]
        if len(squeezed) > 2 and squeezed.endswith("s") and not squeezed.endswith("ss")
        else squeezed
    )


@lru_cache(maxsize=1 << 14)
def looks_like_name(token: str) -> bool:
    """Return whether a token is a name by its look.

    Examples
    --------
    >>> [looks_like_name(t) for t in ("phi-1.5", "GPT", "NeRF", "T5", "Transformer", "4-bit", "66b", "II")]
    [True, True, True, True, False, False, False, False]
    """
    if (
        len(token) < 2
        or _QUANTITY_LIKE.fullmatch(token)
        or _ROMAN.fullmatch(token)
        or token.lower() in ENGLISH_UNITS
    ):
        return False
    if any(c.isdigit() for c in token):
        return any(c.isalpha() for c in token)
    return any(any(c.isupper() for c in part[1:]) for part in _SPLIT.split(token))


@lru_cache(maxsize=64)  # several checks of one field ask for its names
def find(text: str) -> tuple[Name, ...]:
    """Return the names of `text` in reading order; those inside links are left out.

    Examples
    --------
    >>> [name.text for name in find("phi-1.5 beats LLaMA-2-7B by 5x on GSM8K, see https://x.org/A1B")]
    ['phi-1.5', 'LLaMA-2-7B', 'GSM8K']
    """
    links = [match.span() for match in _LINK.finditer(text)]
    found = []
    for match in _TOKEN.finditer(text):
        while links and links[0][1] <= match.start():
            links.pop(0)
        inside_link = links and links[0][0] <= match.start()
        token = match.group().removesuffix("'s").removesuffix("’s")
        if len(token) <= MAX_NAME and not inside_link and looks_like_name(token):
            end = match.start() + len(token)
            found.append(Name(start=match.start(), end=end, text=token, key=key(token)))
    return tuple(found)


def parts(name: str) -> tuple[str, ...]:
    """Return what a hyphenated name is made of, without plain words: each part must be known on its own.

    Examples
    --------
    >>> parts("NeRF-based"), parts("Karst-1.5"), parts("FIAT")
    (('NeRF',), ('Karst', '1.5'), ())
    """
    pieces = _SPLIT.split(name)
    told = tuple(piece for piece in pieces if not (piece.isalpha() and piece.islower()))
    return told if len(pieces) > 1 else ()


def keys(text: str) -> frozenset[str]:
    """Return the keys of every Latin token of `text`, of their parts, and of neighbours taken together.

    Neighbours make "Llama 2" and "Llama-2" one name.
    """
    tokens = [match.group()[:MAX_NAME] for match in _TOKEN.finditer(text)]
    known = {key(token) for token in tokens}
    known.update(key(piece) for token in tokens for piece in _SPLIT.split(token) if piece)
    known.update(key(a + b) for a, b in pairwise(tokens))
    return frozenset(known)


def expansions(text: str) -> tuple[Expansion, ...]:
    """Return what acronyms of `text` are said to stand for, in either order.

    After Schwartz and Hearst (2003): the letters of the acronym must occur in the words, in order, the first
    one at the start of a word.

    Examples
    --------
    >>> [(e.acronym, e.words) for e in expansions("We use in-context learning (ICL) and FIAT (Fused Acts).")]
    [('ICL', 'in-context learning'), ('FIAT', 'Fused Acts')]
    """
    found = []
    for match in _IN_BRACKETS.finditer(text):
        acronym = match.group(1)
        if looks_like_name(acronym):
            phrase = _PHRASE_BEFORE.search(text[max(0, match.start() - _REACH) : match.start()])
            words = _fitting(phrase.group(), acronym) if phrase else ""
            if words and key(words) != key(acronym):
                start = text.rindex(words, 0, match.start())
                found.append(Expansion(start=start, end=match.end(), acronym=acronym, words=words))
    for match in _BEFORE_BRACKET.finditer(text):
        acronym = match.group(1)
        phrase = _PHRASE_AFTER.match(text, match.end()) if looks_like_name(acronym) else None
        words = phrase.group().strip() if phrase else ""
        if len(_WORD.findall(words)) >= 2 and words[0].lower() == acronym[0].lower():
            end = match.end() + len(phrase.group()) if phrase else match.end()
            found.append(Expansion(start=match.start(), end=end, acronym=acronym, words=words))
    return tuple(found)


def _fitting(before: str, acronym: str) -> str:
    """Return the shortest ending of `before` that holds the acronym's letters, or nothing."""
    letters = [c for c in acronym.lower().removesuffix("s") if c.isalnum()]
    position = len(before) - 1
    for index in range(len(letters) - 1, -1, -1):
        while position >= 0 and (
            before[position].lower() != letters[index]
            or (index == 0 and position > 0 and before[position - 1].isalnum())
        ):
            position -= 1
        if position < 0:
            return ""
        position -= 1
    words = before[position + 1 :].strip()
    return words if len(_WORD.findall(words)) >= 2 else ""


_ENDINGS = ("izations", "ization", "ations", "ation", "ators", "ator", "ating", "ated", "ates", "ate", "ings")
_SHORT_ENDINGS = ("ing", "ions", "ion", "ies", "ed", "er", "ers", "es", "or", "ors", "s", "y", "e")


@lru_cache(maxsize=1 << 14)
def stem(word: str) -> str:
    """Return the part of an English word that its forms share; rough on purpose, for comparison only.

    Examples
    --------
    >>> stem("estimation") == stem("estimates") == stem("estimator"), stem("models") == stem("model")
    (True, True)
    """
    word = word.lower()
    for ending in (*_ENDINGS, *_SHORT_ENDINGS):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def stems(text: str) -> frozenset[str]:
    """Return the stems of the English words of `text`."""
    return frozenset(stem(match.group()) for match in _WORD.finditer(text))
