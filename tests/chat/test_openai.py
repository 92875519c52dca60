"""The client against a real HTTP server that misbehaves, and the contract with llama.cpp's own server."""

import logging
from collections.abc import Callable, Iterator

import pytest

from chat.fake_server import Body, FakeServer, Fault, Raw, Reset, Status, Text, Trickle
from sulan.chat.openai import OpenAIChat, connect
from sulan.chat.parallel import in_order
from sulan.chat.protocol import Message, Request
from sulan.chat.settings import ChatSettings
from sulan.errors import BackendError, InputError

KEY = "sk-test-0123456789"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}

Opener = Callable[..., OpenAIChat]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    chats = []

    def make(server: FakeServer, **settings: object) -> OpenAIChat:
        chats.append(connect("m", ChatSettings(base_url=server.url, **settings)))  # type: ignore[arg-type]
        return chats[-1]

    yield make
    for chat in chats:
        chat.close()


def ask(text: str = "question", **more: object) -> Request:
    return Request(messages=(Message(role="user", content=text),), max_tokens=50, **more)  # type: ignore[arg-type]


def test_sends_the_request_and_reads_the_reply(opened: Opener) -> None:
    with FakeServer(lambda body: "answer") as server:
        reply = opened(server).reply(ask(seed=7, stop=("END",)))
    assert (reply.text, reply.finish, reply.model) == ("answer", "stop", "fake-1")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cached) == (100, 20, False)
    assert server.authorizations == [f"Bearer {KEY}"]
    assert server.bodies == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "question"}],
            "max_tokens": 50,
            "temperature": 0.0,
            "seed": 7,
            "stop": ["END"],
        }
    ]


@pytest.mark.parametrize(
    "fault",
    [
        Status(429, headers={"Retry-After": "0"}),
        Status(429, headers={"Retry-After": "Tue, 12 Sep 2023 00:00:00 GMT"}),
        Status(429, headers={"RateLimit": '"api";r=0;t=0.1'}),
        Status(503, "<html>busy</html>"),
        Raw(b"<html><body>Sign in to the hotel network</body></html>", "text/html"),
        Raw(b'{"choices": [{"message": {"content": "cut in the mid'),
        Raw(b"[" * 100_000),
        Raw(b"{}"),
        Raw(b'{"choices": []}'),
        Raw(b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}'),
        Reset(),
        Reset(sent=10),
    ],
    ids=str,
)
def test_what_passes_by_itself_is_tried_again(opened: Opener, fault: Fault) -> None:
    with FakeServer() as server:
        server.fault("question", fault)
        assert opened(server).reply(ask()).text == "yes"
        assert server.calls == 2


def test_an_endless_failure_ends_after_the_retries(opened: Opener) -> None:
    with FakeServer() as server:
        server.fault("question", Status(500, "the server is on fire"), times=None)
        with pytest.raises(BackendError, match=r"on fire.*3 attempts"):
            opened(server, retries=2).reply(ask())
        assert server.calls == 3


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Status(401), InputError, "access denied"),
        (Status(404), InputError, "not found"),
        (Status(400), BackendError, "scripted fault"),
        (
            Status(302, headers={"Location": "http://example.org/v1"}),
            InputError,
            "redirected to http://example",
        ),
        (Status(429, headers={"Retry-After": "3600"}), BackendError, "asks to wait 3600 s"),
        (
            Status(429, '{"error": {"code": "insufficient_quota", "message": "pay"}}'),
            BackendError,
            "no credit left",
        ),
        (
            Status(400, '{"error": {"code": "context_length_exceeded", "message": "9000 tokens"}}'),
            BackendError,
            "do not fit its context.*9000 tokens",
        ),
        (Raw(b" " * (9 << 20)), BackendError, "larger than 8 MiB"),
    ],
    ids=str,
)
def test_what_does_not_pass_is_not_tried_again(
    opened: Opener, fault: Fault, error: type[Exception], words: str
) -> None:
    with FakeServer() as server:
        server.fault("question", fault, times=None)
        with pytest.raises(error, match=words):
            opened(server).reply(ask())
        assert server.calls == 1


def test_a_server_that_trickles_bytes_times_out(opened: Opener) -> None:
    with FakeServer() as server:
        server.fault("question", Trickle())
        with pytest.raises(BackendError, match=r"within 0\.3 s"):
            opened(server, timeout=0.3, retries=0).reply(ask())


def test_nobody_listening_is_a_backend_error(opened: Opener) -> None:
    with FakeServer() as server:
        chat = opened(server, retries=0)
    with pytest.raises(BackendError, match="connection failed"):
        chat.reply(ask())


def test_a_used_up_quota_holds_the_next_request(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)  # the clock is not ours; what is asked of it is
    with FakeServer(headers={"RateLimit": '"api";r=0;t=30'}) as server:
        chat = opened(server)
        chat.reply(ask("first"))
        slept.clear()
        chat.reply(ask("second"))
    assert 29 < max(slept) <= 30


