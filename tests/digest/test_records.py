import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sulan.digest import records
from sulan.digest.paper import MAX_ABSTRACT, Paper, clean

# The shape of an item of 2026, filled with words of our own.
MODERN = {
    "paper": {
        "id": "2605.01234",
        "authors": [
            {"_id": "1", "name": "Ada Example", "hidden": False, "user": {"fullname": "Ada"}},
            {"_id": "2", "name": "Team", "hidden": True},
            {"_id": "3", "name": "Bo  Sample", "hidden": False},
        ],
        "publishedAt": "2026-05-15T17:59:59.000Z",
        "submittedOnDailyAt": "2026-05-18T00:21:00.000Z",
        "submittedOnDailyBy": {"user": "someone"},
        "title": "A Title&#xA;  over two\n lines",
        "summary": "We present a thing.\nIt works.",
        "upvotes": 42,
        "discussionId": "x",
        "ai_summary": "A thing.",
        "ai_keywords": ["thing", "work", 3, ""],
        "projectPage": "https://example.org/thing",
        "githubRepo": "https://github.com/example/thing",
        "githubStars": 7,
        "organization": {"name": "example", "fullname": "Example Lab", "avatar": "https://x"},
    },
    "publishedAt": "2026-05-15T13:00:00.000Z",
    "title": "another title",
    "numComments": 3,
    "submittedBy": {"name": "someone"},
}


def only(item: object) -> Paper:
    found = records.listing([item], source="hf")
    assert len(found.papers) == 1, found.skipped
    return found.papers[0]


def changed(**fields: object) -> dict[str, Any]:
    return {**MODERN, "paper": {**MODERN["paper"], **fields}}


def test_every_field_of_a_modern_item() -> None:
    assert only(MODERN) == Paper(
        id="2605.01234",
        title="A Title over two lines",
        abstract="We present a thing. It works.",
        authors=("Ada Example", "Bo Sample"),
        published_at="2026-05-15T17:59:59Z",
        featured_on="2026-05-18",
        upvotes=42,
        comments=3,
        stars=7,
        code_url="https://github.com/example/thing",
        project_url="https://example.org/thing",
        organization="Example Lab",
        keywords=("thing", "work"),
        source="hf",
    )


def test_the_real_day(shared: Path) -> None:
    items = json.loads((shared / "data" / "daily_papers_2023-09-12.json").read_text())
    found = records.listing(items, source="hf")
    # The ids and their order are those of the digest of that day.
    assert [paper.id.removeprefix("2309.") for paper in found.papers] == [
        "05463", "05519", "04564", "04827", "04662", "05516", "04663", "04581",
    ]  # fmt: skip
    assert not found.skipped and not found.remarks
    assert (
        found.papers[2].title == "When Less is More: Investigating Data Pruning for Pretraining LLMs at Scale"
    )
    assert found.papers[5].title.endswith("Gradient Descent for the Quantization of LLMs")
    assert found.papers[0].authors[1] == "Sébastien Bubeck"
    assert "\\textbf{phi-1.5}" in found.papers[0].abstract
    assert found.papers[0].published_at == "2023-09-11T14:01:45Z"
    assert {paper.featured_on for paper in found.papers} == {""}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"authors": None}, {"authors": ()}),
        ({"authors": "Ada, Bo"}, {"authors": ("Ada", "Bo")}),
        ({"authors": [None, 3, {"name": None}, {"name": "Cy"}, "Di"]}, {"authors": ("Cy", "Di")}),
        ({"upvotes": "1.2k"}, {"upvotes": 1200}),
        ({"upvotes": "many"}, {"upvotes": None}),
        ({"upvotes": math.nan}, {"upvotes": None}),
        ({"upvotes": 10**30}, {"upvotes": None}),
        ({"upvotes": True}, {"upvotes": None}),
        ({"summary": None}, {"abstract": ""}),
        ({"summary": {"a": 1}}, {"abstract": ""}),
        ({"title": None}, {"title": "another title"}),
        ({"publishedAt": "last week"}, {"published_at": ""}),
        ({"publishedAt": "0001-01-01T00:00:00+14:00"}, {"published_at": ""}),
        ({"submittedOnDailyAt": "2026-05-18T23:30:00-08:00"}, {"featured_on": "2026-05-19"}),
        ({"githubRepo": "javascript:alert(1)"}, {"code_url": ""}),
        ({"githubRepo": "java\nscript:alert(1)"}, {"code_url": ""}),
        ({"githubRepo": "https://a.b/\u202egnp.exe"}, {"code_url": ""}),
        ({"projectPage": "https://user:pass@host/"}, {"project_url": ""}),
        ({"projectPage": 'https://a.b/"onload='}, {"project_url": ""}),
        ({"organization": ["x"]}, {"organization": ""}),
        ({"ai_keywords": "abc"}, {"keywords": ()}),
        ({"title": "a\u202eb\u200bc\x00d"}, {"title": "abcd"}),
        ({"title": "\ud800x"}, {"title": "x"}),
        ({"id": "2605.01234v3"}, {"id": "2605.01234"}),
        ({"id": "https://arxiv.org/abs/2605.01234"}, {"id": "2605.01234"}),
        ({"id": "my-own.report_7"}, {"id": "my-own.report_7"}),
        ({"id": "math.AG/0501001"}, {"id": "math.AG/0501001"}),
        ({"source": "root"}, {"source": "hf"}),
    ],
)  # fmt: skip
def test_a_strange_field_costs_that_field_at_most(
    fields: dict[str, object], expected: dict[str, object]
) -> None:
    paper = only(changed(**fields))
    assert {name: getattr(paper, name) for name in expected} == expected
    assert paper.authors or "authors" in fields


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (None, "not an object but nothing"),
        ([1], "not an object but an array"),
        ("2605.01234", "not an object but text"),
        ({"paper": "x"}, "its paper is not an object but text"),
        ({"paper": {}}, "no id"),
        (changed(id=None), "no id"),
        (changed(id="../../etc/passwd"), "no usable id"),
        (changed(id="a/../../b"), "no usable id"),
        (changed(id="https://evil.example/x"), "no usable id"),
        (changed(id="x" * 65), "cannot be used: id"),
        (changed(id="\ud800"), "cannot be used: id"),
        ({"id": "2605.01234"}, "has no title"),
        ({"id": "2605.01234", "title": "\u200b \n"}, "has no title"),
    ],
)
def test_a_bad_record_is_reported_and_the_others_stay(item: object, reason: str) -> None:
    found = records.listing([MODERN, item], source="hf")
    assert [paper.id for paper in found.papers] == ["2605.01234"]
    assert len(found.skipped) == 1
    assert found.skipped[0].startswith("item 2: ") and reason in found.skipped[0]
    assert found.skipped[0].isprintable()


