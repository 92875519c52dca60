"""Markdown of any shape, read into papers, sections and lines."""

import pytest

from sulan.digest import foreign

PAGE = """---
title: A day
---

# A day

- [list](https://huggingface.co/papers?date=2024-01-02) 2 papers

## Contents

1. [One](#1)

## One: A *First* Paper

**1. 主要工作**

第一行写了方法，
第二行写了3T词元。

**2. 主要亮点**

- 要点一。[S2]

**3. 关键词**

- Large Models (LLMs)（大模型）

**4. 打分**

- 实用性：4.5/5，可以使用。

[详情](https://huggingface.co/papers/2401.00001)

## Two

1. **主要工作**

   > We do it.

2. **评分**

   - 创新性：6分

[详情](https://huggingface.co/papers/2401.00002)
"""


def test_papers_sections_and_lines() -> None:
    one, two = foreign.parse(PAGE)
    assert (one.id, one.title, one.line) == ("2401.00001", "One: A *First* Paper", 13)
    assert [(s.kind, s.style, s.line) for s in one.sections] == [
        ("main_work", "bold, numbered", 15),
        ("highlights", "bold, numbered", 20),
        ("keywords", "bold, numbered", 24),
        ("scores", "bold, numbered", 28),
    ]
    assert [(s.kind, s.style) for s in two.sections] == [
        ("main_work", "list, numbered"),
        ("scores", "list, numbered"),
    ]
    assert [(b.prose, b.quoted) for b in two.blocks("main_work")] == [("We do it.", True)]


def test_a_position_in_a_wrapped_paragraph_has_its_own_line() -> None:
    block = next(foreign.parse(PAGE)[0].blocks("main_work"))
    assert block.line_of(block.prose.index("第一行")) == 17
    assert block.line_of(block.prose.index("3T")) == 18


def test_markup_scores_and_evidence_are_not_prose() -> None:
    paper = foreign.parse(PAGE)[0]
    assert [(b.prose, b.evidence) for b in paper.blocks("highlights")] == [("要点一。", (2,))]
    assert [b.prose for b in paper.blocks("scores")] == ["可以使用。"]
    assert [foreign.keyword(b.prose) for b in paper.blocks("keywords")] == [("Large Models (LLMs)", "大模型")]


def test_inconsistent_forms_and_scores_off_the_scale() -> None:
    found = [
        (paper, line, finding.verdict, finding.severity)
        for paper, line, finding in foreign.shape(foreign.parse(PAGE))
    ]
    assert found == [
        ("2401.00002", 34, "section_form", "warning"),
        ("", 40, "section_form", "warning"),
        ("", 42, "score_form", "warning"),
        ("2401.00002", 42, "score_form", "error"),
    ]


@pytest.mark.parametrize(
    "text", ["", "just text", "# one\n\ntext", "## A heading\n\nand no paper", "---\n---\n"]
)
def test_no_paper(text: str) -> None:
    assert foreign.parse(text) == ()


def test_the_language_is_that_of_the_headings() -> None:
    english = "## A\n\n### Main work\n\n全是中文。\n"
    assert foreign.language(foreign.parse(PAGE)) == "zh"
    assert foreign.language(foreign.parse(english)) == "en"
