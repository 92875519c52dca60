"""Scores by rule are bounded, explained, and tell papers apart."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sulan.digest import extraction, inputs, scores, sentences

SENTENCES = st.lists(st.text(max_size=80), min_size=1, max_size=10)


@given(numbered=SENTENCES, data=st.data())
def test_bounds_steps_and_evidence(numbered: list[str], data: st.DataObject) -> None:
    main = data.draw(st.integers(0, len(numbered) - 1))
    for score in scores.by_rule(numbered, main_work=main, language="zh").values():
        assert 1 <= score.value <= 5
        assert score.value * 2 == int(score.value * 2)
        assert set(score.reason.evidence) <= set(range(1, len(numbered) + 1))
        assert score.reason.text.endswith("。")


def test_languages_differ_in_words_alone() -> None:
    numbered = ["We propose a new net.", "It is open-source and outperforms others by 3%."]
    zh, en = (scores.by_rule(numbered, main_work=0, language=one) for one in ("zh", "en"))  # type: ignore[arg-type]
    assert {n: (s.value, s.reason.evidence) for n, s in zh.items()} == {
        n: (s.value, s.reason.evidence) for n, s in en.items()
    }


def test_what_others_do_badly_is_no_credit() -> None:
    numbered = ["Earlier nets suffer from many limitations.", "We propose a net."]
    score = scores.by_rule(numbered, main_work=1, language="en")["recommendation"]
    assert "limits" not in score.reason.text


def test_the_real_day_is_told_apart(shared: Path) -> None:
    # The seed digest gave no score below 4; a scale that is not used says nothing.
    papers = inputs.read(shared / "data" / "daily_papers_2023-09-12.json")
    rated = []
    for paper in papers:
        numbered = sentences.split(paper.abstract)
        main = extraction.main_work(paper.title, numbered)
        rated.append(scores.by_rule(numbered, main_work=main, language="en"))
    for name in ("practicality", "novelty", "recommendation"):
        values = [each[name].value for each in rated]  # type: ignore[index]
        assert max(values) - min(values) >= 1
        assert min(values) < 4
    assert sorted(scores.ranks(rated)) == list(range(1, 9))


@pytest.mark.parametrize(
    ("sentence", "practicality"),
    [("Nets are made.", 2.0), ("Code is available at github.com/x.", 3.0), ("We improve it by 3%.", 2.5)],
)
def test_points(sentence: str, practicality: float) -> None:
    assert scores.by_rule([sentence], main_work=0, language="en")["practicality"].value == practicality
