"""Probabilities of labels, and what a comparison concludes from them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from sulan.errors import InputError
from sulan.tune import labels, metrics
from sulan.tune.experiment import Compared, Reasoned, Setup
from sulan.tune.plans import Comparing
from sulan.tune.rationales import Origin
from sulan.tune.results import Result
from sulan.tune.settings import Adapter, Learning, Teaching
from sulan.tune.task import Example, Task, Wording
from sulan.tune.verdict import Verdict


@given(
    st.lists(
        st.lists(st.integers(1, 4), max_size=4).map(lambda tokens: (*tokens, 0)),
        min_size=1,
        max_size=8,
        unique=True,
    )
)
def test_every_label_has_its_own_way_through_the_branches(found):
    places = labels.branches(found)
    ways = {
        number: tuple(
            (beginning, token)
            for beginning, following in places
            for token, members in following.items()
            if number in members
        )
        for number in range(len(found))
    }
    assert len(set(ways.values())) == len(found)
    for number, way in ways.items():
        for beginning, token in way:
            assert found[number][: len(beginning) + 1] == (*beginning, token)


def test_labels_that_are_the_same_tokens_are_refused():
    with pytest.raises(InputError, match="the same"):
        labels.branches([(1, 0), (1, 0)])


def test_measures_are_those_of_scikit_learn():
    chances = np.array([[0.9, 0.1], [0.4, 0.6], [0.35, 0.65], [0.2, 0.8]])
    assert metrics.right(chances, [0, 0, 1, 1]).tolist() == [1, 0, 1, 1]
    assert metrics.auc_pr(chances, [0, 1, 0, 1]) == average_precision_score([1, 0, 1, 0], chances[:, 0])
    assert metrics.macro_f1(chances, [0, 0, 1, 1]) == pytest.approx((2 / 3 + 4 / 5) / 2)


def verdict(accuracies: dict[str, float], *, size: int = 200) -> Verdict:
    """A comparison in which each row is right on the first so many examples."""
    examples = tuple(Example(id=str(n), input=str(n), answer="ab"[n % 2], split="test") for n in range(size))
    task = Task(
        name="t", about="", labels=("a", "b"), teacher=Wording(), student=Wording(), examples=examples
    )
    truth = np.array([n % 2 for n in range(size)])

    def result(share: float) -> Result:
        said = np.where(np.arange(size) < share * size, truth, 1 - truth)
        rows = np.eye(2)[said] * 0.8 + 0.1
        chances = {name: rows for name in ("", "FIAT, no rationale", "FIAT, shuffled")}
        return Result(chances=chances, dev=0.0, train_seconds=1.0, test_seconds=1.0, tokens=1)

    setup = Setup(
        task=task,
        student="s",
        base="",
        teaching=Teaching(),
        adapter=Adapter(),
        learning=Learning(),
        comparing=Comparing(),
    )
    origin = Origin(teacher="big", identity="", words="", teaching={})
    reasoned = Reasoned(found={}, origin=origin, tokens=(1.0, 1.0), seconds=0.5)
    results = {
        name: (result(share),) if name.startswith("ICL") else tuple(result(share) for _ in range(3))
        for name, share in accuracies.items()
    }
    return Verdict(Compared(setup=setup, reasoned=reasoned, results=results))


@pytest.mark.parametrize(
    ("accuracies", "says"),
    [
        (
            {"ICL": 0.5, "+ instructions": 0.96, "FIAT": 0.965},
            "You do not need the large model: + instructions",
        ),
        ({"ICL": 0.9, "+ instructions": 0.6, "FIAT": 0.9}, "Use the large model by itself (ICL)"),
        ({"ICL": 0.5, "+ instructions": 0.6, "FIAT": 0.9}, "Use FIAT: +30.0"),
    ],
)
def test_the_recommendation_is_the_simplest_that_nothing_beats(accuracies, says):
    assert verdict(accuracies).recommendation().startswith(says)


def test_a_report_has_the_ladder_in_its_order():
    found = verdict({"ICL": 0.5, "fine-tuning": 0.6, "+ PEFT": 0.7, "+ instructions": 0.8, "FIAT": 0.9})
    report = found.report({})
    ladder = next(table for table in report.tables if table.title.startswith("The ladder"))
    assert [row[0] for row in ladder.rows] == ["FIAT", "+ instructions", "+ PEFT", "fine-tuning"]
    assert [row[3] for row in ladder.rows] == [None, 10.0, 10.0, 10.0]
    named = {name: value for name, value, _ in found.metrics()}
    assert named["ladder.total"] == 30.0
    assert named["accuracy.fiat"] == 0.9
    assert replace(report, notes=()).summary["FIAT"] == 90.0
