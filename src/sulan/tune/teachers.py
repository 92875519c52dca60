"""The frozen model beta: asked about inputs, never about answers, and never twice the same.

A chat model (`openai:MODEL`, `gguf:FILE`, `scripted:FILE`) is asked through `sulan.chat`; any other name is a causal
language model that runs here, in fixed batches with what all questions share read once. Either way replies go through
the replay cache (content-addressed: model, words, limits) and the ledger counts tokens of what was really asked.

Not covered: chat templates of local models; several local models at once in one process.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sulan import chat
from sulan.chat import ChatSettings, Message, Reply, Request, session
from sulan.chat.parallel import in_order
from sulan.chat.session import Session
from sulan.errors import BackendError
from sulan.runs.progress import progress

SCHEMES = ("openai", "gguf", "scripted")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the frozen model is asked.

    Attributes
    ----------
    shared
        What stands before every question.
    text
        The question.
    max_tokens, stop
        Where a reply ends.
    """

    shared: str
    text: str
    max_tokens: int
    stop: tuple[str, ...]

    def request(self) -> Request:
        """Return the question as a chat model is asked."""
        return Request(
            messages=(Message(role="user", content=self.shared + self.text),),
            max_tokens=self.max_tokens,
            stop=self.stop,
        )


class Teacher(Protocol):
    """Something that answers questions in order; a reply that never came is the error that it cost."""

    @property
    def identity(self) -> str:
        """What replies depend on besides the question."""
        ...

    @property
    def session(self) -> Session:
        """Cache and ledger."""
        ...

    def ask(self, questions: Sequence[Question], *, label: str) -> Iterator[Reply | BackendError]:
        """Yield a reply for every question."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


def open_teacher(name: str, *, settings: ChatSettings, max_cost: float | None, batch: int) -> Teacher:
    """Open a frozen model.

    Parameters
    ----------
    name
        A chat model with its scheme, or what `models.load` loads.
    settings
        How a chat model is reached; the cache is used for local models too.
    max_cost
        Most that may be spent.
    batch
        Questions that a local model reads together.

    Raises
    ------
    InputError, MissingFile, MissingExtra
        There is no such model, or a setting cannot work.
    """
    if name.partition(":")[0] in SCHEMES:
        return _Remote(chat.open(name, settings, max_cost=max_cost), concurrency=settings.concurrency)
    from sulan.tune.local import Local

    return Local(name, cache=session.cache_path("local", settings), batch=batch)


class _Remote:
    def __init__(self, opened: Session, *, concurrency: int) -> None:
        self.session, self._concurrency = opened, concurrency

    @property
    def identity(self) -> str:
        return self.session.model

    def ask(self, questions: Sequence[Question], *, label: str) -> Iterator[Reply | BackendError]:
        # The same words are asked once; who asks again at the same time waits for the first reply.
        replies = in_order(
            self.session.reply, [each.request() for each in questions], concurrency=self._concurrency
        )
        for outcome in progress(replies, label=label, total=len(questions)):
            if isinstance(outcome.error, BackendError):
                _log.warning("no rationale: %s", outcome.error)
                yield outcome.error
            else:
                yield outcome.get()

    def close(self) -> None:
        self.session.close()
