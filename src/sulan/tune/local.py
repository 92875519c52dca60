"""A causal language model of this machine as the frozen model.

Which questions go through it together is decided by all questions of a call, not by which of them are in the cache:
greedy decoding may take another token where two are within rounding, and a run that goes on after a kill must write
what an undisturbed one writes.

Not covered: sampling.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sulan import models
from sulan.chat.ledger import Ledger, Price
from sulan.chat.protocol import Reply, Request
from sulan.chat.session import Session
from sulan.errors import BackendError
from sulan.evaluation.generation import generate
from sulan.models import LanguageModel, tokens
from sulan.runs.progress import progress
from sulan.tune.teachers import Question


class Local:
    """See `teachers.Teacher`.

    Parameters
    ----------
    name
        What `models.load` loads.
    cache
        File of earlier replies; None: none.
    batch
        Questions that are read together.
    """

    def __init__(self, name: str, *, cache: Path | None, batch: int) -> None:
        self._backend = _Backend(models.load(name, dtype="float32"), batch=batch)
        free = Ledger(prices={"": Price(prompt=0.0, completion=0.0)}, max_cost=None)
        self.session = Session(self._backend, ledger=free, cache=cache)

    @property
    def identity(self) -> str:
        """Fingerprints of the weights and the tokenizer."""
        return self._backend.model

    @property
    def language_model(self) -> LanguageModel:
        """The model itself, for scoring labels."""
        return self._backend.language_model

    def ask(self, questions: Sequence[Question], *, label: str) -> Iterator[Reply | BackendError]:
        """Yield a reply for every question."""
        self._backend.expect(questions)
        for question in progress(questions, label=label):
            yield self.session.reply(question.request())

    def close(self) -> None:
        """Close the cache."""
        self.session.close()


class _Backend:
    """A `Chat` that writes the replies of a whole batch when the first of them is missed."""

    def __init__(self, language_model: LanguageModel, *, batch: int) -> None:
        self.language_model, self._batch = language_model, batch
        self._group: dict[Request, list[Question]] = {}
        self._ready: dict[Request, Reply] = {}

    @property
    def model(self) -> str:
        found = self.language_model
        return f"local:{found.fingerprint}:{found.tokenizer_fingerprint}"

    def expect(self, questions: Sequence[Question]) -> None:
        """Say which questions are coming, so that the batches are always the same."""
        self._ready.clear()
        self._group.clear()
        unique = sorted(set(questions), key=lambda each: (each.shared, len(each.text), each.text))
        begin = 0
        while begin < len(unique):
            end = begin + 1
            while (
                end < len(unique) and end - begin < self._batch and unique[end].shared == unique[begin].shared
            ):
                end += 1
            for each in unique[begin:end]:
                self._group[each.request()] = unique[begin:end]
            begin = end

    def reply(self, request: Request) -> Reply:
        if request not in self._ready:
            self._write(self._group[request])
        return self._ready.pop(request)

    def close(self) -> None:
        self._ready.clear()

    def _write(self, questions: Sequence[Question]) -> None:
        model = self.language_model
        head = questions[0]
        first = tokens.first_context(model.tokenizer)
        shared, *texts = tokens.encode(model.tokenizer, [head.shared, *(each.text for each in questions)])
        prefix = np.concatenate([np.array([] if first is None else [first], dtype=np.int64), shared])
        found = generate(
            model,
            {str(number): text.tolist() for number, text in enumerate(texts)},
            max_tokens=head.max_tokens,
            stop=head.stop,
            batch=len(questions),
            prefix=prefix.tolist(),
            label="write",
        )
        for question, text, made in zip(questions, texts, found, strict=True):
            self._ready[question.request()] = Reply(
                text=made.text,
                finish="length" if made.finish == "length" else "stop",
                prompt_tokens=len(prefix) + len(text) - made.dropped,
                completion_tokens=len(made.tokens),
                model=model.name,
            )
