"""A corpus as windows of tokens, the unit that a model sees; and the n-grams in them.

A window is a run of tokens that goes through the model at once, behind the beginning-of-sequence token where the
model has one. Windows are cut from one document after another, so nothing ever joins two documents; with `packed`
they are cut from the documents laid end to end. An n-gram never crosses the beginning of a window or of a document,
and the beginning-of-sequence token belongs to none (the paper leaves it out of its token computations).

Not covered: separator tokens between packed documents.
"""

import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from sulan.errors import BrokenArtefact, InputError, MissingFile

FILE = "sequences.safetensors"


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """The tokens of a corpus and where its windows are.

    Attributes
    ----------
    tokens
        All documents end to end, without beginning-of-sequence tokens; int32 [tokens].
    windows
        Where each window begins, and behind the last one where it ends; int64 [windows + 1].
    left
        Tokens to the left of each that an n-gram may use: those of its own window and document; uint8 [tokens],
        255 for more.
    context
        Longest window, beginning of sequence included.
    bos
        Token before each window; -1: none.
    """

    tokens: np.ndarray
    windows: np.ndarray
    left: np.ndarray
    context: int
    bos: int

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of every window, beginning of sequence included; int64 [windows]."""
        return np.diff(self.windows) + self.first

    @property
    def first(self) -> int:
        """1 where a beginning-of-sequence token stands before every window, else 0."""
        return int(self.bos >= 0)

    @property
    def full(self) -> int:
        """Windows as long as the context: those that positions are counted in."""
        return int((self.lengths == self.context).sum())

    def window(self, number: int) -> np.ndarray:
        """Return what the model reads of a window, int64 [length]."""
        found = self.tokens[self.windows[number] : self.windows[number + 1]].astype(np.int64)
        return np.concatenate([[self.bos], found]) if self.first else found

    def fingerprint(self) -> str:
        """Return the SHA-256 over tokens and windows."""
        digest = hashlib.sha256(f"{self.context} {self.bos}".encode())
        for array in (self.tokens, self.windows, self.left):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def cut(
    documents: Iterable[np.ndarray], *, context: int, bos: int, packed: bool = False, limit: int | None = None
) -> Sequences:
    """Cut documents into windows.

    Parameters
    ----------
    documents
        Tokens of each, without special tokens.
    context
        Longest window, beginning of sequence included.
    bos
        Token before each window; -1: none.
    packed
        Cut the documents laid end to end, so that all windows but the last are full.
    limit
        Tokens after which no more are read; the last document is cut there.

    Raises
    ------
    InputError
        There is no token, or the context has no room for one.

    Examples
    --------
    >>> found = cut([np.arange(5), np.arange(2)], context=4, bos=9)
    >>> [found.window(number).tolist() for number in range(3)]
    [[9, 0, 1, 2], [9, 3, 4], [9, 0, 1]]
    >>> found.left.tolist(), found.full
    ([0, 1, 2, 0, 1, 0, 1], 1)
    """
    room = context - (bos >= 0)
    if room < 1:
        raise InputError(f"a context of {context} has no room for a token")
    kept, total = [], 0
    for document in documents:
        if limit is not None:
            document = document[: limit - total]
        if len(document):
            kept.append(np.asarray(document, dtype=np.int32))
            total += len(document)
        if limit is not None and total >= limit:
            break
    if not total:
        raise InputError("the data have no token", hint="give a corpus with text in it")
    ends = np.cumsum([len(document) for document in kept])
    starts = ends - [len(document) for document in kept]
    if packed:
        begins = np.arange(0, total, room)
    else:
        begins = np.fromiter(
            itertools.chain.from_iterable(range(a, b, room) for a, b in zip(starts, ends, strict=True)),
            dtype=np.int64,
        )
    barriers = np.zeros(total, dtype=np.int64)
    for places in (begins, starts):
        barriers[places] = places
    left = np.arange(total) - np.maximum.accumulate(barriers)
    return Sequences(
        tokens=np.concatenate(kept),
        windows=np.append(begins, total).astype(np.int64),
        left=np.minimum(left, 255).astype(np.uint8),
        context=context,
        bos=bos,
    )


def save(sequences: Sequences, folder: Path) -> None:
    """Write the sequences into a folder."""
    save_file(
        {
            "tokens": sequences.tokens,
            "windows": sequences.windows,
            "left": sequences.left,
            "shape": np.asarray([sequences.context, sequences.bos], dtype=np.int64),
        },
        folder / FILE,
    )


def load(folder: Path) -> Sequences:
    """Read the sequences of a folder.

    Raises
    ------
    MissingFile
        There are none.
    BrokenArtefact
        The file is damaged.
    """
    try:
        found = load_file(folder / FILE)
        context, bos = found["shape"].tolist()
        return Sequences(
            tokens=found["tokens"], windows=found["windows"], left=found["left"], context=context, bos=bos
        )
    except FileNotFoundError as error:
        raise MissingFile(f"no {FILE} in {folder}") from error
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise BrokenArtefact(f"{folder / FILE} is damaged: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Grams:
    """The distinct n-grams of a corpus, in the order of their tokens.

    Attributes
    ----------
    tokens
        Their tokens, int32 [n-grams, n].
    totals
        How often each occurs, int64 [n-grams].
    at
        Number of the n-gram that ends at each token of the corpus, -1 where none does; int32 [tokens].
    """

    tokens: np.ndarray
    totals: np.ndarray
    at: np.ndarray

    def ceiling(self, most: int) -> int:
        """Return how often the `most` commonest occur together: no `most` n-grams cover more activations."""
        common = min(most, len(self.totals))
        return int(np.partition(self.totals, -common)[-common:].sum()) if common else 0


def grams(sequences: Sequences, n: int) -> Grams:
    """Number the n-grams of a corpus.

    An n-gram is one int64, the tokens as digits, so nothing collides.

    Examples
    --------
    >>> found = grams(cut([np.array([5, 7, 5, 7, 6])], context=8, bos=-1), 2)
    >>> found.tokens.tolist(), found.totals.tolist(), found.at.tolist()
    ([[5, 7], [7, 5], [7, 6]], [2, 1, 1], [-1, 0, 1, 0, 2])
    """
    tokens = sequences.tokens.astype(np.int64)
    digits = int(tokens.max()) + 1
    if digits**n >= 2**63:
        raise InputError(f"{n}-grams of {digits} tokens do not fit 64 bits")
    keys = np.zeros(len(tokens), dtype=np.int64)
    for back in range(n):
        keys[back:] += tokens[: len(tokens) - back] * digits**back
    there = np.flatnonzero(sequences.left >= n - 1)
    distinct, inverse, totals = np.unique(keys[there], return_inverse=True, return_counts=True)
    at = np.full(len(tokens), -1, dtype=np.int32)
    at[there] = inverse
    columns = [(distinct // digits**back) % digits for back in reversed(range(n))]
    return Grams(tokens=np.stack(columns, axis=1).astype(np.int32), totals=totals.astype(np.int64), at=at)
