"""Texts are written once: the same bytes for the same seed, and no prompt is paid for twice."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from chat.fake_server import FakeServer, Status, Text
from sulan import textbook
from sulan.chat import ChatSettings
from sulan.documents import reader, writer
from sulan.errors import BackendError, BudgetExceeded, MissingColumn
from sulan.textbook.asking import Asking

ASKING = Asking(max_tokens=200)


def planned(folder: Path, count: int = 24) -> tuple[Path, int]:
    """Plan on two topics of one audience, so that most prompts come several times; return how many are different."""
    (folder / "topics.txt").write_text("tides\nvolcanoes\nbridges\n")
    textbook.plan(folder / "topics.txt", out=folder / "plan", count=count, audiences=("pupils", "adults"))
    return folder / "plan", len(set(reader.columns(folder / "plan", ["text"])["text"].to_pylist()))


def settings(server: FakeServer, folder: Path, **more: Any) -> ChatSettings:
    return ChatSettings(base_url=server.url, cache=folder / "replies.sqlite3", retries=0, **more)


def said(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def parts(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("*.parquet"))]


def test_the_template_writer_gives_the_same_bytes_for_the_same_seed(tmp_path: Path) -> None:
    pytest.importorskip("reasoning_gym")
    textbook.plan(out=tmp_path / "plan", count=30)
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        textbook.synthesize(tmp_path / "plan", out=tmp_path / name, seed=seed)
    assert parts(tmp_path / "one") == parts(tmp_path / "same") != parts(tmp_path / "other")
    # A text depends on its own row alone: those of a shorter plan are the same.
    textbook.plan(out=tmp_path / "short", count=10)
    textbook.synthesize(tmp_path / "short", out=tmp_path / "few")
    whole = dict(zip(*reader.columns(tmp_path / "one", ["id", "text"]).to_pydict().values(), strict=True))
    few = dict(zip(*reader.columns(tmp_path / "few", ["id", "text"]).to_pydict().values(), strict=True))
    assert few.items() <= whole.items()


def test_rows_with_one_prompt_are_one_request(tmp_path: Path) -> None:
    plan, unique = planned(tmp_path)
    with FakeServer(lambda body: f"About this: {said(body)}") as server:
        for name in ("first", "again"):
            chat = settings(server, tmp_path)
            textbook.synthesize(plan, out=tmp_path / name, writer="openai:fake", asking=ASKING, chat=chat)
        assert server.calls == unique < 24
    assert parts(tmp_path / "first") == parts(tmp_path / "again")
    for row in reader.columns(tmp_path / "first", ["text", "prompt"]).to_pylist():
        assert row["text"] == f"About this: {row['prompt']}\n"


def test_a_budget_stops_before_it_is_passed_and_what_was_paid_for_is_kept(tmp_path: Path) -> None:
    plan, unique = planned(tmp_path)
    with FakeServer(said) as server:
        chat = settings(server, tmp_path, price_in=1.0, price_out=1.0, concurrency=1)
        stops = 0
        # A reply of the server costs 0.00012, a request at most some 0.0004.
        for budget in (0.0007, 0.0009, 1.0):
            try:
                textbook.synthesize(
                    plan,
                    out=tmp_path / "out",
                    writer="openai:fake",
                    asking=ASKING,
                    chat=chat,
                    max_cost=budget,
                )
            except BudgetExceeded:
                stops += 1
                assert 0 < server.calls < unique
                assert not (tmp_path / "out").exists()
        assert stops == 2
        assert server.calls == unique
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["config"]["max_cost"] == 1.0


def test_kill_9_and_resume_pay_for_no_prompt_twice(tmp_path: Path) -> None:
    plan, unique = planned(tmp_path)
    released, answered = threading.Event(), []
    held: list[str] = []

    def answer(body: dict[str, Any]) -> str:
        if len(answered) == 5 and not released.is_set():
            held.append(said(body))
            released.wait(60)  # the client is killed while this one is under way: it has no reply to keep
            return ""
        answered.append(said(body))
        return f"A text. {said(body)}"

    with FakeServer(answer) as server:
        command = [sys.executable, "-m", "sulan", "textbook", "synthesize", str(plan), "--out", "out"]
        command += ["--writer", "openai:fake", "--max-tokens", "200", "--chat.base-url", server.url]
        command += ["--chat.cache", "replies.sqlite3", "--chat.concurrency", "1"]
        environment = {**os.environ, "SULAN_HOME": str(tmp_path / "home")}
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as process:
            while not held and process.poll() is None:
                released.wait(0.01)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "out").exists()
        released.set()
        chat = settings(server, tmp_path, concurrency=1)
        textbook.synthesize(plan, out=tmp_path / "out", writer="openai:fake", asking=ASKING, chat=chat)
        assert server.calls == unique + len(held)
    assert set(Counter(answered).values()) == {1}
    assert len(answered) == unique
    assert len(reader.columns(tmp_path / "out", ["id"])) == 24


def test_what_is_no_text_is_left_out_and_counted(tmp_path: Path) -> None:
    plan, unique = planned(tmp_path, count=12)
    assert unique == 12
    with FakeServer(lambda body: "A text.") as server:
        topics = ("about tides", "about volcanoes", "about bridges")
        server.fault(topics[0], Text("half a sen", finish="length"), times=2)
        server.fault(topics[1], Text("", finish="content_filter"))
        server.fault(topics[1], Text("  \n"))
        server.fault(topics[2], Status(400))
        report = textbook.synthesize(
            plan,
            out=tmp_path / "out",
            writer="openai:fake",
            asking=ASKING,
            chat=settings(server, tmp_path, concurrency=1),
        )
    assert report.tables[0].rows == (("cut at the limit", 2), ("empty", 1), ("no answer", 1), ("refused", 1))
    assert report.summary["planned"] == 12
    assert report.summary["written"] == 12 - 5


def test_no_answer_at_all_and_no_plan_are_errors(tmp_path: Path) -> None:
    plan, _ = planned(tmp_path)
    with FakeServer() as server:
        server.fault("", Status(400), times=None)
        with pytest.raises(BackendError, match="answered none"):
            textbook.synthesize(
                plan,
                out=tmp_path / "out",
                writer="openai:fake",
                asking=ASKING,
                chat=settings(server, tmp_path),
            )
        writer.write([reader.columns(plan, ["id", "text"])], tmp_path / "no-plan")
        with pytest.raises(MissingColumn):
            textbook.synthesize(tmp_path / "no-plan", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
