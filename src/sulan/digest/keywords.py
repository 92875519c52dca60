"""Keywords of one paper: its own terms, with the glossary's Chinese where there is one.

Candidates are glossary terms, the names that the title introduces, and runs of content words (RAKE, Rose et
al. 2010, whose word score is degree over frequency). A term in the title, a term of the glossary and a term
said twice weigh more. What is chosen occurs in the title or the abstract as it is printed.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from sulan.digest import glossary
from sulan.digest.edition import Keyword
from sulan.digest.extraction import EMPTY_WORDS

MAX_KEYWORDS = 5
"""As many as in the digest this project started from."""

_TOKEN = re.compile(r"(?<![0-9])[A-Za-z][A-Za-z0-9]*(?:[-.][A-Za-z0-9]+)*")  # not the B of "8B parameters"
_BREAK = re.compile(r"[^\w\s./-]|[.](?=\s|$)|\s-{1,3}\s")
_LATEX = re.compile(r"\\[a-zA-Z]+\s*|[{}$]")
_VERBAL = re.compile(
    r"(?:we|our|this|these|paper|work|approach|method|results?|show|shows?|find|propos\w+|present\w*|introduc\w+|"
    r"achiev\w+|improv\w+|outperform\w*|perform\w*|evaluat\w+|demonstrat\w+|enabl\w+|includ\w+|allow\w*|"
    r"train|trained|make|makes|report|discuss|help|helps?|first|second|third|new|novel|various|"
    r"however|recently|recent|many|several|existing|available|publicly|soon|\w+ly)$",
    re.IGNORECASE,
)


def keywords(title: str, sentences: Sequence[str], *, most: int = MAX_KEYWORDS) -> tuple[Keyword, ...]:
    """Return at most `most` keywords, best first.

    Parameters
    ----------
    title, sentences
        Of one paper.
    most
        How many at most.
    """
    heading = _LATEX.sub("", title)
    body = _LATEX.sub("", " . ".join(sentences))
    worth: dict[str, float] = defaultdict(float)
    shown: dict[str, str] = {}
    for text, weight in ((heading, 3.0), (body, 1.0)):
        for found in glossary.terms_in(text):
            term = text[found.start : found.end]
            shown.setdefault(term.lower(), term)
            worth[term.lower()] += weight * _specific(term)
    for phrase, value in _phrases(f"{heading} . {body}").items():
        shown.setdefault(phrase.lower(), phrase)
        in_title = phrase.lower() in heading.lower()
        worth[phrase.lower()] += value * (2.0 if in_title else 1.0)
    context = f"{heading}. {body}"
    chosen: list[Keyword] = []
    for key in sorted(worth, key=lambda key: (-worth[key], key)):
        if len(chosen) == most:
            break
        keyword = Keyword(term=shown[key], translation=glossary.translate(shown[key], context=context) or "")
        if not any(_same(keyword, other) for other in chosen):
            chosen.append(keyword)
    return tuple(chosen)


def _phrases(text: str) -> dict[str, float]:
    """Return RAKE's score of every run of one to four content words, a name's run counting more."""
    runs: list[list[str]] = []
    for part in _BREAK.split(text):
        run: list[str] = []
        for word in _TOKEN.findall(part):
            if word.lower() in EMPTY_WORDS or _VERBAL.match(word):
                runs.append(run)
                run = []
            elif _is_name(word):  # a name stands for itself, whatever it is the name of
                runs += [run, [word]]
                run = []
            else:
                run.append(word)
        runs.append(run)
    runs = [run for run in runs if 1 <= len(run) <= 4]
    frequency = Counter(word.lower() for run in runs for word in run)
    degree = Counter[str]()
    for run in runs:
        for word in run:
            degree[word.lower()] += len(run)
    counts = Counter(" ".join(run) for run in runs)
    scores = {}
    for phrase, count in counts.items():
        words = phrase.split()
        is_name = len(words) == 1 and _is_name(phrase)
        if len(words) == 1 and not is_name:
            continue
        mean = sum(degree[w.lower()] / frequency[w.lower()] for w in words) / len(words)
        scores[phrase] = (1.5 if is_name else 0.4 * mean) * (1 + 0.5 * (count - 1))
    return scores


def _is_name(word: str) -> bool:
    """Tell whether a word is a name: capitals inside a part of it (SignRound, OPT) or a version (phi-1.5)."""
    parts = word.split("-")
    capitals = any(len(part) >= 3 and sum(c.isupper() for c in part) >= 2 for part in parts)
    return capitals or (len(parts) > 1 and parts[-1][-1].isdigit())


def _specific(term: str) -> float:
    """Return how much a glossary term tells: a phrase more than a name, a plain word (dataset) least."""
    if " " in term:
        return 1.0 + 0.35 * term.count(" ")
    return 1.0 if _is_name(term) else 0.5


def _same(a: Keyword, b: Keyword) -> bool:
    """Tell whether one keyword says what the other says.

    They share a translation, or more than half of the words of the shorter one.
    """
    if a.translation and a.translation == b.translation:
        return True
    left, right = (
        {word.removesuffix("s") for word in re.split(r"[\s-]+", term.lower())} for term in (a.term, b.term)
    )
    return 2 * len(left & right) > min(len(left), len(right))
