"""Opening a chat: the choices, the settings, and what it costs to import."""

import subprocess
import sys
from pathlib import Path

import pytest

from chat.fake_server import FakeServer
from sulan import chat
from sulan.errors import BackendError, InputError


@pytest.mark.parametrize("spec", ["gpt-4", "", "anthropic:x", "openai:", "GGUF:x"])
def test_an_unknown_model_is_answered_with_the_choices(spec: str) -> None:
    with pytest.raises(InputError, match="no chat model") as caught:
        chat.open(spec)
    for scheme in ("openai:", "gguf:", "scripted:"):
        assert scheme in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"concurrency": 0}, "concurrency must be at least 1, not 0"),
        ({"retries": -1}, "retries must be at least 0"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"timeout": 0.0}, "timeout must be above 0"),
        ({"timeout": float("nan")}, "timeout must be above 0"),
        ({"price_in": 1.0}, "price_in and price_out go together"),
    ],
)
def test_settings_are_checked_where_they_enter(settings: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        chat.open("scripted:x", chat.ChatSettings(**settings))  # type: ignore[arg-type]


def test_a_limit_below_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="max_cost must be at least 0"):
        chat.open("scripted:x", max_cost=-1.0)


def test_replies_are_kept_in_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SULAN_HOME", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    chat.open("openai:m").close()
    assert (tmp_path / "cache" / "replies.sqlite3").is_file()
    script = tmp_path / "s.jsonl"
    script.write_text('{"reply": "only once"}')
    request = chat.Request(messages=(chat.Message(role="user", content="x"),), max_tokens=9)
    for _ in range(2):  # a scripted chat replays only where a cache is named
        with chat.open(f"scripted:{script}") as session:
            assert not session.reply(request).cached


def test_importing_chat_imports_nothing_heavy() -> None:
    program = (
        "import sys, sulan.chat, sulan.chat.parallel;"
        "print(*{'pydantic', 'httpx2', 'stamina', 'xllamacpp', 'torch', 'transformers', 'pyarrow', 'sqlite3'}"
        " & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_server_s_only_model_needs_no_name() -> None:
    with FakeServer(models=("llama",)) as server, chat.open("openai", settings_for(server)) as session:
        assert session.model.startswith("openai:llama@127.0.0.1")


@pytest.mark.parametrize("models", [(), ("one", "two")])
def test_one_of_several_models_must_be_named(models: tuple[str, ...]) -> None:
    with (
        FakeServer(models=models) as server,
        pytest.raises(InputError, match=f"has {len(models)} models") as caught,
    ):
        chat.open("openai", settings_for(server))
    assert caught.value.hint == "name one: openai:MODEL"


def test_a_server_that_is_not_there_is_said_to_be_silent() -> None:
    settings = chat.ChatSettings(base_url="http://127.0.0.1:9/v1", replay=False)
    with pytest.raises(BackendError, match="does not say which models it has"):
        chat.open("openai", settings)


def settings_for(server: FakeServer) -> chat.ChatSettings:
    return chat.ChatSettings(base_url=server.url, replay=False)
