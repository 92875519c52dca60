"""What calls cost, and the stop before one that may cost too much."""

import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.fake_server import FakeServer, Status, Text
from sulan import chat
from sulan.chat.ledger import Ledger, Metered, Price, prompt_bound
from sulan.chat.parallel import in_order
from sulan.chat.protocol import Message, Reply, Request
from sulan.errors import BudgetExceeded, InputError


def ask(text: str = "x", *, max_tokens: int = 100) -> Request:
    return Request(messages=(Message(role="user", content=text),), max_tokens=max_tokens)


class Fixed:
    """A chat whose replies all use the same number of tokens."""

    model = "openai:gpt-x"

    def __init__(self, *, prompt: int | None = 10, completion: int | None = 50, delay: float = 0.0) -> None:
        self.calls = 0
        self._delay = delay
        self._usage = prompt, completion
        self._lock = threading.Lock()

    def reply(self, request: Request) -> Reply:
        with self._lock:
            self.calls += 1
        time.sleep(self._delay)
        prompt, completion = self._usage
        return Reply(text="y", finish="stop", prompt_tokens=prompt, completion_tokens=completion)

    def close(self) -> None:
        pass


def test_cost_is_tokens_times_price() -> None:
    ledger = Ledger(prices={"openai:": Price(prompt=2.0, completion=8.0)})
    metered = Metered(Fixed(), ledger)
    for _ in range(1000):
        metered.reply(ask())
    assert ledger.summary() == {
        "calls": 1000,
        "cached": 0,
        "prompt_tokens": 10_000,
        "completion_tokens": 50_000,
        "estimated": 0,
        "cost": 0.42,  # 10,000 x 2 / 10^6 + 50,000 x 8 / 10^6
        "max_cost": None,
    }


def test_the_longest_prefix_has_the_price() -> None:
    prices = {"": Price(prompt=9, completion=9), "openai:gpt-x": Price(prompt=1, completion=1)}
    prices["openai:gpt-x-mini"] = Price(prompt=0.5, completion=0.5)
    ledger = Ledger(prices=prices)
    assert [ledger.price(name) for name in ("openai:gpt-x-mini@h", "openai:gpt-x", "other")] == [
        prices["openai:gpt-x-mini"],
        prices["openai:gpt-x"],
        prices[""],
    ]


def test_the_limit_stops_before_the_call_that_may_exceed_it() -> None:
    ledger = Ledger(prices={"": Price(prompt=0.0, completion=1_000_000.0)}, max_cost=250)
    fixed = Fixed(prompt=10, completion=50)
    metered = Metered(fixed, ledger)
    for _ in range(4):  # 50 each; the fourth may cost 100 of the 100 left
        metered.reply(ask())
    with pytest.raises(BudgetExceeded, match="may cost 100, 200 of 250"):
        metered.reply(ask())
    assert fixed.calls == 4
    metered.reply(ask(max_tokens=50))  # a smaller one still fits
    assert ledger.cost == 250


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(
    ("completion", "calls"),
    [
        (100, 10),  # every call costs as much as it may
        (50, 19),  # 950 is spent, and the 50 left is less than the 100 that the next may cost
    ],
)
def test_the_limit_holds_whatever_is_under_way(concurrency: int, completion: int, calls: int) -> None:
    ledger = Ledger(prices={"": Price(prompt=0.0, completion=1_000_000.0)}, max_cost=1000)
    fixed = Fixed(completion=completion, delay=0.01)
    metered = Metered(fixed, ledger)
    outcomes = list(in_order(lambda n: metered.reply(ask(str(n))), range(40), concurrency=concurrency))
    stopped = [outcome for outcome in outcomes if isinstance(outcome.error, BudgetExceeded)]
    assert (fixed.calls, len(stopped), ledger.cost) == (calls, 40 - calls, calls * completion)


@given(st.text(max_size=200), st.integers(0, 3))
def test_the_bound_of_a_prompt_is_above_its_bytes(text: str, extra: int) -> None:
    messages = (Message(role="user", content=text),) * (1 + extra)
    bound = prompt_bound(Request(messages=messages, max_tokens=1))
    assert bound >= len(text.encode()) * (1 + extra) + 1 + extra


def test_a_limit_without_a_price_is_said_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with FakeServer() as server:
        settings = chat.ChatSettings(base_url=server.url, replay=False)
        with pytest.raises(InputError, match="price of openai:m is not known") as caught:
            chat.open("openai:m", settings, max_cost=1.0)
        assert server.calls == 0
    assert "price_in" in caught.value.hint


def test_a_failed_call_costs_nothing_and_frees_its_reservation() -> None:
    with FakeServer() as server:
        server.fault("first", Status(400))
        settings = chat.ChatSettings(base_url=server.url, price_in=1, price_out=1, replay=False)
        with chat.open("openai:m", settings, max_cost=0.0003) as session:
            for text in ("first", "second"):  # together they would be over the limit
                outcome = next(in_order(session.reply, [ask(text)], concurrency=1))
                assert (outcome.error is None) == (text == "second")
            assert session.ledger.summary()["calls"] == 1
            assert session.ledger.cost == 120 / 1_000_000


def test_tokens_that_the_server_does_not_tell_count_at_their_bound() -> None:
    ledger = Ledger(prices={"": Price(prompt=1, completion=1)})
    Metered(Fixed(prompt=None, completion=None), ledger).reply(ask("abc", max_tokens=70))
    summary = ledger.summary()
    assert (summary["estimated"], summary["prompt_tokens"], summary["completion_tokens"]) == (1, 19, 70)


def test_cached_replies_cost_nothing(tmp_path: Path) -> None:
    with FakeServer() as server:
        server.fault("x", Text("y"), times=None)
        settings = chat.ChatSettings(base_url=server.url, cache=tmp_path / "c", price_in=1.0, price_out=1.0)
        with chat.open("openai:m", settings, max_cost=0.0003) as session:
            for _ in range(20):
                session.reply(ask())
            summary = session.ledger.summary()
    assert (summary["calls"], summary["cached"], summary["cost"]) == (1, 19, 0.00012)


def test_local_models_are_free(tmp_path: Path) -> None:
    script = tmp_path / "s.jsonl"
    script.write_text('{"match": "x", "reply": "y"}')
    with chat.open(f"scripted:{script}", max_cost=0.0) as session:
        session.reply(ask())
        assert session.ledger.cost == 0.0


def test_an_unknown_price_is_not_a_cost_of_zero() -> None:
    ledger = Ledger()
    Metered(Fixed(), ledger).reply(ask())
    assert ledger.summary()["cost"] is None
