"""The replay cache: what was paid for is never asked again, whatever happens to the process or the file."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from chat.fake_server import FakeServer, Status, Text
from sulan import chat
from sulan.chat import structured
from sulan.chat.cache import Cached, key
from sulan.chat.protocol import Message, Reply, Request
from sulan.errors import BackendError, BrokenArtefact, InputError


class Counting:
    """A chat that counts its calls and answers with the question."""

    model = "counting"

    def __init__(self, *, finish: str = "stop", delay: float = 0.0) -> None:
        self.calls = 0
        self.finish = finish
        self.delay = delay

    def reply(self, request: Request) -> Reply:
        self.calls += 1
        time.sleep(self.delay)
        if request.messages[0].content == "fail":
            raise BackendError("down")
        return Reply(text=request.messages[0].content, finish=self.finish, prompt_tokens=3)  # type: ignore[arg-type]

    def close(self) -> None:
        pass


def ask(text: str = "x", **more: object) -> Request:
    return Request(messages=(Message(role="user", content=text),), max_tokens=10, **more)  # type: ignore[arg-type]


def test_a_reply_is_replayed_across_processes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "cache.sqlite3"
    first, second = Counting(), Counting()
    made = Cached(first, path)
    fresh = made.reply(ask())
    made.close()
    replayed = Cached(second, path).reply(ask())
    assert (fresh.cached, replayed) == (False, replace(fresh, cached=True))
    assert (first.calls, second.calls) == (1, 0)


def test_everything_that_may_change_a_reply_is_in_the_key() -> None:
    base = ask()
    variants = [
        base,
        ask("y"),
        replace(base, messages=(Message(role="system", content="x"),)),
        replace(base, messages=(*base.messages, *base.messages)),
        replace(base, max_tokens=11),
        replace(base, temperature=0.5),
        replace(base, seed=1),
        replace(base, schema={"type": "object"}),
        replace(base, stop=("END",)),
    ]
    assert len({key("m", request) for request in variants} | {key("other", base)}) == len(variants) + 1
    same = {"properties": {}, "type": "object"}, {"type": "object", "properties": {}}
    assert key("m", replace(base, schema=same[0])) == key("m", replace(base, schema=same[1]))


@pytest.mark.parametrize(("finish", "calls"), [("stop", 1), ("length", 1), ("content_filter", 2)])
def test_cut_replies_are_kept_and_refusals_are_not(tmp_path: Path, finish: str, calls: int) -> None:
    counting = Counting(finish=finish)
    cached = Cached(counting, tmp_path / "c")
    assert cached.reply(ask()).text == cached.reply(ask()).text
    assert counting.calls == calls


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    counting = Counting()
    cached = Cached(counting, tmp_path / "c")
    for _ in range(2):
        with pytest.raises(BackendError):
            cached.reply(ask("fail"))
    assert counting.calls == 2


@pytest.mark.parametrize("text", ["x", "fail"])
def test_equal_requests_at_the_same_time_make_one_call(tmp_path: Path, text: str) -> None:
    counting = Counting(delay=0.2)
    hits: list[Reply] = []
    cached = Cached(counting, tmp_path / "c", replayed=hits.append)
    ends: list[object] = []

    def call() -> None:
        try:
            ends.append(cached.reply(ask(text)).cached)
        except BackendError as error:
            ends.append(str(error))

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counting.calls == 1
    assert sorted(map(str, ends)) == (["False"] + ["True"] * 5 if text == "x" else ["down"] * 6)
    assert len(hits) == (5 if text == "x" else 0)


def test_text_of_every_kind_comes_back_as_it_was(tmp_path: Path) -> None:
    text = "速览 \x00 \ud800 \u202e 😀 \\alpha"
    cached = Cached(Counting(), tmp_path / "c")
    assert cached.reply(ask(text)).text == cached.reply(ask(text)).text == text


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite3"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(BrokenArtefact, match="cannot be read") as caught:
        Cached(Counting(), path)
    assert "move" in caught.value.hint


def test_damage_inside_the_file_is_found_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite3"
    made = Cached(Counting(), path)
    made.reply(ask())
    made.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE replies SET reply = '{\"text\": '")
    with pytest.raises(BrokenArtefact, match="cannot be read"):
        Cached(Counting(), path).reply(ask())


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "papers.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE papers (id TEXT)")
    before = path.read_bytes()
    with pytest.raises(BrokenArtefact, match="not a reply cache"):
        Cached(Counting(), path)
    assert path.read_bytes() == before


def test_a_path_that_cannot_be_a_file_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot open"):
        Cached(Counting(), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot open"):
        Cached(Counting(), tmp_path / "file" / "cache")


PROGRAM = """
import sys
from pathlib import Path
from sulan import chat
from sulan.chat.parallel import in_order
settings = chat.ChatSettings(base_url=sys.argv[1], cache=Path(sys.argv[2]), concurrency=2)
with chat.open("openai:m", settings) as session:
    def one(number):
        request = chat.Request(messages=(chat.Message(role="user", content=f"paper {number}"),), max_tokens=9)
        return session.reply(request).text
    print([outcome.get() for outcome in in_order(one, range(12), concurrency=2)])
"""


def test_kill_9_loses_no_reply_that_arrived(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite3"
    with FakeServer(lambda body: body["messages"][0]["content"], latency=0.05) as server:
        command = [sys.executable, "-c", PROGRAM, server.url, str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        while server.calls < 7:  # five replies were sent at least, two requests are under way at most
            time.sleep(0.005)
            assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        killed_at = server.calls
        with sqlite3.connect(path) as database:
            kept = [json.loads(row[0])["text"] for row in database.execute("SELECT reply FROM replies")]
        assert len(kept) >= killed_at - 2 - 1  # at most what was under way, and one just being written
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str([f"paper {number}" for number in range(12)])
        again = [body["messages"][0]["content"] for body in server.bodies[killed_at:]]
        assert not set(kept) & set(again)
        finished = server.calls
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == done.stdout
        assert server.calls == finished


def test_a_rerun_takes_the_same_steps_as_the_run_it_repeats(tmp_path: Path) -> None:
    class Note(BaseModel):
        score: int

    question = Request(messages=(Message(role="user", content="rate phi-1.5"),), max_tokens=10)
    with FakeServer(lambda body: '{"score": 4}') as server:
        server.fault("phi-1.5", Text("cut in the mid", finish="length"))
        server.fault("phi-1.5", Text('{"score": "high"}'))
        server.fault("phi-1.5", Status(500))
        answers = []
        for _ in range(2):
            settings = chat.ChatSettings(base_url=server.url, cache=tmp_path / "c")
            with chat.open("openai:m", settings) as session:
                answers.append(structured.ask(session, question, Note))
        assert server.calls == 4
    first, second = ([attempt.violations for attempt in answer.attempts] for answer in answers)
    assert first == second
    assert answers[0].value == answers[1].value == Note(score=4)
