"""The frozen model: asked once about each input and never about an answer; bad replies cost a rationale, not a run."""

from dataclasses import replace

import pytest

from chat.fake_server import FakeServer
from sulan.chat.protocol import Reply
from sulan.chat.settings import ChatSettings
from sulan.errors import BackendError, InputError
from sulan.tune import rationales, teachers
from sulan.tune import task as tasks
from sulan.tune.rationales import Origin, Rationale
from sulan.tune.settings import Teaching
from tune.small_tasks import model, row, task, written


@pytest.mark.parametrize(
    ("reply", "text", "status"),
    [
        (Reply(text="a game\n of chess ", finish="stop"), "a game of chess", "whole"),
        (Reply(text="a game of che", finish="length"), "a game of", "cut"),
        (Reply(text="game", finish="length"), "game", "cut"),
        (Reply(text="it is a b a b a b a b", finish="length"), "it is a b", "looped"),
        (Reply(text=" \n", finish="stop"), "", "empty"),
        (Reply(text="I'm sorry, but I can't help.", finish="stop"), "", "refused"),
        (Reply(text="anything", finish="content_filter"), "", "refused"),
        (BackendError("timeout"), "", "failed"),
    ],
)
def test_a_reply_becomes_a_rationale_by_fixed_rules(reply, text, status):
    found = rationales.clean(reply)
    assert (found.text, found.status) == (text, status)


def test_an_answer_changes_nothing_that_is_asked(tmp_path):
    found = tasks.read(task(tmp_path / "task"))
    others = [replace(each, answer="games", oracle="x") for each in found.examples]
    inputs = [each.input for each in found.examples]
    asked = rationales.questions(found, inputs, Teaching())
    assert asked == rationales.questions(replace(found, examples=tuple(others)), inputs, Teaching())
    assert asked[0].shared.count("English:") == 5  # the exemplars show reasoning
    assert "Section:" not in asked[0].shared  # and no answers


def test_a_server_is_asked_once_about_each_input_and_counts_the_same_tokens(tmp_path):
    rows = [
        row("1", "train", "one"),
        row("2", "train", "two"),
        row("3", "train", "one"),
        row("4", "dev", "four"),
    ]
    found = tasks.read(written(tmp_path / "task", rows))
    settings = ChatSettings(cache=tmp_path / "cache.sqlite3", retries=0)
    with FakeServer(lambda request: "it is so") as server:
        settings = replace(settings, base_url=server.url)
        for calls in (3, 0):
            before = server.calls
            opened = teachers.open_teacher("openai:big", settings=settings, max_cost=None, batch=4)
            made = rationales.write(opened, found, found.examples, Teaching())
            ledger = opened.session.ledger.summary()
            opened.close()
            assert server.calls - before == calls == ledger["calls"]
            assert {each.text for each in made.values()} == {"it is so"}
        # With other words the rationales are others.
        opened = teachers.open_teacher("openai:big", settings=settings, max_cost=None, batch=4)
        rationales.write(opened, found, found.examples, Teaching(max_tokens=7))
        opened.close()
        assert server.calls == 6


def test_a_local_model_is_asked_once_and_writes_the_same_whatever_is_in_the_cache(tmp_path):
    found = tasks.read(task(tmp_path / "task"))
    name = str(model(tmp_path / "model"))
    texts = {}
    for run in ("first", "again", "rest"):
        settings = ChatSettings(cache=tmp_path / ("cache" if run == "again" else run))
        opened = teachers.open_teacher(name, settings=settings, max_cost=None, batch=4)
        teaching = Teaching(max_tokens=5, exemplars=2)
        if run == "rest":  # some are there already, as after a kill
            rationales.write(opened, found, found.examples[:7], teaching)
        texts[run] = rationales.write(opened, found, found.examples, teaching)
        opened.close()
    assert texts["first"] == texts["again"] == texts["rest"]
    opened = teachers.open_teacher(
        name, settings=ChatSettings(cache=tmp_path / "cache"), max_cost=None, batch=4
    )
    rationales.write(opened, found, found.examples, Teaching(max_tokens=5, exemplars=2))
    assert opened.session.ledger.summary()["calls"] == 0
    opened.close()


def test_rationales_written_with_the_answer_in_sight_are_refused(tmp_path):
    rows = [row(str(n), "train" if n < 20 else "test", answer="ab"[n % 2]) for n in range(40)]
    found = tasks.read(written(tmp_path / "task", rows, toml='labels = ["a", "b"]\n'))
    origin = Origin(teacher="t", identity="i", words="w", teaching={})
    for honest in (True, False):
        texts = {
            each.id: Rationale(
                text=each.answer if each.split == "train" and not honest else "xyz", status="whole"
            )
            for each in found.examples
        }
        folder = tmp_path / f"rationales-{honest}"
        folder.mkdir()
        rationales.save(texts, found.examples, origin, folder)
        if honest:
            assert rationales.read(folder, found) == ({each.id: "xyz" for each in found.examples}, origin)
            continue
        with pytest.raises(InputError, match="100% of train and 0% of the rest"):
            rationales.read(folder, found)


def test_rationales_of_another_task_are_refused(tmp_path):
    found = tasks.read(written(tmp_path / "task", [row("1", "train")]))
    other = tasks.read(written(tmp_path / "other", [row("1", "train", text="something else")]))
    (tmp_path / "made").mkdir()
    origin = Origin(teacher="t", identity="i", words="w", teaching={})
    rationales.save({"1": Rationale(text="r", status="whole")}, other.examples, origin, tmp_path / "made")
    with pytest.raises(InputError, match="another task: the input of 1 differs"):
        rationales.read(tmp_path / "made", found)
