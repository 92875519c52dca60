"""Perplexity and bits per byte of a corpus or of texts.

    perplexity = exp(N / T),   bits per byte = N / (B ln 2)

with N the summed negative log-likelihood in nats, T the scored tokens and B the bytes of the texts in UTF-8. Only
bits per byte compares models with different tokenizers. Documents longer than the context are scored in windows
as `models.logprobs` and lm-eval do. Documents stream through; what stays in memory is 24 bytes each.
Not covered: models without any token that could stand before a document.
"""

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy
from numpy.typing import NDArray

from sulan.documents import reader, schema
from sulan.errors import BrokenArtefact, InputError
from sulan.models import LanguageModel, logprobs, tokens
from sulan.runs.progress import progress


@dataclass(frozen=True, kw_only=True)
class Perplexity:
    """What a model makes of documents, whole and one by one.

    Attributes
    ----------
    document_nll
        Summed negative log-likelihood of each document in nats, float64 `[documents]`; 0 where it has no token.
    document_tokens, document_bytes
        Scored tokens and UTF-8 bytes of each document, int64 `[documents]`.

    Examples
    --------
    Two tokens of probability 1/4 on a document of one byte:

    >>> found = Perplexity(
    ...     document_nll=numpy.array([2 * math.log(4)]),
    ...     document_tokens=numpy.array([2]),
    ...     document_bytes=numpy.array([1]),
    ... )
    >>> round(found.perplexity, 9), round(found.bits_per_byte, 9)
    (4.0, 4.0)
    """

    document_nll: NDArray[numpy.float64]
    document_tokens: NDArray[numpy.int64]
    document_bytes: NDArray[numpy.int64]

    @property
    def nll(self) -> float:
        """Summed negative log-likelihood in nats."""
        return math.fsum(self.document_nll)

    @property
    def tokens(self) -> int:
        """Scored tokens."""
        return int(self.document_tokens.sum())

    @property
    def bytes(self) -> int:
        """UTF-8 bytes of all documents."""
        return int(self.document_bytes.sum())

    @property
    def perplexity(self) -> float:
        """exp(nll / tokens)."""
        return math.exp(self.nll / self.tokens)

    @property
    def bits_per_byte(self) -> float:
        """nll / (bytes ln 2)."""
        return self.nll / (self.bytes * math.log(2))


def perplexity(
    language_model: LanguageModel,
    documents: Path | Iterable[str],
    *,
    context: int | None = None,
    tokens_per_batch: int = 2048,
    label: str = "perplexity",
) -> Perplexity:
    """Score documents.

    Parameters
    ----------
    language_model
        What predicts them.
    documents
        Folder of a corpus, or texts.
    context
        Longest window in tokens; the model's own by default.
    tokens_per_batch
        Tokens of one forward pass; changes speed and memory, not the result.
    label
        What the progress says.

    Raises
    ------
    MissingFile, BrokenArtefact
        There is no corpus at the path, or it is damaged; or the model gives a document no finite probability.
    InputError
        No document has a token to score, a text is not Unicode, or the context is above the model's.
    """
    if isinstance(documents, Path):
        total, texts = reader.count(documents), _texts(documents)
    else:
        total, texts = None, iter(documents)
    sizes, counts, sums = array("q"), array("q"), array("d")

    def counted() -> Iterator[str]:
        for text in texts:
            sizes.append(len(text.encode(errors="surrogatepass")))  # half a pair: `encode` below refuses it
            yield text

    scores = logprobs.score(
        language_model,
        tokens.encode(language_model.tokenizer, counted()),
        context=context,
        tokens_per_batch=tokens_per_batch,
    )
    for score in progress(scores, label=label, total=total):
        if not score.finite:
            raise BrokenArtefact(
                f"{language_model.name} gives document {len(sums)} no finite probability",
                hint="load the model in float32",
            )
        counts.append(len(score.nll))
        sums.append(float(score.nll.sum(dtype=numpy.float64)))
    found = Perplexity(
        document_nll=numpy.array(sums),
        document_tokens=numpy.array(counts, dtype=numpy.int64),
        document_bytes=numpy.array(sizes, dtype=numpy.int64),
    )
    if not found.tokens:
        raise InputError(f"none of the {len(sums)} documents has a token to score")
    return found


def _texts(corpus: Path) -> Iterator[str]:
    for batch in reader.batches(corpus, [schema.TEXT]):
        for text in batch.column(0):
            yield text.as_py()