def test_waits_as_long_as_it_is_asked_to(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    with FakeServer() as server:
        server.fault("question", Status(503, headers={"Retry-After": "17"}))
        opened(server).reply(ask())
    assert max(slept) == 17


@pytest.mark.parametrize(
    ("formats", "sent"),
    [
        (("json_schema", "json_object"), ["json_schema", "json_schema"]),
        (("json_object",), ["json_schema", "json_object", "json_object"]),
        ((), ["json_schema", "json_object", None, None]),
    ],
)
def test_response_format_is_given_up_once_and_remembered(
    opened: Opener, formats: tuple[str, ...], sent: list[str | None]
) -> None:
    with FakeServer(formats=formats) as server:
        chat = opened(server)
        for _ in range(2):
            assert chat.reply(ask(schema=SCHEMA)).text == "yes"
    assert [body.get("response_format", {}).get("type") for body in server.bodies] == sent
    for body in server.bodies:  # who is not told the schema by parameter is told in words
        told = body.get("response_format", {}).get("type") == "json_schema"
        assert ('"required":["a"]' in body["messages"][-1]["content"]) != told


def test_requests_refused_at_the_same_time_give_up_one_format_together(opened: Opener) -> None:
    with FakeServer(formats=("json_object",), latency=0.1) as server:
        chat = opened(server)
        requests = [ask(str(number), schema=SCHEMA) for number in range(8)]
        assert all(outcome.get().text == "yes" for outcome in in_order(chat.reply, requests, concurrency=8))
    sent = [body["response_format"]["type"] for body in server.bodies]
    assert sent == ["json_schema"] * 8 + ["json_object"] * 8


def test_parameters_that_a_server_refuses_are_given_up(opened: Opener) -> None:
    with FakeServer(refuses=("max_tokens", "temperature", "seed")) as server:
        chat = opened(server)
        chat.reply(ask(seed=1))
        chat.reply(ask(seed=1))
    assert server.calls == 5
    last = server.bodies[-1]
    assert last["max_completion_tokens"] == 50
    assert not {"max_tokens", "temperature", "seed"} & set(last)


@pytest.mark.parametrize(
    ("fault", "finish"),
    [
        (Text("cut in the mid", finish="length"), "length"),
        (Text("no", finish="content_filter"), "content_filter"),
        (Text("whole", finish=None), "stop"),
        (Raw(b'{"choices":[{"message":{"content":"x"}}],"usage":{"completion_tokens":50}}'), "length"),
        (Raw(b'{"choices":[{"message":{"content":null,"refusal":"I cannot"}}]}'), "content_filter"),
        (
            Raw(
                b'{"choices":[{"message":{"content":"","reasoning_content":"hm"},"finish_reason":"length"}]}'
            ),
            "length",
        ),
        (Raw(b'{"choices":[{"message":{"content":[{"type":"text","text":"x"}]}}]}'), "stop"),
    ],
    ids=str,
)
def test_finish_reasons(opened: Opener, fault: Fault, finish: str) -> None:
    with FakeServer() as server:
        server.fault("question", fault)
        assert opened(server).reply(ask()).finish == finish
        assert server.calls == 1


def test_a_missing_usage_is_unknown_not_zero(opened: Opener) -> None:
    with FakeServer() as server:
        server.fault("question", Text("x", usage=False))
        reply = opened(server).reply(ask())
    assert (reply.prompt_tokens, reply.completion_tokens) == (None, None)


def test_the_key_is_in_no_message_and_no_log(opened: Opener, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeServer() as server:
        server.fault("question", Status(500, f"bad key {KEY}"))
        server.fault("question", Status(401, f'{{"error": {{"message": "wrong key {KEY}"}}}}'))
        chat = opened(server)
        with pytest.raises(InputError) as caught:
            chat.reply(ask())
    assert "[key]" in str(caught.value)
    assert KEY not in str(caught.value) + caplog.text + repr(chat) + repr(vars(caught.value))


def test_the_pool_bounds_what_the_server_sees(opened: Opener) -> None:
    with FakeServer(latency=0.02) as server:
        chat = opened(server, concurrency=3)
        outcomes = list(in_order(lambda n: chat.reply(ask(str(n))).text, range(24), concurrency=12))
    assert [outcome.get() for outcome in outcomes] == ["yes"] * 24
    assert server.most_in_flight == server.connections == 3  # full use of the bound, and connections reused


def test_identity_names_the_server_where_a_name_may_mean_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert connect("gpt-x", ChatSettings()).model == "openai:gpt-x"
    assert connect("m", ChatSettings(base_url="http://localhost:11434")).model == "openai:m@localhost:11434"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://10.0.0.1:8000/v1/")
    assert connect("m", ChatSettings()).model == "openai:m@10.0.0.1:8000"


@pytest.mark.parametrize(
    "url", ["ftp://host/v1", "localhost:8000", "http://user:secret@host/v1", "http://", "http://host:port"]
)
def test_a_base_url_that_cannot_work_is_one_clear_line(url: str) -> None:
    with pytest.raises(InputError) as caught:
        connect("m", ChatSettings(base_url=url))
    assert "secret" not in str(caught.value)


def test_openai_itself_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(InputError, match="OPENAI_API_KEY is not set"):
        connect("gpt-x", ChatSettings())


def test_without_a_key_none_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with FakeServer() as server:
        connect("m", ChatSettings(base_url=server.url)).reply(ask())
    assert server.authorizations == [None]


def test_answers_depend_on_the_body_only(opened: Opener) -> None:
    def echo(body: Body) -> str:
        return body["messages"][-1]["content"].upper()

    with FakeServer(echo) as server:
        server.fault("b", Status(500))
        chat = opened(server)
        assert [chat.reply(ask(text)).text for text in "abc"] == ["A", "B", "C"]