def test_a_repeated_id_is_remarked_and_the_first_stays() -> None:
    found = records.listing([MODERN, changed(title="later")], source="hf")
    assert [paper.title for paper in found.papers] == ["A Title over two lines"]
    assert found.remarks == ("2605.01234: listed twice, the first one is kept",)


def test_an_abstract_of_ten_megabytes_is_cut_and_remarked() -> None:
    found = records.listing([changed(summary="word " * 2_000_000)], source="hf")
    assert len(found.papers[0].abstract) == MAX_ABSTRACT - 1  # the cut falls on a blank
    assert found.remarks == ("2605.01234: abstract of 10,000,000 characters cut to 20,000",)


texts = st.text(max_size=40).map(lambda text: clean(text, limit=200))


@st.composite
def papers(draw: st.DrawFn) -> Paper:
    count = st.none() | st.integers(0, 10**9)
    return Paper(
        id=draw(st.from_regex(r"\A[0-9]{4}\.[0-9]{5}\Z")),
        title=draw(texts.filter(bool)),
        abstract=draw(texts),
        authors=draw(st.lists(texts.filter(bool), max_size=3).map(tuple)),
        published_at=draw(st.sampled_from(["", "2023-09-11T14:01:45Z"])),
        featured_on=draw(st.sampled_from(["", "2023-09-12"])),
        upvotes=draw(count),
        comments=draw(count),
        stars=draw(count),
        code_url=draw(st.sampled_from(["", "https://github.com/a/b"])),
        organization=draw(texts),
        categories=draw(st.lists(st.sampled_from(["cs.CL", "stat.ML"]), unique=True).map(tuple)),
        keywords=draw(st.lists(texts.filter(bool), max_size=3).map(tuple)),
        abstract_note=draw(texts),
        source=draw(st.sampled_from(records.SOURCES)),
    )


@given(papers())
def test_our_own_papers_come_back_as_they_were(paper: Paper) -> None:
    found = records.listing([json.loads(paper.model_dump_json())], source="file")
    assert found.papers == (paper,)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(sorted({*MODERN, *MODERN["paper"], *Paper.model_fields}))


@given(st.lists(json_values | st.dictionaries(names, json_values, max_size=6), max_size=4))
def test_anything_may_come_and_each_item_is_a_paper_or_a_line(items: list[object]) -> None:
    found = records.listing([MODERN, *items], source="hf")
    assert len(found.papers) >= 1
    assert (
        len(found.skipped) + len(found.papers) + sum("listed twice" in r for r in found.remarks)
        == len(items) + 1
    )


@given(st.text(max_size=60), st.integers(1, 20))
def test_what_is_clean_stays_as_it_is(text: str, limit: int) -> None:
    once = clean(text, limit=limit)
    assert clean(once, limit=limit) == once
    assert len(once) <= limit
