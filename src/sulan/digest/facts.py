"""What an abstract says, in a form that a text can be checked against.

Sentences are numbered from 1; 0 is the title. Everything but the sentences is worked out when it is first asked
for, so that a check which needs only the numbers pays only for the numbers.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self, TypeVar

from sulan.digest import directions, names, quantities
from sulan.digest.directions import Direction
from sulan.digest.quantities import Quantity
from sulan.digest.sentences import split
from sulan.digest.units import ENGLISH_UNITS

K = TypeVar("K", float, str, tuple[float, str])

_LINK = re.compile(r"(?:https?://|www\.)[^\s\u3000-\uffef<>()]+")
_CAPITALISED = re.compile(r"(?<![A-Za-z0-9.\-])[A-Z][a-z]{3,}(?![A-Za-z0-9\-])")
_LOWERED = re.compile(r"(?<![A-Za-z])[a-z]{4,}")
_WORD = re.compile(r"[A-Za-z]+")

CUES: dict[str, re.Pattern[str]] = {
    "first": re.compile(
        r"\bfirst(?=[ -](?:to|time|ever|of|large|open|public|end|fully|work|study|stud|method|model|system|approach|"
        r"example|framework|data|benchmark|algorithm|attempt|comprehensive|systematic|\w+ (?:to|of|that|for)))|"
        r"\b(?:pioneer\w*|unprecedented|groundbreaking|never been|has not been|not yet been)\b",
        re.IGNORECASE,
    ),
    "best": re.compile(
        r"\b(?:state[- ]of[- ]the[- ]art|sota|best|outperform\w*|surpass\w*|superior\w*|optimal\w*|highest|leading|"
        r"exceed\w*|better than|strongest|record|top|most (?:effective|efficient|capable|powerful|advanced))\b",
        re.IGNORECASE,
    ),
    "most": re.compile(r"\b(?:most|majority|mostly|nearly all|almost all|predominantly)\b", re.IGNORECASE),
}
"""Words with which a source itself claims priority, superiority or a majority."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sourced:
    """A quantity of the source and the number of its sentence."""

    sentence: int
    quantity: Quantity


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What one paper's title and abstract say.

    Attributes
    ----------
    title, abstract
        As the record has them.
    sentences
        Of the abstract; sentence n is `sentences[n - 1]`.
    """

    title: str
    abstract: str
    sentences: tuple[str, ...]

    @classmethod
    def read(cls, title: str, abstract: str) -> Self:
        """Return the facts of a paper.

        Examples
        --------
        >>> facts = Facts.read("Big Nets", "We train a 1.3 billion parameter net. It beats nets 5x larger.")
        >>> [(fact.sentence, fact.quantity.value) for fact in facts.quantities]
        [(1, 1300000000.0), (2, 5.0)]
        """
        return cls(title=title, abstract=abstract, sentences=split(abstract))

    def quote(self, number: int) -> str:
        """Return sentence `number`; 0 is the title."""
        return self.sentences[number - 1] if number else self.title

    def cited(self, number: int | None) -> tuple[int, str] | None:
        """Return number and text of a sentence, as a finding cites it; None of None."""
        return None if number is None else (number, self.quote(number))

    @cached_property
    def quantities(self) -> tuple[Sourced, ...]:
        """Every quantity with its sentence, in reading order; offsets are within the sentence."""
        return tuple(
            Sourced(sentence=number, quantity=quantity)
            for number, sentence in enumerate((self.title, *self.sentences))
            for quantity in quantities.find(sentence)
        )

    @cached_property
    def distinct(self) -> tuple[Sourced, ...]:
        """The first of all quantities that say the same, so that repetition costs nothing to search."""
        seen: dict[tuple[float, str, str], Sourced] = {}
        for fact in self.quantities:
            quantity = fact.quantity
            seen.setdefault((rounded(quantity.value), quantity.unit, quantity.comparator), fact)
        return tuple(seen.values())

    @cached_property
    def occurrences(self) -> dict[tuple[float, str], list[Sourced]]:
        """Every place where a value with its unit stands."""
        return _table(self.quantities, lambda fact: (rounded(fact.quantity.value), fact.quantity.unit))

    @cached_property
    def units_by_sentence(self) -> tuple[frozenset[str], ...]:
        """Units that a sentence names anywhere: "the number of steps falls from 1,000 to 4"."""
        return tuple(
            frozenset(
                ENGLISH_UNITS[word]
                for word in map(str.lower, _WORD.findall(sentence))
                if word in ENGLISH_UNITS
            )
            for sentence in (self.title, *self.sentences)
        )

    @cached_property
    def names_by_sentence(self) -> tuple[frozenset[str], ...]:
        """Keys of the names, by sentence number."""
        return tuple(
            frozenset(name.key for name in names.find(sentence)) for sentence in (self.title, *self.sentences)
        )

    @cached_property
    def by_value(self) -> dict[float, list[Sourced]]:
        """Distinct quantities by value to ten places."""
        return _table(self.distinct, lambda fact: rounded(fact.quantity.value))

    @cached_property
    def by_digits(self) -> dict[str, list[Sourced]]:
        """Distinct quantities by their significant digits: 1.3 billion and 13% share "13"."""
        return _table(self.distinct, lambda fact: digits(fact.quantity.value))

    @cached_property
    def by_unit(self) -> dict[str, list[Sourced]]:
        """Distinct quantities by unit."""
        return _table(self.distinct, lambda fact: fact.quantity.unit)

    @cached_property
    def by_size(self) -> tuple[Sourced, ...]:
        """Distinct quantities from the smallest to the largest."""
        return tuple(sorted(self.distinct, key=lambda fact: fact.quantity.value))

    @cached_property
    def name_keys(self) -> frozenset[str]:
        """Keys of every token, of its parts and of neighbours: what a name may be found in."""
        return names.keys(f"{self.title}. {self.abstract}")

    @cached_property
    def names(self) -> dict[str, str]:
        """Names by key, as the source first writes them."""
        found: dict[str, str] = {}
        for name in names.find(f"{self.title}. {self.abstract}"):
            found.setdefault(name.key, name.text)
        return found

    @cached_property
    def expansions(self) -> dict[str, str]:
        """What the source's acronyms stand for, by key."""
        return {
            names.key(found.acronym): found.words
            for found in names.expansions(f"{self.title}. {self.abstract}")
        }

    @cached_property
    def initials(self) -> str:
        """First letters of all words: an acronym that a summary introduces must be among them."""
        return "".join(word[0] for word in _WORD.findall(f"{self.title} {self.abstract}")).lower()

    @cached_property
    def capitalised(self) -> tuple[str, ...]:
        """Words that the source writes with a capital only, after the first word of a sentence."""
        lowered = {match.group() for match in _LOWERED.finditer(f"{self.title} {self.abstract}")}
        found = dict.fromkeys(_CAPITALISED.findall(f"{self.title} {self.abstract}"))
        return tuple(word for word in found if word.lower() not in lowered)

    @cached_property
    def stems(self) -> tuple[frozenset[str], ...]:
        """Stems of the words, by sentence number."""
        return tuple(names.stems(sentence) for sentence in (self.title, *self.sentences))

    @cached_property
    def links(self) -> frozenset[str]:
        """Links in the abstract, without trailing punctuation."""
        return frozenset(match.group().rstrip(".,;:!?'\"") for match in _LINK.finditer(self.abstract))

    @cached_property
    def directions_by_sentence(self) -> tuple[tuple[Direction, ...], ...]:
        """Comparisons and changes, by sentence number."""
        return tuple(directions.find(sentence) for sentence in (self.title, *self.sentences))

    @cached_property
    def directions(self) -> tuple[tuple[int, Direction], ...]:
        """Comparisons and changes with their sentence number."""
        return tuple((n, one) for n, found in enumerate(self.directions_by_sentence) for one in found)

    def cue(self, kind: str) -> int | None:
        """Return the number of the first sentence that claims `kind` (a key of `CUES`), or None."""
        pattern = CUES[kind]
        texts = (self.title, *self.sentences)
        return next((number for number, text in enumerate(texts) if pattern.search(text)), None)


def _table(facts: Iterable[Sourced], key: Callable[[Sourced], K]) -> dict[K, list[Sourced]]:
    table: defaultdict[K, list[Sourced]] = defaultdict(list)
    for fact in facts:
        table[key(fact)].append(fact)
    return dict(table)


def rounded(value: float) -> float:
    """Return `value` to ten significant places, so that 1.1 * 1e9 equals 1100000000."""
    return float(f"{value:.10g}")


def digits(value: float) -> str:
    """Return the significant digits of a value.

    Examples
    --------
    >>> digits(1.3e9), digits(0.00013), digits(400)
    ('13', '13', '4')
    """
    return f"{value:.9e}".partition("e")[0].replace(".", "").strip("0") or "0"
