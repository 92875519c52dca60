"""The embedded engine chooses well, always chooses something, and quotes word for word."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.labels import MAIN_WORK
from sulan.digest import extraction, extractive, inputs, sentences, stored

SENTENCES = st.lists(st.text(min_size=1, max_size=80).filter(str.strip), min_size=1, max_size=12)


def test_main_work_of_the_real_day(shared: Path) -> None:
    papers = inputs.read(shared / "data" / "daily_papers_2023-09-12.json")
    chosen = {p.id: extraction.main_work(p.title, sentences.split(p.abstract)) + 1 for p in papers}
    assert {paper: number for paper, number in chosen.items() if number not in MAIN_WORK[paper]} == {}


def test_main_work_of_the_shipped_day_says_what_was_done() -> None:
    for paper in stored.papers("2023-09-12") or ():
        numbered = sentences.split(paper.abstract)
        chosen = numbered[extraction.main_work(paper.title, numbered)]
        assert any(word in chosen for word in ("we ", "We ", "paper", "article", "report", "work")), chosen


@given(title=st.text(max_size=60), numbered=SENTENCES)
def test_any_abstract_gives_sentences_of_its_own(title: str, numbered: list[str]) -> None:
    main = extraction.main_work(title, numbered)
    lights = extraction.highlights(title, numbered, besides=main)
    assert 0 <= main < len(numbered)
    assert main not in lights
    assert lights == sorted(set(lights))
    assert len(lights) <= extraction.MAX_HIGHLIGHTS


@given(title=st.text(max_size=60), numbered=SENTENCES)
def test_summaries_quote_and_cite(title: str, numbered: list[str]) -> None:
    summary = extractive.summarize(title, numbered, language="zh")
    for passage in (summary.main_work, *summary.highlights):
        assert passage.language == "en"
        assert [numbered[n - 1] for n in passage.evidence] == [passage.text]
    assert len(summary.keywords) <= 5


def test_a_sentence_that_is_left_out_is_neither_quoted_nor_counted() -> None:
    numbered = ["We propose the first open-source net.", "It improves accuracy by 3%.", "Nets are useful."]
    summary = extractive.summarize("A net", numbered, language="en", left_out=(1,))
    cited = {n for p in (summary.main_work, *summary.highlights) for n in p.evidence}
    cited |= {n for score in summary.scores.values() for n in score.reason.evidence}
    assert 1 not in cited


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_abstract_is_said_and_not_invented(language: str) -> None:
    summary = extractive.summarize("A net for nothing", [], language=language)  # type: ignore[arg-type]
    assert summary.main_work.text == extractive.NOTHING_TO_READ[language]  # type: ignore[index]
    assert summary.highlights == ()
