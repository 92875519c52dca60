"""Texts of known language for training an identifier: which are held out, and how much of each language is taken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from sulan.corpus.codes import UNKNOWN, spelled
from sulan.documents import reader
from sulan.runs import seeds

Key = TypeVar("Key")

SHORTEST = 20
"""Characters of a line that is tested; shorter ones are headings and names."""


@dataclass(kw_only=True)
class Language:
    """A language's texts by source: `train`, documents, and `test`, single lines."""

    train: dict[str, list[str]] = field(default_factory=dict)
    test: dict[str, list[str]] = field(default_factory=dict)


def read(corpora: Sequence[Path], *, column: str, held_out: float, seed: int) -> dict[str, Language]:
    """Read labelled corpora; languages in alphabetical order.

    Parameters
    ----------
    corpora
        Corpora with the columns `source` and labels.
    column
        Name of the column of labels.
    held_out
        Share of documents whose lines are for the test, drawn by (seed, id).
    seed
        Of the draw.
    """
    found: dict[str, Language] = {}
    hint = "name the column that holds the languages with --column"
    for corpus in corpora:
        for batch in reader.batches(corpus, ["id", "text", "source", column], hint=hint):
            for id_, text, source, label in zip(*(part.to_pylist() for part in batch.columns), strict=True):
                language = spelled(label) if label else UNKNOWN
                if language == UNKNOWN:
                    continue
                own = found.setdefault(language, Language())
                if (seeds.key(seed, id_) >> 64) / 2**64 < held_out:
                    lines = [line for line in text.split("\n") if len(line) >= SHORTEST]
                    own.test.setdefault(source or "", []).extend(lines)
                else:
                    own.train.setdefault(source or "", []).append(text)
    return {name: found[name] for name in sorted(found) if found[name].train}


def sampled(languages: Mapping[str, Language], *, temperature: float, seed: int) -> dict[str, list[str]]:
    """Return the texts of every language that are trained on, each source of a language sampled by itself.

    By itself, because the largest source of a language would drown the one that all languages have.
    """
    sizes = {
        (name, source): sum(map(len, texts))
        for name, language in languages.items()
        for source, texts in language.train.items()
    }
    wanted = amounts(sizes, temperature=temperature)
    return {
        name: [
            text
            for source in sorted(language.train)
            for text in _drawn(
                language.train[source], wanted[name, source], seed=seed, item=f"identifier {name} {source}"
            )
        ]
        for name, language in languages.items()
    }


def amounts(sizes: Mapping[Key, int], *, temperature: float) -> dict[Key, int]:
    """Return how much is taken of what has these sizes.

    What is no larger than the median is taken whole; the shares of what is larger are as the sizes to the power of
    1 / temperature (2309.04662, section 2: T = 3)::

        n if n <= median else median (n / median)^(1 / T)

    Examples
    --------
    >>> amounts({"en": 8000, "de": 1000, "fo": 10}, temperature=3)
    {'en': 2000, 'de': 1000, 'fo': 10}
    """
    if not sizes:
        return {}
    median = float(np.median(list(sizes.values())))
    return {
        name: n if n <= median else round(median * (n / median) ** (1 / temperature))
        for name, n in sizes.items()
    }


def _drawn(texts: Sequence[str], amount: int, *, seed: int, item: str) -> list[str]:
    """Return texts of so many characters together or a little more, drawn at random; all where there are fewer."""
    chosen: list[str] = []
    size = 0
    for number in seeds.generator(seed, item).permutation(len(texts)):
        if size >= amount:
            break
        chosen.append(texts[number])
        size += len(texts[number])
    return chosen
