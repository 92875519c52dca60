"""Opening a chat: the choices, the settings, and what it costs to import."""

import subprocess
import sys
from pathlib import Path

import pytest

from sulan import chat
from sulan.errors import InputError


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
