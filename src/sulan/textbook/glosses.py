"""WordNet's nouns: words, what they mean, and what lies below what (Debian's package `wordnet-base`).

Reads the data file itself, whose format is that of WordNet's manual page wndb(5WN); NLTK's reader wants files that
Debian leaves out. Not covered: verbs, adjectives and relations other than "is a kind of".
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sulan.errors import InputError, MissingFile
from sulan.runs import fingerprints

FOLDER = Path("/usr/share/wordnet")
NOUNS = "data.noun"

_HYPERNYM = re.compile(r"@i? (\d{8}) n ")


@dataclass(frozen=True, kw_only=True)
class Sense:
    """One meaning.

    Attributes
    ----------
    number
        WordNet's number of it, a stable name.
    words
        Nouns that have it, the most usual first.
    meaning
        What they mean.
    examples
        Sentences or phrases that use one of them.
    kinds
        Numbers of the meanings that this one is a kind of.
    """

    number: str
    words: tuple[str, ...]
    meaning: str
    examples: tuple[str, ...]
    kinds: tuple[str, ...]


class Nouns:
    """All nouns of one WordNet.

    Parameters
    ----------
    folder
        Where `data.noun` and `index.noun` are.

    Raises
    ------
    MissingFile
        It is not installed.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        path = folder / NOUNS
        if not path.is_file():
            raise MissingFile(f"no WordNet at {folder}", hint="on Debian: apt-get install wordnet-base")
        self.fingerprint = fingerprints.file(path)
        self.senses: dict[str, Sense] = {}
        self._below: dict[str, list[str]] = defaultdict(list)
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if line[0] != " ":  # the licence stands in front, indented
                    sense = parsed(line)
                    self.senses[sense.number] = sense
                    for kind in sense.kinds:
                        self._below[kind].append(sense.number)
        self._first = _first_senses(folder / "index.noun")

    def sense(self, word: str) -> Sense:
        """Return the most usual meaning of a word.

        Raises
        ------
        InputError
            WordNet has no such noun.
        """
        number = self._first.get(word.lower())
        if number is None:
            raise InputError(f"WordNet has no noun {word!r}")
        return self.senses[number]

    def below(self, sense: Sense) -> list[Sense]:
        """Return a meaning and all that are a kind of it, at any depth, in the order of their numbers."""
        found, waiting = {sense.number}, [sense.number]
        while waiting:
            for number in self._below[waiting.pop()]:
                if number not in found:
                    found.add(number)
                    waiting.append(number)
        return [self.senses[number] for number in sorted(found)]


def parsed(line: str) -> Sense:
    """Return the meaning in one line of a data file.

    Examples
    --------
    >>> parsed('00001930 03 n 02 tall_oak 0 oak 0 001 @ 00001740 n 0000 | a tree; "the oak fell"  ').words
    ('tall oak', 'oak')
    """
    data, _, gloss = line.partition(" | ")
    fields = data.split(" ")
    count = int(fields[3], 16)
    parts = [part.strip() for part in gloss.strip().split("; ")]
    examples = tuple(part.strip('" ') for part in parts if part.startswith('"'))
    meaning = "; ".join(part for part in parts if not part.startswith('"'))
    return Sense(
        number=fields[0],
        words=tuple(word.replace("_", " ") for word in fields[4 : 4 + 2 * count : 2]),
        meaning=meaning,
        examples=examples,
        kinds=tuple(_HYPERNYM.findall(data + " ")),
    )


def _first_senses(index: Path) -> dict[str, str]:
    """Return the number of every noun's first meaning."""
    found = {}
    with index.open(encoding="utf-8") as lines:
        for line in lines:
            if line[0] != " ":
                fields = line.split()
                found[fields[0]] = fields[-int(fields[2])]  # as many numbers at the end as there are senses
    return found


@cache
def installed() -> Nouns:
    """Return the WordNet of this machine."""
    return Nouns()
