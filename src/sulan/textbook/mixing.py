"""Several corpora as one, in given shares of tokens.

An epoch is as long as the corpora allow without reading a document twice: E = min over corpora of tokens_i / share_i.
Each gives documents in a random order until it has given share_i E tokens, the last one whole; what a corpus has beyond
that is left out, and the report says how much. Not covered: other shares in other epochs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
from transformers import PreTrainedTokenizerFast

from sulan.documents import reader
from sulan.documents.schema import ID, TEXT
from sulan.errors import InputError
from sulan.models import tokens
from sulan.runs import seeds


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one corpus gives.

    Attributes
    ----------
    corpus
        Its folder.
    documents, tokens
        What it has; a document counts with the token that ends it.
    chosen
        Numbers of the documents that are read, rising.
    given
        Their tokens.
    """

    corpus: Path
    documents: int
    tokens: int
    chosen: numpy.ndarray
    given: int


def texts(corpora: Sequence[Path]) -> Iterator[str]:
    """Give the texts of corpora, one after the other."""
    for corpus in corpora:
        for batch in reader.batches(corpus, [TEXT]):
            yield from batch.column(0).to_pylist()


def shares(mix: Sequence[float], corpora: int) -> list[float]:
    """Return the shares, one above 0 for each corpus, that must add up to 1.

    Examples
    --------
    >>> shares((0.8, 0.2), 2)
    [0.8, 0.2]
    """
    if len(mix) != corpora or min(mix, default=0) <= 0 or abs(sum(mix) - 1) > 1e-6:
        raise InputError(
            f"mix has {', '.join(map(str, mix))} for {corpora} corpora",
            hint="one share above 0 for each corpus, 1 together, such as --mix 0.8,0.2",
        )
    return list(mix)


def divide(
    corpora: Sequence[Path],
    words: PreTrainedTokenizerFast,
    *,
    mix: Sequence[float],
    seed: int,
    most: int | None = None,
) -> list[Part]:
    """Choose what is read of each corpus.

    Parameters
    ----------
    corpora
        Their folders.
    words
        Tokenizer that counts.
    mix
        Shares, as in `shares`; empty: everything is read.
    seed
        Of the order that documents are taken in, together with their ids.
    most
        Tokens of an epoch at most, where there are shares; None: as many as the corpora allow.
    """
    lengths, ids = [], []
    for corpus in corpora:
        found = tokens.encode(words, texts([corpus]))
        lengths.append(numpy.array([len(document) + 1 for document in found], numpy.int64))
        ids.append([name for batch in reader.batches(corpus, [ID]) for name in batch.column(0).to_pylist()])
        if not len(lengths[-1]):
            raise InputError(f"{corpus} has no document")
    parts = []
    wanted = shares(mix, len(corpora)) if mix else []
    epoch = min((int(each.sum()) / share for each, share in zip(lengths, wanted, strict=False)), default=0.0)
    epoch = epoch if most is None else min(epoch, most)
    for number, (corpus, own) in enumerate(zip(corpora, lengths, strict=True)):
        order = numpy.array(
            sorted(range(len(own)), key=lambda n, names=ids[number]: seeds.key(seed, names[n]))
        )
        count = len(own)
        if wanted:
            count = 1 + int(numpy.searchsorted(numpy.cumsum(own[order]), wanted[number] * epoch))
        chosen = numpy.sort(order[:count])
        parts.append(
            Part(
                corpus=corpus,
                documents=len(own),
                tokens=int(own.sum()),
                chosen=chosen,
                given=int(own[chosen].sum()),
            )
        )
    return parts


def documents(parts: Sequence[Part], words: PreTrainedTokenizerFast) -> Iterator[numpy.ndarray]:
    """Yield the tokens of the chosen documents."""
    for part in parts:
        yield from tokens.encode(words, _chosen(part))


def _chosen(part: Part) -> Iterator[str]:
    wanted = iter([*part.chosen.tolist(), -1])
    following = next(wanted)
    for number, text in enumerate(texts([part.corpus])):
        if number == following:
            yield text
            following = next(wanted)
