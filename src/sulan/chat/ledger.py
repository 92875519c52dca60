"""Tokens and cost of every call, and the stop before a call that may go over the limit.

Covers calls that were answered. A request that timed out here may still have been billed there; no client can
know. There is no price list: prices are passed in.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sulan.chat.protocol import Chat, Reply, Request
from sulan.errors import BudgetExceeded, InputError

MILLION = 1_000_000

MESSAGE_OVERHEAD = 16
"""Tokens added per message by a chat template, counted generously: ChatML takes 5, Llama 3 about 6."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """Price of a million tokens, prompt and reply, in any one currency."""

    prompt: float
    completion: float

    def cost(self, *, prompt_tokens: int, completion_tokens: int) -> float:
        """Price of one call or of a sum of calls.

        Examples
        --------
        >>> Price(prompt=2.0, completion=8.0).cost(prompt_tokens=500_000, completion_tokens=250_000)
        3.0
        """
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / MILLION


def prompt_bound(request: Request) -> int:
    """Return a number of tokens that the prompt cannot exceed.

    A byte-level tokenizer makes at most one token of a byte, so the bound is the bytes of the messages and
    the schema plus `MESSAGE_OVERHEAD` a message. English text has about four bytes a token.
    """
    texts = [message.content for message in request.messages]
    if request.schema is not None:
        texts.append(repr(request.schema))
    characters = sum(len(text.encode(errors="replace")) for text in texts)
    return characters + MESSAGE_OVERHEAD * len(request.messages)


class Ledger:
    """Counts what was used; thread-safe.

    Parameters
    ----------
    prices
        Price by prefix of the model's name; the longest prefix that fits counts, `""` fits every model.
    max_cost
        Limit of the total, in the currency of the prices; None: no limit.
    """

    def __init__(self, *, prices: Mapping[str, Price] | None = None, max_cost: float | None = None) -> None:
        self._prices = dict(prices or {})
        self._max_cost = max_cost
        self._changed = threading.Condition()
        self._calls = 0
        self._cached = 0
        self._estimated = 0
        self._prompt: Counter[str] = Counter()
        self._completion: Counter[str] = Counter()
        self._reserved = 0.0

    def price(self, model: str) -> Price | None:
        """Price of a model; None when it is not known.

        Raises
        ------
        InputError
            The price is not known and there is a limit that depends on it.
        """
        fitting = [prefix for prefix in self._prices if model.startswith(prefix)]
        if fitting:
            return self._prices[max(fitting, key=len)]
        if self._max_cost is not None:
            raise InputError(
                f"max_cost is set, but the price of {model} is not known",
                hint="give the price of a million tokens with price_in and price_out",
            )
        return None

    @property
    def cost(self) -> float | None:
        """What was spent; None when a model that was used has no known price.

        Computed from the token totals, so that the order in which calls ended cannot change the last digit.
        """
        with self._changed:
            return self._spent()

    @contextmanager
    def call(self, model: str, request: Request) -> Iterator[Callable[[Reply], None]]:
        """Reserve what a call may cost; the block passes its reply to the function that it is given.

        With other calls under way whose reservations stand in the way, it waits until they are settled.

        Raises
        ------
        BudgetExceeded
            The call might take the total above `max_cost` even when nothing else is under way.
        """
        price = self.price(model)
        prompt = prompt_bound(request)
        bound = (
            price.cost(prompt_tokens=prompt, completion_tokens=request.max_tokens)
            if price is not None and self._max_cost is not None
            else 0.0
        )
        with self._changed:
            while bound and self._over(bound + self._reserved):
                if self._over(bound):
                    spent = f"{self._spent() or 0:.6g} of {self._max_cost:.6g}"
                    raise BudgetExceeded(
                        f"the next request may cost {bound:.6g}, {spent} is spent",
                        hint="raise max_cost and run again: finished replies are kept and cost nothing",
                    )
                self._changed.wait()
            self._reserved += bound
        replies: list[Reply] = []
        try:
            yield replies.append
        finally:
            with self._changed:
                self._reserved -= bound
                for reply in replies:
                    self._count(model, request, reply)
                self._changed.notify_all()

    def replayed(self, reply: Reply) -> None:
        """Count a reply that came from the cache and cost nothing."""
        with self._changed:
            self._cached += reply.cached

    def summary(self) -> dict[str, Any]:
        """What was used, for `run.json`.

        Returns
        -------
        dict
            `calls` that were answered, `cached` replies, `prompt_tokens` and `completion_tokens` of the
            calls, `estimated` calls whose tokens the server did not tell (counted at their upper bound),
            `cost` (None: price unknown) and `max_cost`.
        """
        with self._changed:
            return {
                "calls": self._calls,
                "cached": self._cached,
                "prompt_tokens": self._prompt.total(),
                "completion_tokens": self._completion.total(),
                "estimated": self._estimated,
                "cost": self._spent(),
                "max_cost": self._max_cost,
            }

    def _spent(self) -> float | None:
        total = 0.0
        for model in sorted(self._prompt):
            price = self.price(model)
            if price is None:
                return None
            total += price.cost(prompt_tokens=self._prompt[model], completion_tokens=self._completion[model])
        return total

    def _over(self, more: float) -> bool:
        return self._max_cost is not None and (self._spent() or 0.0) + more > self._max_cost

    def _count(self, model: str, request: Request, reply: Reply) -> None:
        self._calls += 1
        self._estimated += reply.prompt_tokens is None or reply.completion_tokens is None
        told = reply.prompt_tokens, reply.completion_tokens
        self._prompt[model] += prompt_bound(request) if told[0] is None else told[0]
        self._completion[model] += request.max_tokens if told[1] is None else told[1]


class Metered:
    """A chat whose calls go through a ledger."""

    def __init__(self, chat: Chat, ledger: Ledger) -> None:
        self._chat = chat
        self._ledger = ledger
        ledger.price(chat.model)  # an unknown price should stop the run before its first call

    @property
    def model(self) -> str:
        """Identity of the chat behind."""
        return self._chat.model

    def reply(self, request: Request) -> Reply:
        """Answer a request, or raise `BudgetExceeded` before it is sent."""
        with self._ledger.call(self.model, request) as settle:
            reply = self._chat.reply(request)
            settle(reply)
        return reply

    def close(self) -> None:
        """Close the chat behind."""
        self._chat.close()
