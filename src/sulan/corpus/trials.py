"""How good identifiers are: on held-out lines, and on documents of another origin that two others agree on."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from sulan.corpus.codes import UNKNOWN
from sulan.corpus.identifiers import Identifier, wholes
from sulan.corpus.languages import Language
from sulan.corpus.sentences import Texts
from sulan.documents import reader

SHOWN = 30
"""Pairs of languages taken for one another that are shown."""


TURNS = 3
"""Times that texts are read to tell how fast an identifier is: other work on the machine slows single ones."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What an identifier said of texts.

    Attributes
    ----------
    wanted, told
        Languages.
    seconds
        CPU seconds that it took, the least of some turns.
    bytes
        Of the texts.
    """

    wanted: tuple[str, ...]
    told: tuple[str, ...]
    seconds: float
    bytes: int

    @property
    def accuracy(self) -> float:
        """Share of texts told right."""
        return (
            float(np.mean([a == b for a, b in zip(self.wanted, self.told, strict=True)]))
            if self.wanted
            else 0.0
        )

    def by_language(self) -> dict[str, tuple[int, float]]:
        """Return each wanted language's number of texts and the share told right."""
        right: Counter[str] = Counter(a for a, b in zip(self.wanted, self.told, strict=True) if a == b)
        every = Counter(self.wanted)
        return {name: (count, right[name] / count) for name, count in sorted(every.items())}

    def confusions(self) -> tuple[tuple[str, str, int], ...]:
        """Return the most frequent (wanted, told, texts) that are wrong."""
        wrong = Counter((a, b) for a, b in zip(self.wanted, self.told, strict=True) if a != b)
        ordered = sorted(wrong.items(), key=lambda each: (-each[1], each[0]))
        return tuple((a, b, count) for (a, b), count in ordered[:SHOWN])


def held_out(identifier: Identifier, languages: Mapping[str, Language]) -> dict[str, Trial]:
    """Try an identifier on the lines that were held out, by source; "all" is all of them."""
    lines: dict[str, list[tuple[str, str]]] = {}
    for name, language in languages.items():
        for source, found in language.test.items():
            lines.setdefault(source, []).extend((name, line) for line in found)
    lines = {"all": [each for source in sorted(lines) for each in lines[source]], **lines}
    return {
        source: _tried(
            identifier,
            Texts.of(pa.array([line for _, line in found], pa.large_string())),
            [name for name, _ in found],
        )
        for source, found in sorted(lines.items())
    }


def elsewhere(
    identifier: Identifier, corpora: Sequence[Path], judges: Sequence[Identifier]
) -> tuple[Trial, dict[str, float], int]:
    """Try an identifier on documents that all judges agree on.

    Returns
    -------
    tuple
        The trial; documents that each judge reads in a CPU second, by class name; documents that they do not agree on.
    """
    batches = [batch for corpus in corpora for batch in reader.batches(corpus, ["text"])]
    texts = Texts.of(
        pa.chunked_array([batch.column(0) for batch in batches], pa.large_string()).combine_chunks()
    )
    count = len(texts.offsets) - 1
    answers, speeds = [], {}
    for judge in judges:
        codes, seconds = _timed(judge, texts)
        speeds[type(judge).__name__] = count / seconds
        answers.append([judge.labels[code] for code in codes])
    wanted = [said[0] if len(set(said)) == 1 else UNKNOWN for said in zip(*answers, strict=True)]
    return _tried(identifier, texts, wanted), speeds, wanted.count(UNKNOWN)


def _timed(identifier: Identifier, texts: Texts) -> tuple[np.ndarray, float]:
    """Return the languages and the CPU seconds of the fastest of `TURNS` turns."""
    codes, seconds = np.empty(0, np.int16), []
    for _ in range(TURNS):
        began = time.process_time()
        codes = wholes(identifier, texts)
        seconds.append(time.process_time() - began)
    return codes, max(min(seconds), 1e-9)


def _tried(identifier: Identifier, texts: Texts, wanted: Sequence[str]) -> Trial:
    codes, seconds = _timed(identifier, texts)
    told = [identifier.labels[code] for code in codes]
    known = [number for number, name in enumerate(wanted) if name != UNKNOWN]
    return Trial(
        wanted=tuple(wanted[number] for number in known),
        told=tuple(told[number] for number in known),
        seconds=seconds,
        bytes=int(texts.offsets[-1] - texts.offsets[0]),
    )
