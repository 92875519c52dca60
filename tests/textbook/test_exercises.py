"""Exercises that a model is judged on."""

import pytest

from sulan.errors import InputError
from sulan.textbook import exercises, problems

pytest.importorskip("reasoning_gym")


def test_the_answer_is_the_problem_s_and_the_choices_differ():
    items = exercises.solved(["chain_sum"], count=20, seed=3)
    drawn = problems.draw("chain_sum", count=20, seed=3, item="evaluate")
    for item, problem in zip(items, drawn, strict=True):
        assert item.answer is not None
        assert item.choices[item.answer] == problem.answer
        assert len(set(item.choices)) == exercises.CHOICES


def test_the_right_choice_stands_in_every_place():
    assert {item.answer for item in exercises.solved(["chain_sum"], count=60, seed=0)} == {0, 1, 2, 3}


def test_the_same_seed_gives_the_same_items_and_another_does_not():
    first = exercises.solved(["chain_sum"], count=10, seed=1)
    assert first == exercises.solved(["chain_sum"], count=10, seed=1)
    assert first != exercises.solved(["chain_sum"], count=10, seed=2)


def test_too_few_answers_are_refused():
    with pytest.raises(InputError, match="have 1 answers"):
        exercises.solved(["chain_sum"], count=1, seed=0)
