"""A packed token file, read in an order that is a pure function of the seed and the step.

A folder holds `tokens.bin` (the tokens of all documents, each document followed by the end token; raw uint16
or uint32 in the machine's order, which `numpy.memmap` and nanoGPT read), `documents.bin` (uint64: where each
document ends, the end token included) and `tokens.json`, written last. The tokens are cut into sequences of
exactly the context's length, as 2309.04564 section 3 does; a rest shorter than that is not used. `packing`
writes such a folder. Not covered: attention that stops at document borders, mixing several streams.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy

from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.training import order

TOKENS = "tokens.bin"
ENDS = "documents.bin"
SIDECAR = "tokens.json"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class TokenStream:
    """Packed documents, or a part of them, as sequences of tokens.

    Attributes
    ----------
    folder
        Where the files are.
    vocabulary
        Number of token ids; every id is below.
    end
        Id of the token after each document.
    tokenizer
        Fingerprint of the tokenizer; empty where the documents came as ids.
    fingerprint
        SHA-256 of the tokens, the documents' ends, and what was selected.
    spans
        int64[n, 2]: the ranges of the file that this stream consists of, in their order.
    context
        Length of the sequences that `chosen` counts; None where no sequences were selected.
    chosen
        int64[m]: numbers of the selected sequences; None: all.
    """

    folder: Path
    vocabulary: int
    end: int
    tokenizer: str
    fingerprint: str
    spans: numpy.ndarray
    context: int | None = None
    chosen: numpy.ndarray | None = None

    @property
    def tokens(self) -> int:
        """Number of tokens, before sequences were selected."""
        return int((self.spans[:, 1] - self.spans[:, 0]).sum())

    def count(self, context: int) -> int:
        """Return the number of sequences of this length.

        Raises
        ------
        InputError
            Sequences of another length were selected, or there is not one.
        """
        if self.chosen is not None and context != self.context:
            raise InputError(
                f"sequences of {self.context} tokens were selected, not of {context}",
                hint="select sequences with the context that the training has",
            )
        found = self.tokens // context if self.chosen is None else len(self.chosen)
        if found < 1:
            raise InputError(f"{self.folder} holds {self.tokens} tokens: not one sequence of {context}")
        return found

    def sequences(self, numbers: numpy.ndarray, *, context: int) -> numpy.ndarray:
        """Return sequences by their number among `count`.

        Parameters
        ----------
        numbers
            int64[n], each below `count(context)`.
        context
            Tokens in a sequence.

        Returns
        -------
        numpy.ndarray
            int64[n, context].
        """
        if self.chosen is not None:
            numbers = self.chosen[numbers]
        return _gather(self._file, self.spans, numbers * context, context)

    def batch(
        self, step: int, *, size: int, context: int, seed: int, part: slice = slice(None)
    ) -> numpy.ndarray:
        """Return the sequences of one step.

        Sequence `g = step * size + i` of a training is the one at position `g mod count` in the order of epoch
        `g div count`; every epoch has an order of its own.

        Parameters
        ----------
        step
            Number of the step, from 0.
        size
            Sequences a step.
        context
            Tokens a sequence.
        seed
            Seed of the order.
        part
            Which sequences of the step are wanted, e.g. those of one process.

        Returns
        -------
        numpy.ndarray
            int64[size, context], or the wanted part of it.
        """
        count = self.count(context)
        positions = numpy.arange(step * size, (step + 1) * size, dtype=numpy.int64)[part]
        epochs, places = numpy.divmod(positions, count)
        numbers = numpy.empty_like(positions)
        for epoch in numpy.unique(epochs).tolist():
            here = epochs == epoch
            numbers[here] = order.shuffled(places[here], count, seed=seed, epoch=epoch)
        return self.sequences(numbers, context=context)

    def documents(self, numbers: Sequence[int] | numpy.ndarray) -> "TokenStream":
        """Return the stream of these documents alone, in this order; nothing is written.

        Parameters
        ----------
        numbers
            Numbers of documents in the order in which they were packed, from 0.

        Raises
        ------
        InputError
            There is no such document, or this stream is a part already.
        """
        ends = _mapped(self.folder / ENDS, numpy.dtype(numpy.uint64))
        if self.chosen is not None or len(self.spans) != 1 or self.tokens != int(ends[-1:].sum()):
            raise InputError("this stream is a part already", hint="select from the whole stream")
        wanted = _numbers(numbers, below=len(ends), what="documents")
        starts = numpy.where(wanted == 0, 0, ends[numpy.maximum(wanted, 1) - 1]).astype(numpy.int64)
        spans = numpy.stack([starts, ends[wanted].astype(numpy.int64)], axis=1)
        return replace(self, spans=spans, fingerprint=_selected(self.fingerprint, "documents", wanted))

    def select(self, numbers: Sequence[int] | numpy.ndarray, *, context: int) -> "TokenStream":
        """Return the stream of these sequences alone; nothing is written.

        Parameters
        ----------
        numbers
            Numbers of sequences, below `count(context)`.
        context
            Tokens in a sequence.

        Raises
        ------
        InputError
            There is no such sequence.
        """
        wanted = _numbers(numbers, below=self.count(context), what="sequences")
        chosen = wanted if self.chosen is None else self.chosen[wanted]
        fingerprint = _selected(self.fingerprint, f"sequences of {context}", wanted)
        return replace(self, chosen=chosen, context=context, fingerprint=fingerprint)

    @property
    def _file(self) -> numpy.ndarray:
        return _mapped(self.folder / TOKENS, dtype(self.vocabulary))


def read(folder: Path) -> TokenStream:
    """Open a packed token file.

    Raises
    ------
    MissingFile
        There is none in the folder.
    BrokenArtefact
        A file has another size than the sidecar says, or the sidecar is not of this format.
    """
    path = folder / SIDECAR
    try:
        sidecar: dict[str, Any] = json.loads(path.read_text())
        if sidecar["format"] != FORMAT:
            raise BrokenArtefact(f"{path} is of format {sidecar['format']}, not {FORMAT}")
        width = numpy.dtype(sidecar["dtype"]).itemsize
        sizes = {TOKENS: sidecar["tokens"] * width, ENDS: sidecar["documents"] * 8}
        stream = TokenStream(
            folder=folder,
            vocabulary=sidecar["vocabulary"],
            end=sidecar["end"],
            tokenizer=sidecar["tokenizer"],
            fingerprint=sidecar["sha256"],
            spans=numpy.array([[0, sidecar["tokens"]]], dtype=numpy.int64),
        )
    except FileNotFoundError as error:
        raise MissingFile(f"no {SIDECAR} in {folder}", hint="pack the documents first") from error
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, BrokenArtefact):
            raise
        raise BrokenArtefact(f"{path} is not the sidecar of a token file: {error}") from error
    for name, size in sizes.items():
        found = (folder / name).stat().st_size if (folder / name).exists() else 0
        if found != size:
            raise BrokenArtefact(
                f"{folder / name} has {found} bytes, its sidecar says {size}", hint="pack it again"
            )
    return stream


def dtype(vocabulary: int) -> numpy.dtype:
    """Return the type of the file: two bytes a token where every id fits, else four.

    Raises
    ------
    InputError
        No id would fit.

    Examples
    --------
    >>> dtype(50257), dtype(65536)
    (dtype('uint16'), dtype('uint32'))
    """
    if not 1 <= vocabulary <= 2**32:
        raise InputError(f"a vocabulary has 1 to {2**32} token ids, not {vocabulary}")
    return numpy.dtype(numpy.uint16 if vocabulary < 65_536 else numpy.uint32)


def _mapped(path: Path, kind: numpy.dtype) -> numpy.ndarray:
    # An empty file cannot be mapped.
    return numpy.memmap(path, dtype=kind, mode="r") if path.stat().st_size else numpy.empty(0, dtype=kind)


def _gather(file: numpy.ndarray, spans: numpy.ndarray, starts: numpy.ndarray, length: int) -> numpy.ndarray:
    """Return int64[n, length]: what stands at `starts` of the concatenation of the spans."""
    places = starts[:, None] + numpy.arange(length, dtype=numpy.int64)
    if len(spans) == 1:
        return file[places + spans[0, 0]].astype(numpy.int64)
    before = numpy.concatenate([[0], numpy.cumsum(spans[:, 1] - spans[:, 0])])
    inside = numpy.searchsorted(before, places, side="right") - 1
    return file[spans[inside, 0] + places - before[inside]].astype(numpy.int64)


def _numbers(numbers: Sequence[int] | numpy.ndarray, *, below: int, what: str) -> numpy.ndarray:
    wanted = numpy.asarray(numbers, dtype=numpy.int64)
    if wanted.ndim != 1 or not len(wanted):
        raise InputError(f"no {what} were selected")
    if wanted.min() < 0 or wanted.max() >= below:
        wrong = int(wanted.min() if wanted.min() < 0 else wanted.max())
        raise InputError(f"there are {below} {what}; number {wrong} was asked for")
    return wanted


def _selected(fingerprint: str, what: str, numbers: numpy.ndarray) -> str:
    digest = hashlib.sha256(f"{fingerprint} {what} ".encode())
    digest.update(numpy.ascontiguousarray(numbers).tobytes())
    return digest.hexdigest()
