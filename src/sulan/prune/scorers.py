"""Reference models behind one interface: a causal language model, or an n-gram model.

A scorer says what text is to it (tokens), how well it predicts them, and what it would say itself. Which one a
folder holds is told by its files. Not covered: where the text comes from and what becomes of the scores.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from sulan.errors import InputError
from sulan.prune import ngram
from sulan.prune.scores import MEMORIZATION_CONTINUATION, MEMORIZATION_PROMPT, memorization

Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What decides the scores of a text. Two columns are comparable where it is the same.

    Attributes
    ----------
    model
        What was asked for.
    kind
        `neural` or `ngram`.
    model_fingerprint, tokenizer_fingerprint
        SHA-256.
    dtype
        Precision that the model computed in.
    context
        Longest sequence in tokens.
    begin
        The token that stands before the first of a document, as its number; None: the first is not predicted.
    """

    model: str
    kind: str
    model_fingerprint: str
    tokenizer_fingerprint: str
    dtype: str
    context: int
    begin: int | None


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """How well each predicted token of one sequence was predicted, float32 [tokens]; `el2n` where asked for."""

    nll: np.ndarray
    el2n: np.ndarray | None = None


class Scorer(Protocol):
    """A reference model."""

    @property
    def provenance(self) -> Provenance:
        """What decides its scores."""

    def tokens(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return each text's tokens, int32; special tokens inside a text are plain text."""

    def predict(self, sequences: Sequence[np.ndarray], *, el2n: bool) -> Iterator[Predicted]:
        """Score sequences of tokens, each by itself, in their order."""

    def memorized(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """Return the memorization score of sequences; NaN for those that are too short, float64 [sequences]."""


def scorer(model: str, *, dtype: Precision, context: int | None) -> Scorer:
    """Open a reference model.

    Parameters
    ----------
    model
        A folder that `sulan prune reference --ngram` made, a bare `.arpa` or KenLM `.binary` file, or what
        `sulan.models.load` takes.
    dtype
        See `sulan.models.load`; an n-gram model has none.
    context
        Longest sequence in tokens; None: the model's own.

    Raises
    ------
    MissingFile, InputError, BrokenArtefact
        As `sulan.models.load` and `ngram.load`.
    """
    if ngram.is_one(Path(model)):
        return NgramScorer(ngram.load(Path(model)))
    return NeuralScorer(model, dtype=dtype, context=context)


class NgramScorer:
    """An n-gram model as a reference."""

    def __init__(self, model: ngram.NgramModel) -> None:
        self._model = model

    @property
    def provenance(self) -> Provenance:
        """What decides its scores."""
        return Provenance(
            model=str(self._model.name),
            kind="ngram",
            model_fingerprint=self._model.fingerprint,
            tokenizer_fingerprint=self._model.tokenizer_fingerprint,
            dtype="float32",
            context=self._model.order,
            begin=None,
        )

    def tokens(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return each text's tokens, int32."""
        return [self._model.tokens(text) for text in texts]

    def predict(self, sequences: Sequence[np.ndarray], *, el2n: bool) -> Iterator[Predicted]:
        """Score sequences of tokens, each by itself, in their order."""
        for sequence in sequences:
            yield Predicted(nll=self._model.nll(sequence))

    def memorized(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """Never called: `score` refuses this metric for an n-gram model."""
        raise InputError("an n-gram model has no memorization score")


class NeuralScorer:
    """A causal language model as a reference."""

    def __init__(self, model: str, *, dtype: Precision, context: int | None) -> None:
        from sulan import models
        from sulan.models import tokens

        self._model = models.load(model, dtype=dtype)
        if context is not None and not 1 < context <= self._model.context:
            raise InputError(f"context must be from 2 to the model's {self._model.context}, not {context}")
        self._context = context or self._model.context
        self._first = tokens.first_context(self._model.tokenizer)

    @property
    def provenance(self) -> Provenance:
        """What decides its scores."""
        return Provenance(
            model=self._model.name,
            kind="neural",
            model_fingerprint=self._model.fingerprint,
            tokenizer_fingerprint=self._model.tokenizer_fingerprint,
            dtype=str(self._model.model.dtype).removeprefix("torch."),
            context=self._context,
            begin=self._first,
        )

    def tokens(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return each text's tokens, int32; special tokens inside a text are plain text."""
        from sulan.models import tokens

        return list(tokens.encode(self._model.tokenizer, texts))

    def predict(self, sequences: Sequence[np.ndarray], *, el2n: bool) -> Iterator[Predicted]:
        """Score sequences of tokens, each by itself, in their order."""
        from sulan.models import logprobs

        for found in logprobs.score(self._model, sequences, context=self._context, el2n=el2n):
            yield Predicted(nll=found.nll, el2n=found.el2n)

    def memorized(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """Return the memorization score of sequences; NaN for those that are too short, float64 [sequences]."""
        from sulan.models.continuation import greedy_continuation

        needed = MEMORIZATION_PROMPT + MEMORIZATION_CONTINUATION
        scores = np.full(len(sequences), np.nan)
        long_enough = np.flatnonzero([len(sequence) >= needed for sequence in sequences])
        if len(long_enough):
            shown = np.stack([sequences[i][:needed] for i in long_enough.tolist()]).astype(np.int32)
            prompts = shown[:, :MEMORIZATION_PROMPT]
            said = greedy_continuation(self._model, prompts, MEMORIZATION_CONTINUATION)
            scores[long_enough] = memorization(said, shown[:, MEMORIZATION_PROMPT:])
        return scores
