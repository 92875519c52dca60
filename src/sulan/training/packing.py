"""Write documents as a packed token file: a stream in, memory flat, the sidecar last.

A killed writer leaves files under hidden names that the next one replaces; a folder without `tokens.json` is
not a token file. Not covered: training a tokenizer, and packing in parallel (a corpus part is a shard: pack
parts apart where that matters).
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy

from sulan.documents import reader
from sulan.errors import InputError, SulanError
from sulan.runs import outputs
from sulan.training import stream
from sulan.training.stream import ENDS, FORMAT, SIDECAR, TOKENS, TokenStream

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SLICE = 1 << 20
"""Tokens that are checked, converted and written at once."""

CHARACTERS = 1 << 20
"""Text longer than this is tokenised in pieces: a tokenizer needs some fifty bytes for each character."""

_BORDER = re.compile(r"(?<=\w) (?=\w)")
"""Where a long text may be cut: before a single space between two words. Byte-level BPE, whose words begin
with their space, gives the same tokens as without the cut."""


def pack(
    documents: Iterable[Sequence[int] | numpy.ndarray],
    folder: Path,
    *,
    vocabulary: int,
    end: int,
    tokenizer: str = "",
) -> TokenStream:
    """Write documents, each followed by the end token, as a packed token file.

    Parameters
    ----------
    documents
        Token ids of each document, without the end token. An empty document is its end token alone.
    folder
        Where the files go; those of an earlier packing are replaced.
    vocabulary
        Number of token ids: two bytes a token below 65,536 ids, else four.
    end
        Id of the token after each document.
    tokenizer
        Fingerprint of the tokenizer that made the ids.

    Returns
    -------
    TokenStream
        What was written, opened.

    Raises
    ------
    InputError
        An id is negative or not below `vocabulary`, or a document is not a list of whole numbers.
    SulanError
        The disk is full.
    """
    kind = stream.dtype(vocabulary)
    if not 0 <= end < vocabulary:
        raise InputError(f"the end token {end} is not below the vocabulary's {vocabulary} ids")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SIDECAR).unlink(missing_ok=True)  # from here on the folder is half-made
    try:
        with (
            _Aside(folder / TOKENS, numpy.dtype(kind)) as tokens,
            _Aside(folder / ENDS, numpy.dtype(numpy.uint64)) as ends,
        ):
            for number, document in enumerate(documents):
                for part in _checked(document, vocabulary=vocabulary, number=number):
                    tokens.write(part)
                tokens.write(numpy.array([end]))
                ends.write(numpy.array([tokens.count]))
        sidecar = {
            "format": FORMAT,
            "vocabulary": vocabulary,
            "tokenizer": tokenizer,
            "dtype": kind.name,
            "end": end,
            "documents": ends.count,
            "tokens": tokens.count,
            "sha256": hashlib.sha256((tokens.sha256 + ends.sha256).encode()).hexdigest(),
        }
        outputs.write_text(folder / SIDECAR, json.dumps(sidecar, indent=1) + "\n")
    except OSError as error:
        if isinstance(error, SulanError):
            raise
        raise SulanError(
            f"cannot write to {folder}: {error.strerror or error}",
            hint="free some space, or name a folder on another disk; what was half-written is removed",
        ) from error
    return stream.read(folder)


def pack_corpus(
    corpus: Path,
    tokenizer: "PreTrainedTokenizerBase",
    folder: Path,
    *,
    fingerprint: str = "",
) -> TokenStream:
    """Tokenise the documents of a corpus in their order and pack them; see `pack`.

    Parameters
    ----------
    corpus
        Folder of a corpus.
    tokenizer
        A fast tokenizer with an end-of-text token. Special tokens that a text spells out are plain text.
    folder
        Where the files go.
    fingerprint
        The tokenizer's fingerprint, kept in the sidecar.

    Raises
    ------
    InputError
        The tokenizer has no end-of-text token.
    """
    if tokenizer.eos_token_id is None:
        raise InputError("the tokenizer has no end-of-text token", hint="set its eos_token")
    texts = (text for batch in reader.batches(corpus, ["text"]) for text in batch.column(0).to_pylist())
    return pack(
        encoded(texts, tokenizer),
        folder,
        vocabulary=len(tokenizer),
        end=tokenizer.eos_token_id,
        tokenizer=fingerprint,
    )


def encoded(texts: Iterable[str], tokenizer: "PreTrainedTokenizerBase") -> Iterator[numpy.ndarray]:
    """Yield the token ids of each text, without special tokens, long texts in pieces (see `CHARACTERS`)."""
    from sulan.models import tokens

    for text in texts:
        yield numpy.concatenate(list(tokens.encode(tokenizer, pieces(text, size=CHARACTERS))))


def pieces(text: str, *, size: int = CHARACTERS) -> Iterator[str]:
    """Yield a text in pieces of about `size` characters, cut between words where there are words.

    Examples
    --------
    >>> list(pieces("one two three", size=6))
    ['one two', ' three']
    """
    start = 0
    while len(text) - start > size:
        found = _BORDER.search(text, start + size, start + 2 * size)
        if found is None and len(text) - start <= 2 * size:
            break
        stop = found.start() if found else start + size
        yield text[start:stop]
        start = stop
    yield text[start:]


def _checked(
    document: Sequence[int] | numpy.ndarray, *, vocabulary: int, number: int
) -> Iterator[numpy.ndarray]:
    """Yield a document in slices, refusing what is not a token id before it could wrap around."""
    for start in range(0, len(document), SLICE):
        ids = numpy.asarray(document[start : start + SLICE])
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise InputError(f"document {number} is not a list of token ids")
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= vocabulary:
            raise InputError(
                f"document {number} has the token id {low if low < 0 else high}; "
                f"the vocabulary has {vocabulary} ids",
                hint="give the vocabulary of the tokenizer that made the ids",
            )
        yield ids


class _Aside:
    """A file that is written under a hidden name and takes its own when the block ends well."""

    def __init__(self, path: Path, kind: numpy.dtype) -> None:
        self.count = 0
        self.sha256 = ""
        self._path, self._kind = path, kind
        self._aside = path.with_name(f".{path.name}.partial")
        self._digest = hashlib.sha256()
        self._file = self._aside.open("wb", buffering=1 << 20)

    def __enter__(self) -> Self:
        return self

    def write(self, values: numpy.ndarray) -> None:
        data = values.astype(self._kind).tobytes()
        self._file.write(data)
        self._digest.update(data)
        self.count += len(values)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with self._file as file:
                if kind is None:
                    file.flush()
                    os.fsync(file.fileno())
            if kind is None:
                self._aside.replace(self._path)
                self.sha256 = self._digest.hexdigest()
        finally:
            self._aside.unlink(missing_ok=True)
