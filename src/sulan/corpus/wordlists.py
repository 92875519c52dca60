"""Word lists by TF-IIF: words that are frequent in a language and rare elsewhere (2010.14571, section 5).

Of term frequency in the language and frequency over all languages together ("inverse internet frequency"), both as
shares of the tokens::

    tfiif(w, l) = tf(w, l) / sum over languages m of tf(w, m)

The list of a language has its most frequent words in the order of tf * tfiif.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numba
import numpy as np
import pyarrow as pa

from sulan.corpus.characters import WORD, tables
from sulan.corpus.sentences import Sentences, Texts, decode
from sulan.errors import BrokenArtefact, MissingFile
from sulan.runs import outputs

FILE = "words.json"
SIZE = 1000
"""Words in a list at most. The paper's lists are of this order for languages with little text."""


class Wordlists:
    """Word lists by language, as hashes."""

    def __init__(self, words: Mapping[str, Sequence[str]]) -> None:
        self.languages = tuple(sorted(words))
        owners = [self.languages.index(name) for name in self.languages for _ in words[name]]
        every = [word for name in self.languages for word in words[name]]
        texts = Texts.of(pa.array(every, pa.large_string()))
        hashes = np.zeros(len(every), np.uint64)
        found = Sentences(
            starts=texts.offsets[:-1], ends=texts.offsets[1:], first=np.arange(len(every) + 1, dtype=np.int64)
        )
        _hash_words(texts.data, found.starts, found.ends, np.array(owners, np.int64), *tables()[:2], hashes)
        self._hashes = np.unique(hashes)

    def rare(self, texts: Texts, found: Sentences, languages: pa.Array, share: float) -> np.ndarray:
        """Return which sentences have a smaller share of listed words, bool[sentences]; never without a list."""
        numbers = {name: number for number, name in enumerate(self.languages)}
        own = np.array([numbers.get(name, -1) for name in languages.to_pylist()], np.int64)
        listed, tokens = np.zeros(len(found.starts), np.int64), np.zeros(len(found.starts), np.int64)
        owner = own[found.owner()]
        _count(texts.data, found.starts, found.ends, owner, *tables()[:2], self._hashes, listed, tokens)
        return (owner >= 0) & (listed < share * tokens)


def read(folder: Path) -> Wordlists:
    """Read the word lists that `sulan corpus train-identifier` wrote.

    Raises
    ------
    MissingFile
        There are none.
    BrokenArtefact
        The file is damaged.
    """
    try:
        return Wordlists(json.loads((folder / FILE).read_text()))
    except FileNotFoundError as error:
        raise MissingFile(
            f"no word lists in {folder}", hint="sulan corpus train-identifier makes them"
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise BrokenArtefact(f"{folder / FILE} is damaged: {error}") from error


def write(folder: Path, texts: Mapping[str, Sequence[str]]) -> None:
    """Write the lists of languages, from their texts; languages without spaces have none."""
    counts = {
        language: Counter(word for text in each for word in re.findall(r"[^\W\d_]+", text.lower()))
        for language, each in texts.items()
    }
    outputs.write_text(folder / FILE, json.dumps(lists(counts), ensure_ascii=False, indent=0) + "\n")


def lists(counts: Mapping[str, Mapping[str, int]], *, size: int = SIZE) -> dict[str, list[str]]:
    """Return each language's list.

    Examples
    --------
    >>> lists({"de": {"und": 3, "ok": 1}, "en": {"and": 3, "ok": 1}}, size=1)
    {'de': ['und'], 'en': ['and']}
    """
    shares = {
        language: {word: count / max(sum(words.values()), 1) for word, count in words.items()}
        for language, words in counts.items()
    }
    everywhere: dict[str, float] = {}
    for words in shares.values():
        for word, share in words.items():
            everywhere[word] = everywhere.get(word, 0) + share
    return {
        language: [
            word
            for word, _ in sorted(
                words.items(), key=lambda each: (-(each[1] ** 2) / everywhere[each[0]], each[0])
            )
        ][:size]
        for language, words in sorted(shares.items())
    }


@numba.njit(cache=True)
def _hash_words(data, starts, ends, owners, classes, lower, hashes):
    for number in range(len(starts)):
        value = np.uint64(owners[number]) + np.uint64(0x51)
        at = starts[number]
        while at < ends[number]:
            code, at = decode(data, at)
            if classes[code] & WORD:
                value = (value ^ np.uint64(lower[code])) * np.uint64(0x9E3779B97F4A7C15)
                value ^= value >> np.uint64(29)
        hashes[number] = value


@numba.njit(cache=True)
def _count(data, starts, ends, owners, classes, lower, known, listed, tokens):
    for number in range(len(starts)):
        if owners[number] < 0:
            continue
        begin = np.uint64(owners[number]) + np.uint64(0x51)
        value, inside = begin, False
        at = starts[number]
        while at <= ends[number]:
            word = False
            code = np.int64(32)
            if at < ends[number]:
                code, at = decode(data, at)
                word = (classes[code] & WORD) != 0
            else:
                at += 1
            if word:
                inside = True
                value = (value ^ np.uint64(lower[code])) * np.uint64(0x9E3779B97F4A7C15)
                value ^= value >> np.uint64(29)
            elif inside:
                tokens[number] += 1
                place = np.searchsorted(known, value)
                listed[number] += place < len(known) and known[place] == value
                value, inside = begin, False
