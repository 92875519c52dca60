import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from digest import editions
from digest.hostile import text
from sulan.digest import archive
from sulan.digest.archive import Brief, Day
from sulan.digest.topics import topics
from sulan.digest.trends import points, ticks, trends


def day(name: str, papers: tuple[Brief, ...]) -> Day:
    return Day(
        day=name, path=Path("x"), fingerprint=name, revision=1, languages=("zh",), updated="", papers=papers
    )


def brief(
    *, votes: int | None, scores: tuple[float, ...] = (4.0, 3.0, 5.0), terms: tuple[str, ...] = ()
) -> Brief:
    return Brief(
        id="1", title="t", upvotes=votes, scores=scores, keywords=tuple((term, "译") for term in terms)
    )


def test_the_numbers_of_two_days():
    found = trends(
        [
            day("2023-09-11", (brief(votes=1, terms=("A", "B")), brief(votes=4, scores=(2.0, 3.0, 4.0)))),
            day("2023-09-12", (brief(votes=None, scores=(), terms=("A",)),)),
        ]
    )
    assert (found.unit, found.periods) == ("day", ("2023-09-11", "2023-09-12"))
    assert found.papers.values == (2.0, 1.0)
    assert {line.name: line.values for line in found.scores} == {
        "practicality": (3.0, None),
        "novelty": (3.0, None),
        "recommendation": (4.5, None),
    }
    assert found.votes.values == (2.5, None)
    assert [(line.name, line.values) for line in found.keywords] == [("A", (1.0, 1.0)), ("B", (1.0, 0.0))]


def test_many_days_are_shown_by_month():
    found = trends([day(name, (brief(votes=1),)) for name in editions.days(120)])
    assert found.unit == "month"
    assert found.periods == ("2023-05", "2023-06", "2023-07", "2023-08", "2023-09")
    assert found.papers.values == (16.0, 30.0, 31.0, 31.0, 12.0)


@given(st.lists(st.none() | st.floats(0, 1e6), min_size=1, max_size=50))
def test_points_lie_within_the_drawing(values):
    known = [value for value in values if value is not None]
    axis = ticks(max(known, default=0))
    assert 2 <= len(axis) <= 4 and axis[-1] >= max(known, default=0)
    found = points(values, low=axis[0], high=axis[-1], width=100, height=50)
    assert len(found) == len(known)
    assert all(0 <= x <= 100 and 0 <= y <= 50 for x, y in found)


@given(text)
def test_a_keyword_s_file_name_is_tame_and_its_own(term):
    terms = ("a" + term, "x" + term)
    found = topics([day("2023-09-12", tuple(brief(votes=1, terms=terms) for _ in range(3)))])
    names = [topic.file for topic in found]
    assert all(
        re.fullmatch(r"[a-z0-9-]{1,49}-[0-9a-f]{8}\.html|keyword-[0-9a-f]{8}\.html", name) for name in names
    )
    assert len(set(names)) == len(names) == 2


def test_spellings_of_a_keyword_are_one_and_two_papers_are_too_few():
    papers = tuple(brief(votes=1, terms=(term,)) for term in ("Data Pruning", "data pruning", "Data Pruning"))
    (topic,) = topics([day("2023-09-12", (*papers, brief(votes=1, terms=("Rare",))))])
    assert (topic.term, topic.translation, len(topic.papers)) == ("Data Pruning", "译", 3)


def test_what_is_remembered_of_a_day_reads_back():
    first = archive.day(editions.edition(2), path=Path("a"), fingerprint="f")
    assert Day.from_json(Path("a"), first.to_json()) == first
    assert [paper.recommendation for paper in first.papers] == [5.0, 4.5]
