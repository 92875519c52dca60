"""Text for calibration and for measuring: a corpus, a file, or the language reference that comes with Python.

The words `python` and `python-held-out` stand for two disjoint parts of that reference (the text behind
Python's own `help()`, about 460,000 characters; one topic in four is held out), so that every verb runs without
a network and without a file. Another Python version has slightly other text; its fingerprint is in every run
record. Not covered: chat templates; chats are read as the corpus' plain text.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy
from transformers import PreTrainedTokenizerBase

from sulan.errors import InputError, MissingFile
from sulan.models import tokens
from sulan.runs import fingerprints, seeds

PYTHON = "python"
HELD_OUT = "python-held-out"


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Sequences of tokens of one length.

    Attributes
    ----------
    tokens
        int64 [samples, length].
    documents
        Documents that were read for them.
    notes
        What differs from what was asked for.
    """

    tokens: numpy.ndarray
    documents: int
    notes: tuple[str, ...]


def documents(source: Path) -> Iterator[tuple[str, str]]:
    """Give (id, text) of every document of a source, in order.

    Parameters
    ----------
    source
        A corpus folder, a file that `documents.convert` reads (text, JSON Lines, ...), `python` or `python-held-out`.

    Raises
    ------
    MissingFile
        There is nothing at this path.
    """
    from sulan.documents import convert, reader

    if str(source) in (PYTHON, HELD_OUT):
        yield from _reference(held_out=str(source) == HELD_OUT)
        return
    _check(source)
    with tempfile.TemporaryDirectory() as name:
        corpus = source
        if source.is_file():
            corpus = Path(name)
            convert.convert(source, corpus)
        for batch in reader.batches(corpus, ["id", "text"]):
            yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)


def fingerprint(source: Path) -> str:
    """Return the SHA-256 of a source's content."""
    if str(source) in (PYTHON, HELD_OUT):
        lines = "".join(f"{name}\0{text}\0" for name, text in documents(source))
        return hashlib.sha256(lines.encode()).hexdigest()
    _check(source)
    return fingerprints.path(source)


def files(source: Path | None) -> list[Path]:
    """Return what a run record should fingerprint of a source: nothing of what is built in."""
    return [] if source is None or str(source) in (PYTHON, HELD_OUT) else [source]


def windows(
    source: Path,
    tokenizer: PreTrainedTokenizerBase,
    *,
    samples: int,
    length: int,
    seed: int = 0,
) -> Windows:
    """Return windows of exactly `length` tokens, cut from documents in a random order that the seed fixes.

    Documents are joined with an end-of-text token, so that no window is padded; every window begins where the one
    before it ended. Text that is too short makes fewer windows, or shorter ones, and a note says so.

    Raises
    ------
    InputError
        The source has fewer than two tokens.
    """
    ends = [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
    chosen = sorted(documents(source), key=lambda pair: seeds.key(seed, pair[0]))
    pieces: list[numpy.ndarray] = []
    wanted, found, read = samples * length, 0, 0
    for encoded in tokens.encode(tokenizer, (text for _, text in chosen)):
        pieces.append(numpy.concatenate([encoded, ends]).astype(numpy.int64))
        found, read = found + len(pieces[-1]), read + 1
        if found >= wanted:
            break
    stream = numpy.concatenate(pieces) if pieces else numpy.empty(0, numpy.int64)
    if len(stream) < 2:
        raise InputError(f"{source} has {len(stream)} tokens; that is too little to calibrate with")
    notes = []
    if len(stream) < length:
        notes.append(f"{source} has {len(stream)} tokens: windows are that long instead of {length}")
        length = len(stream)
    count = min(samples, len(stream) // length)
    if count < samples:
        notes.append(f"{source} has {len(stream)} tokens: {count} windows of {length} instead of {samples}")
    return Windows(tokens=stream[: count * length].reshape(count, length), documents=read, notes=tuple(notes))


def _check(source: Path) -> None:
    if not source.exists():
        raise MissingFile(f"no corpus at {source}", hint="a corpus folder, a text file, or the word python")


def _reference(*, held_out: bool) -> Iterator[tuple[str, str]]:
    from pydoc_data.topics import topics

    for number, name in enumerate(sorted(topics)):
        if (number % 4 == 3) == held_out:
            yield name, topics[name]
