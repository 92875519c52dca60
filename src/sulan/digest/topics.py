"""Keywords across a site's days: which papers carry each, and a file name that no keyword can escape from."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sulan.digest.archive import Brief, Day

LEAST = 3
"""Papers that a keyword needs for a page of its own."""

ROWS = 100
"""Papers listed on a keyword's page, the latest first."""

_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A keyword with its papers, the latest first; spellings that differ only in case are one."""

    term: str
    translation: str
    papers: tuple[tuple[str, Brief], ...]

    @property
    def file(self) -> str:
        """Name of its page: readable where the term is ASCII, unique by a hash, never a path."""
        key = self.term.casefold()
        slug = _SLUG.sub("-", key)[:40].strip("-")
        return f"{slug or 'keyword'}-{hashlib.sha256(key.encode()).hexdigest()[:8]}.html"


def topics(days: Sequence[Day]) -> list[Topic]:
    """Return keywords of at least `LEAST` papers, the most frequent first.

    Parameters
    ----------
    days
        Earliest first.
    """
    papers: defaultdict[str, list[tuple[str, Brief]]] = defaultdict(list)
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    translations: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for day in reversed(days):
        for paper in day.papers:
            for term, translation in paper.keywords:
                key = term.casefold()
                papers[key].append((day.day, paper))
                spellings[key][term] += 1
                if translation:
                    translations[key][translation] += 1
    found = [
        Topic(
            term=_first(spellings[key]),
            translation=_first(translations[key]) if key in translations else "",
            papers=tuple(group),
        )
        for key, group in papers.items()
        if key and len(group) >= LEAST
    ]
    return sorted(found, key=lambda topic: (-len(topic.papers), topic.term.casefold()))


def _first(counts: Counter[str]) -> str:
    """The most frequent, and of equals the first in the alphabet."""
    return min(counts, key=lambda text: (-counts[text], text))
