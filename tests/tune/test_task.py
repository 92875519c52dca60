"""The task format: what is read, what leaks, and mistakes that cost one clear line."""

import pytest

from sulan.errors import InputError, MissingFile
from sulan.tune import task as tasks
from tune.small_tasks import row, task, written

LABELS = 'labels = ["a", "b"]\n'
EXEMPLAR = '[[teacher.exemplars]]\ninput = "The  INPUT 1"\nreasoning = "r"\nanswer = "a"\n'
GOOD = [row("1", "train"), row("2", "train", answer="b"), row("3", "dev"), row("4", "test")]


def test_a_task_is_read_with_its_words_and_splits(tmp_path):
    found = tasks.read(task(tmp_path / "task"))
    assert found.labels == ("games", "science", "web", "sound", "fonts")
    assert {split: len(found.split(split)) for split in ("train", "dev", "test")} == {
        "train": 10,
        "dev": 5,
        "test": 15,
    }
    assert len(found.teacher.exemplars) == 5
    assert {each.answer for each in found.teacher.exemplars} == set(found.labels)
    again = tasks.of_wording(found.wording())
    assert (again.teacher, again.student, again.labels) == (found.teacher, found.student, found.labels)


def test_training_examples_that_are_exemplars_are_left_out(tmp_path):
    found = tasks.read(written(tmp_path / "t", [*GOOD, row("5", "train")], toml=LABELS + EXEMPLAR))
    assert [each.id for each in found.split("train")] == ["2", "5"]
    assert "1 training examples are the teacher's exemplars" in found.notes[0]


@pytest.mark.parametrize(
    ("rows", "toml", "says"),
    [
        ([*GOOD, row("5", "test", text=" the INPUT\t1 ")], LABELS, "1 inputs are in more than one split (5)"),
        (
            [row("1", "test"), row("2", "train")],
            EXEMPLAR,
            "1 exemplars of the teacher are in dev or test (1)",
        ),
        ([*GOOD, row("5", "test", answer="c")], LABELS, "1 answers are none of the labels (5)"),
        ([*GOOD, row("4", "test", text="other")], LABELS, "ids are there twice: 4"),
        ([*GOOD, row("5", "later")], LABELS, "no split 'later'"),
        ([*GOOD, row("5", "train", text=" ")], LABELS, "examples without an input: 5"),
        ([*GOOD, row("5", "train", answer=" ")], "", "examples without an answer: 5"),
        ([row("1", "train"), row("2", "test")], LABELS, "1 training examples for 2 labels"),
        ([row("1", "test")], LABELS, "no example has the split train"),
        (GOOD, 'labels = ["a", "a", "b"]\n', "labels must be different"),
        (GOOD, "color = 1\n", "no setting 'color'"),
        (GOOD, '[student]\nquestion = "what?"\n', "the question has no {input}"),
        (GOOD, '[[teacher.exemplars]]\ninput = "x"\n', "exemplar 1 has no reasoning"),
        (GOOD, "labels = [", "is not TOML"),
    ],
)
def test_a_mistake_costs_one_clear_line(tmp_path, rows, toml, says):
    with pytest.raises(InputError) as caught:
        tasks.read(written(tmp_path / "t", rows, toml=toml))
    assert says in str(caught.value)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingFile, match="no task at"):
        tasks.read(tmp_path / "nowhere")
    (tmp_path / "task.toml").write_text('data = "gone.jsonl"\n')
    with pytest.raises(MissingFile, match="gone"):
        tasks.read(tmp_path)
