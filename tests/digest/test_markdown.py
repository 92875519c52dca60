import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from digest import editions
from digest.hostile import hostile, text
from sulan.digest import display
from sulan.digest.markdown import escape, markdown, names, plain_text

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def body(page: str) -> str:
    """The page without its front matter, which CommonMark knows nothing of."""
    return page.split("\n---\n", 1)[1]


def flat(tokens):
    for token in tokens:
        yield token
        yield from flat(token.children or ())


def shown(tokens) -> str:
    return "".join(token.content for token in flat(tokens) if token.type in ("text", "code_inline"))


@pytest.mark.parametrize("extractive", [True, False], ids=["extractive", "model"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_of_a_small_edition(snapshot, language, extractive):
    assert markdown(editions.edition(2, extractive=extractive), language) == snapshot


def test_a_mail_s_text_of_a_small_edition(snapshot):
    assert plain_text(editions.edition(2), "zh") == snapshot


def test_every_paper_has_the_same_sections_in_the_same_form():
    page = markdown(editions.edition(5), "zh")
    papers = re.split(r"^## ", page, flags=re.MULTILINE)[2:]
    sections = [re.findall(r"^### (.*)$", paper, flags=re.MULTILINE) for paper in papers]
    assert sections[0] == ["主要工作", "主要亮点", "关键词", "评分", "出处", "可运行的方法"]
    assert all(found == sections[0][:-1] for found in sections[1:])


def test_the_table_of_contents_leads_to_the_papers():
    page = markdown(editions.edition(4), "en")
    anchors = re.findall(r'^<a id="([^"]+)"></a>$', page, flags=re.MULTILINE)
    assert re.findall(r"\]\(#([^)]+)\)", page) == anchors
    assert anchors == ["2309.04564", "2309.04565", "2309.04566", "2309.04567"]


def test_a_quoted_sentence_is_marked_and_cites_its_number():
    page = markdown(editions.edition(1), "zh")
    assert f"> {editions.SENTENCES[1]} [S2]" in page
    assert "> " not in markdown(editions.edition(1, extractive=False), "zh").split("### 主要工作")[1]


def test_a_claim_that_was_never_run_says_so():
    table = [line for line in markdown(editions.edition(1), "en").splitlines() if line.startswith("| ")]
    assert table[0] == "| Paper says | Measured here | Scale of the measurement |"
    assert table[-1].endswith("| not run | — |")


def test_fallbacks_are_shown():
    assert "回退：zh highlights 2: extraction" in markdown(editions.edition(2), "zh")


def test_an_empty_day_is_a_page():
    page = markdown(editions.edition(0), "zh")
    assert "这一天没有论文。" in page and "目录" not in page


def test_the_first_language_has_the_plain_name():
    assert names(editions.edition(0, languages=("en", "zh"))) == {
        "en": "20230912-hf-daily-papers.md",
        "zh": "20230912-hf-daily-papers.zh.md",
    }
    assert names(editions.edition(0, languages=("en",))) == {"en": "20230912-hf-daily-papers.md"}


@given(text)
def test_escaped_text_is_shown_as_it_is(raw):
    tokens = PARSER.parse(escape(raw))
    assert shown(tokens) == display.visible(raw).strip()
    assert {token.type for token in flat(tokens)} <= {
        "paragraph_open",
        "inline",
        "text",
        "paragraph_close",
        "text_special",
    }


@given(text)
def test_escaped_text_survives_in_a_heading_a_list_and_a_table(raw):
    escaped = escape(raw)
    for page in (f"## {escaped}\n", f"- {escaped}\n", f"> {escaped}\n", f"| |\n| --- |\n| {escaped} |\n"):
        assert shown(PARSER.parse(page)).strip() == display.visible(raw).strip()


@settings(max_examples=60, deadline=None)
@given(hostile(), st.sampled_from(("zh", "en")))
def test_a_hostile_edition_is_inert(edition, language):
    page = markdown(edition, language)
    entry = edition.entries[0]
    tokens = list(flat(PARSER.parse(body(page))))
    html = [token.content.strip() for token in tokens if token.type in ("html_block", "html_inline")]
    assert html == [f'<a id="{entry.paper.id}">', "</a>"]
    assert not [
        token for token in tokens if token.type in ("image", "fence", "code_block", "s_open", "em_open")
    ]
    ours = {
        f"#{entry.paper.id}",
        entry.paper.url,
        f"https://huggingface.co/papers?date={edition.day}",
        PARSER.normalizeLink(display.link(entry.paper.code_url)),
        PARSER.normalizeLink(display.link(entry.paper.project_url)),
    }
    assert {token.attrs["href"] for token in tokens if token.type == "link_open"} <= ours
    headings = [token.tag for token in tokens if token.type == "heading_open"]
    assert headings == ["h1", "h2", "h2", "h3", "h3", "h3", "h3", "h3", "h3"]
    assert sum(token.type == "td_open" for token in tokens) == 3


@settings(max_examples=60, deadline=None)
@given(hostile())
def test_front_matter_holds_one_line_a_key(edition):
    lines = markdown(edition, "zh").split("\n---\n", 1)[0].splitlines()[1:]
    matter = dict(line.split(": ", 1) for line in lines)
    assert list(matter) == [
        "title",
        "date",
        "lang",
        "papers",
        "considered",
        "engine",
        "state",
        "revision",
        "updated",
    ]
    assert json.loads(matter["engine"]) == display.visible(edition.engine)
    assert matter["papers"] == "1"
