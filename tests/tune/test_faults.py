"""The frozen model at its worst: silent, slow, refusing, looping, killed; nothing that was paid for is paid twice."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet
import pytest

import sulan
from chat.fake_server import FakeServer, Status, Text, Trickle
from sulan.chat.settings import ChatSettings
from sulan.errors import BackendError, InputError
from sulan.runs import fingerprints
from sulan.tune.plans import Comparing
from sulan.tune.settings import Adapter, Learning
from tune.small_tasks import model, row, written

LEARNING = Learning(epochs=1, batch=4, dtype="float32")
ADAPTER = Adapter(top=1, rank=2)
LABELS = 'labels = ["games", "web"]\n'
pytestmark = pytest.mark.xdist_group("tune faults")


def rows() -> list[dict[str, str]]:
    return [
        row(f"{split}-{number}", split, answer=("games", "web")[number % 2])
        for split, count in (("train", 6), ("dev", 4), ("test", 4))
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    written(folder / "task", rows(), toml=LABELS)
    model(folder / "model")
    return folder


def settings(server: FakeServer, cache: Path) -> ChatSettings:
    return ChatSettings(base_url=server.url, cache=cache, retries=0, timeout=1.0)


def reasons(made: Path) -> dict[str, str]:
    found = pyarrow.parquet.read_table(next(made.glob("*.parquet"))).to_pylist()
    return {each["id"]: each["status"] for each in found}


def test_bad_replies_cost_their_rationale_and_a_second_run_asks_for_those_that_failed_alone(small, tmp_path):
    with FakeServer(lambda body: "it is so") as server:
        server.fault("train-0", Status(500), times=1)
        server.fault("train-1", Trickle(pause=0.1), times=1)  # longer than the time limit as a whole
        server.fault("train-2", Text("I'm sorry, I cannot help with that."), times=None)
        server.fault("train-3", Text("a game a game a game a game"), times=None)
        server.fault("train-4", Text("  "), times=None)
        chat = settings(server, tmp_path / "cache")
        sulan.tune.reason(small / "task", teacher="openai:big", chat=chat, out=tmp_path / "first")
        found = reasons(tmp_path / "first")
        assert [found[f"train-{number}"] for number in (0, 1)] == ["failed", "failed"]
        before = server.calls
        report = sulan.tune.reason(small / "task", teacher="openai:big", chat=chat, out=tmp_path / "made")
        assert server.calls - before == report.summary["ledger: calls"] == 2
    found = reasons(tmp_path / "made")
    assert [found[f"train-{n}"] for n in range(6)] == [
        "whole",
        "whole",
        "refused",
        "looped",
        "empty",
        "whole",
    ]


def test_the_frozen_model_is_asked_once_about_each_input_whatever_is_made_of_it(small, tmp_path, monkeypatch):
    monkeypatch.setenv("SULAN_HOME", str(tmp_path / "home"))  # what a comparison keeps
    with FakeServer(lambda body: "a game") as server:
        chat = settings(server, tmp_path / "cache")
        known = {"student": str(small / "model"), "adapter": ADAPTER, "learning": LEARNING}
        sulan.tune.reason(small / "task", teacher="openai:big", chat=chat, out=tmp_path / "r")
        assert server.calls == 14
        sulan.tune.fit(small / "task", rationales=tmp_path / "r", out=tmp_path / "tuned", **known)
        data = small / "task" / "examples.jsonl"
        sulan.tune.predict(tmp_path / "tuned", data=data, chat=chat, out=tmp_path / "answers")
        ladder = Comparing(seeds=2, methods=("FIAT", "+ instructions", "distillation"))
        sulan.tune.compare(
            small / "task", teacher="openai:big", chat=chat, comparing=ladder, out=tmp_path / "a", **known
        )
        assert server.calls == 14
        for name, calls in (("b", 14 + 2 * 4), ("c", 14 + 2 * 4)):
            report = sulan.tune.compare(
                small / "task",
                teacher="openai:big",
                chat=chat,
                comparing=Comparing(seeds=2),
                out=tmp_path / name,
                **known,
            )
            assert server.calls == calls  # without exemplars ICL is zero-shot, with reasoning and without
        assert report.summary["ledger: calls"] == 0
        kept = sorted((tmp_path / "home").rglob("*.npz"))
        shutil.copytree(small / "task", tmp_path / "renamed")  # what a task is called changes no answer
        sulan.tune.compare(
            tmp_path / "renamed",
            teacher="openai:big",
            chat=chat,
            comparing=Comparing(seeds=2),
            out=tmp_path / "d",
            **known,
        )
        assert kept
        assert sorted((tmp_path / "home").rglob("*.npz")) == kept
        assert server.calls == len({str(body["messages"]) for body in server.bodies})


def test_without_the_frozen_model_prediction_stops_or_says_where_it_did_without(small, tmp_path):
    with FakeServer(lambda body: "a game") as server:
        chat = settings(server, tmp_path / "cache")
        sulan.tune.reason(small / "task", teacher="openai:big", chat=chat, out=tmp_path / "r")
        sulan.tune.fit(
            small / "task",
            rationales=tmp_path / "r",
            student=str(small / "model"),
            adapter=ADAPTER,
            learning=LEARNING,
            out=tmp_path / "tuned",
        )
        data = tmp_path / "new.jsonl"
        data.write_text('{"id": "1", "text": "the input train-1"}\n{"id": "2", "text": "never seen"}\n')
    # The server is gone; one of the two inputs was asked about before.
    with pytest.raises(BackendError, match="1 of 2 inputs"):
        sulan.tune.predict(tmp_path / "tuned", data=data, chat=chat, out=tmp_path / "answers")
    assert not (tmp_path / "answers").exists()
    report = sulan.tune.predict(
        tmp_path / "tuned", data=data, chat=chat, fallback=True, out=tmp_path / "answers"
    )
    found = pyarrow.parquet.read_table(next((tmp_path / "answers").glob("*.parquet"))).to_pylist()
    assert [(each["reasoning"], each["fallback"]) for each in found] == [("a game", False), ("", True)]
    assert any("1" in str(value) for value in report.summary.values())


def test_a_label_that_training_never_showed_still_has_a_probability(tmp_path):
    made = [*rows(), row("odd", "test", answer="fonts")]
    written(tmp_path / "task", made, toml='labels = ["games", "web", "fonts"]\n')
    model(tmp_path / "model")
    sulan.tune.fit(
        tmp_path / "task",
        student=str(tmp_path / "model"),
        adapter=ADAPTER,
        learning=LEARNING,
        out=tmp_path / "tuned",
    )
    sulan.tune.predict(
        tmp_path / "tuned", data=tmp_path / "task" / "examples.jsonl", out=tmp_path / "answers"
    )
    found = pyarrow.parquet.read_table(next((tmp_path / "answers").glob("*.parquet"))).to_pylist()
    for each in found:
        assert sum(each["probabilities"]) == pytest.approx(1)
        assert all(chance > 0 for chance in each["probabilities"])


def test_a_loss_that_is_not_finite_is_one_line_and_no_folder(small, tmp_path):
    with pytest.raises(InputError, match=r"the loss is (nan|inf) at step"):
        sulan.tune.fit(
            small / "task",
            student=str(small / "model"),
            adapter=ADAPTER,
            learning=replace(LEARNING, learning_rate=1e30, epochs=20),
            out=tmp_path / "tuned",
        )
    assert not (tmp_path / "tuned").exists()


def test_a_killed_verb_goes_on_where_it_was(small, tmp_path):
    """`reason` on a slow server, then `fit`, each killed once: no call twice but the one under way, the same bytes."""

    def start(*arguments: object) -> subprocess.Popen:
        command = [sys.executable, "-m", "sulan", "tune", *map(str, arguments)]
        return subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)

    def kill(process: subprocess.Popen) -> None:
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

    def wait_until(seen) -> None:
        until = time.monotonic() + 120
        while not seen():
            assert time.monotonic() < until
            time.sleep(0.005)

    with FakeServer(lambda body: "a game", latency=0.1) as server:
        asked = ("reason", small / "task", "--teacher", "openai:big", "--chat.base-url", server.url)
        asked = (*asked, "--chat.cache", tmp_path / "cache", "--chat.concurrency", 1, "--out", tmp_path / "r")
        process = start(*asked)
        wait_until(lambda: server.calls >= 5)
        kill(process)
        assert not (tmp_path / "r").exists()
        assert start(*asked).wait() == 0
        assert server.calls <= 14 + 1
    tuning = ("fit", small / "task", "--student", small / "model", "--rationales", tmp_path / "r")
    tuning = (*tuning, "--adapter.top", 1, "--learning.epochs", 100, "--learning.dtype", "float32")
    work = tmp_path / ".killed.work"
    process = start(*tuning, "--out", tmp_path / "killed")
    wait_until(lambda: any(work.glob("step-*.safetensors")))
    kill(process)
    assert not (tmp_path / "killed").exists()
    assert start(*tuning, "--out", tmp_path / "killed").wait() == 0
    assert start(*tuning, "--out", tmp_path / "straight").wait() == 0
    assert fingerprints.path(tmp_path / "killed") == fingerprints.path(tmp_path / "straight")
