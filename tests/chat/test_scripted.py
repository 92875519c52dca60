"""The scripted chat: replies that depend on the request alone."""

from pathlib import Path

import pytest

from sulan import chat
from sulan.chat.parallel import in_order
from sulan.chat.protocol import Message, Request
from sulan.errors import BackendError, InputError, MissingFile


def ask(*texts: str) -> Request:
    return Request(messages=tuple(Message(role="user", content=text) for text in texts), max_tokens=10)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "replies.jsonl"
    path.write_text(
        '{"match": "phi-1.5", "reply": {"词": 1}}\n'
        '{"regex": "NExT-?GPT", "turn": 0, "reply": "cut in", "finish": "length", "completion_tokens": 10}\n'
        '{"regex": "NExT-?GPT", "turn": 1, "reply": "whole", "delay": 0.01}\n\n'
        '{"match": "FIAT", "error": "down"}\n'
        '{"reply": "first"}\n'
        '{"reply": "second"}\n'
    )
    return path


def test_rules_answer_by_content_then_in_order(script: Path) -> None:
    with chat.open(f"scripted:{script}") as session:
        assert session.reply(ask("about phi-1.5")).text == '{"词": 1}'
        cut = session.reply(ask("NExTGPT"))
        assert (cut.text, cut.finish, cut.completion_tokens) == ("cut in", "length", 10)
        assert session.reply(ask("NExT-GPT", "again")).text == "whole"
        with pytest.raises(BackendError, match="down"):
            session.reply(ask("FIAT"))
        assert [session.reply(ask("other")).text for _ in range(2)] == ["first", "second"]
        with pytest.raises(InputError, match="no reply to 'other'"):
            session.reply(ask("other"))


def test_replies_do_not_depend_on_the_order_of_threads(script: Path) -> None:
    questions = [ask("phi-1.5"), ask("NExT-GPT"), ask("NExT-GPT", "again")] * 10
    with chat.open(f"scripted:{script}") as session:
        runs = [
            [outcome.get().text for outcome in in_order(session.reply, questions, concurrency=concurrency)]
            for concurrency in (1, 8)
        ]
    assert runs[0] == runs[1] == ['{"词": 1}', "cut in", "whole"] * 10


def test_an_edited_script_is_another_model(script: Path) -> None:
    before = chat.open(f"scripted:{script}").model
    script.write_text('{"reply": "x"}')
    assert chat.open(f"scripted:{script}").model != before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("not json", "replies.jsonl:2: line: "),
        ('{"replies": "x"}', "replies.jsonl:2: replies: "),
        ('{"reply": 3}', "replies.jsonl:2: reply"),
        ('{"regex": "("}', "replies.jsonl:2: regex: "),
        ('{"delay": 1e9}', "replies.jsonl:2: delay: "),
    ],
)
def test_a_line_that_is_no_rule_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text('{"reply": "x"}\n' + line)
    with pytest.raises(InputError, match=words):
        chat.open(f"scripted:{path}")


def test_a_missing_script_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="absent"):
        chat.open(f"scripted:{tmp_path / 'absent.jsonl'}")
