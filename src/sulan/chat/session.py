"""A chat model as a verb holds it: the backend, its ledger around it, its replay cache around both."""

from pathlib import Path
from types import TracebackType
from typing import Self

from sulan.chat.cache import Cached
from sulan.chat.ledger import Ledger, Metered, Price
from sulan.chat.protocol import Chat, Reply, Request
from sulan.chat.settings import ChatSettings
from sulan.errors import InputError
from sulan.runs import folders

REMOTE = frozenset({"openai"})
"""Schemes whose replies cost money; the others run here and are free."""


class Session:
    """A `Chat` that answers from its cache first and counts what it asks.

    Attributes
    ----------
    ledger
        Tokens and cost so far; `ledger.summary()` goes into `run.json`.
    """

    def __init__(self, backend: Chat, *, ledger: Ledger, cache: Path | None) -> None:
        self.ledger = ledger
        self._chat: Chat = Metered(backend, ledger)
        if cache is not None:
            self._chat = Cached(self._chat, cache, replayed=ledger.replayed)

    @property
    def model(self) -> str:
        """Identity of the backend."""
        return self._chat.model

    def reply(self, request: Request) -> Reply:
        """Answer one request (see `Chat.reply`); `BudgetExceeded` before one that may cost too much."""
        return self._chat.reply(request)

    def close(self) -> None:
        """Close the backend and the cache."""
        self._chat.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def ledger(scheme: str, name: str, settings: ChatSettings, *, max_cost: float | None) -> Ledger:
    """Make the ledger that settings and limit ask for, or raise `InputError` where they cannot work."""
    _check(settings)
    if max_cost is not None and not max_cost >= 0:
        raise InputError(f"max_cost must be at least 0, not {max_cost}")
    if scheme not in REMOTE:
        return Ledger(prices={"": Price(prompt=0.0, completion=0.0)}, max_cost=max_cost)
    prices = {}
    if settings.price_in is not None and settings.price_out is not None:
        prices[""] = Price(prompt=settings.price_in, completion=settings.price_out)
    made = Ledger(prices=prices, max_cost=max_cost)
    made.price(f"{scheme}:{name}")
    return made


def cache_path(scheme: str, settings: ChatSettings) -> Path | None:
    """Where replies are kept; None when they are not."""
    if not settings.replay:
        return None
    if settings.cache is None and scheme == "scripted":
        return None
    return settings.cache or folders.cache() / "replies.sqlite3"


def _check(settings: ChatSettings) -> None:
    at_least = {"concurrency": 1, "retries": 0, "threads": 1, "context": 128, "price_in": 0, "price_out": 0}
    for name, least in at_least.items():
        value = getattr(settings, name)
        if value is not None and not value >= least:
            raise InputError(f"chat setting {name} must be at least {least}, not {value}")
    if not settings.timeout > 0:
        raise InputError(f"chat setting timeout must be above 0 seconds, not {settings.timeout}")
    if (settings.price_in is None) != (settings.price_out is None):
        raise InputError("price_in and price_out go together", hint="give both, or neither")
