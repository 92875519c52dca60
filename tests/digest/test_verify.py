"""The verb: a foreign digest and an edition against the papers, with the real files where they are."""

import json
from pathlib import Path

import pytest

import sulan.digest
from sulan.digest.markdown import markdown
from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.reports.report import Report

PAPERS = {
    "2401.00001": (
        "Pebble: Small Models from Synthetic Lessons",
        "We ask how far small models go. We train Pebble-1.5, a 1.3 billion parameter model, on lessons written by "
        "other models. Pebble-1.5 is comparable to models 5x larger on common sense tasks.",
    ),
    "2401.00002": (
        "Babel-400: An Audited Corpus",
        "We introduce Babel-400, a 3T token corpus spanning 419 languages. A 10.7B-parameter model trained on 250 "
        "billion tokens translates over 450 languages. A language model with 8B parameters is assessed as well.",
    ),
    "2401.00003": (
        "FLAT: Fast Learning with Added Tuning",
        "In-context learning (ICL) needs no training. We propose FLAT, which performs better than ICL at scales from "
        "100-10,000 examples and needs only 3 and 4-bit weights, 400 steps and 30% of the data.",
    ),
}
DIGEST = """# 2024-01-03

## Pebble: Small Models from Synthetic Lessons

### 主要工作

提出1.3亿参数的模型Pebble-1.5，可与大5倍的模型相比。

### 主要亮点

- 首次证明小模型有用。

### 关键词

- Small models（小模型）

### 评分

- 实用性：4/5，容易部署。

[详情](https://huggingface.co/papers/2401.00001)

## Babel-400: An Audited  Corpus

### 主要工作

Babel-400语料库有3T词元、419种语言；10.7B参数的模型在2500亿词元上训练，可译450多种语言，另有8B参数的模型。

### 主要亮点

- 这为多语言研究的进一步发展铺平了

### 关键词

- Corpora（语料）

### 评分

- 实用性：4分。可以使用。

[详情](https://huggingface.co/papers/2401.00002)

## FLAT: Fast Learning with Added Tuning

**主要工作**

FLAT在100-10000个示例的规模上优于ICL，只需3和4位权重、400步和30%的数据。

**主要亮点**

- FLAT (Fast Learning Adder Tool) 在各种任务上都有良好的效果。

**关键词**

- Diffusion（扩散）

**评分**

- 实用性：4/5，可以使用。

[详情](https://huggingface.co/papers/2401.00003)
"""


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    records = [
        {"paper": {"id": each, "title": title, "summary": abstract, "authors": [{"name": "A. Author"}]}}
        for each, (title, abstract) in PAPERS.items()
    ]
    path = tmp_path / "papers.json"
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def _verify(text: str, papers: Path, *, notes: bool = False) -> Report:
    path = papers.with_name("digest.md")
    path.write_text(text, encoding="utf-8")
    return sulan.digest.verify(path, input=papers, notes=notes)


def _rows(report: Report, verdict: str) -> list[tuple[object, ...]]:
    return [row[2:7] for table in report.tables for row in table.rows if row[1] == verdict]


def test_one_wrong_number_among_many_right_ones(papers: Path) -> None:
    report = _verify(DIGEST, papers)
    assert report.summary["wrong numbers"] == 1
    assert report.summary["numbers supported"] == 13
    ((paper, line, piece, source, suggestion),) = _rows(report, "scale_error")
    assert (paper, line, piece, suggestion) == ("2401.00001", "7", "1.3亿", "13亿")
    assert str(source).startswith("[S2] We train Pebble-1.5, a 1.3 billion parameter model")
    assert report.exit_code == 1


def test_everything_else_that_is_wrong_is_found_on_its_line(papers: Path) -> None:
    report = _verify(DIGEST, papers)
    found = {(row[1], row[3]) for table in report.tables for row in table.rows}
    assert found == {
        ("scale_error", "7"),
        ("superlative", "11"),
        ("cut_text", "31"),
        ("keyword_absent", "35"),
        ("score_form", "39"),
        ("section_form", "43"),
        ("expansion_error", "51"),
        ("keyword_absent", "55"),
    }


def test_a_right_digest_ends_with_zero(papers: Path) -> None:
    right = (
        DIGEST.replace("1.3亿", "13亿")
        .replace("首次证明小模型有用", "小模型也有用")
        .replace("铺平了", "铺平了道路。")
    )
    right = right.replace("FLAT (Fast Learning Adder Tool) 在", "FLAT在").replace("Diffusion（扩散）", "ICL")
    right = right.replace("Corpora（语料）", "Audited Corpus（语料）")
    report = _verify(right, papers)
    assert (report.summary["errors"], report.exit_code) == (0, 0)
    assert "error" not in {row[0] for table in report.tables for row in table.rows}


def test_missing_and_unknown_papers(papers: Path) -> None:
    cut = (
        DIGEST[: DIGEST.index("## FLAT")]
        .replace("2401.00002", "2401.99999")
        .replace("Babel-400: An", "Rubble: No")
    )
    report = _verify(cut, papers)
    assert [row[0] for row in _rows(report, "unknown_paper")] == ["2401.99999"]
    assert [row[0] for row in _rows(report, "missing_paper")] == ["2401.00002", "2401.00003"]


def test_a_paper_without_a_link_is_known_by_its_title(papers: Path) -> None:
    report = _verify(DIGEST.replace("[详情](https://huggingface.co/papers/2401.00001)", ""), papers)
    assert not _rows(report, "unknown_paper")
    assert _rows(report, "scale_error")


def test_another_title_under_the_id_is_an_error(papers: Path) -> None:
    report = _verify(DIGEST.replace("## FLAT: Fast", "## FLOT: Fast"), papers)
    assert [row[0] for row in _rows(report, "title_mismatch")] == ["2401.00003"]


def test_notes_are_listed_on_request(papers: Path) -> None:
    assert not _rows(_verify(DIGEST, papers), "title_mismatch")
    assert _rows(_verify(DIGEST, papers, notes=True), "title_mismatch")


def _edition(tmp_path: Path, papers: Path) -> Path:
    sulan.digest.write("2024-01-03", input=papers, lang=("zh", "en"), offline=True, out=tmp_path / "edition")
    return tmp_path / "edition" / "edition.json"


def test_our_own_edition_in_every_form(tmp_path: Path, papers: Path) -> None:
    path = _edition(tmp_path, papers)
    pages = sorted(path.parent.glob("*.md"))
    assert len(pages) == 2
    for each in (path, *pages):
        report = sulan.digest.verify(each, input=papers)
        assert (report.summary["papers"], report.summary["errors"], report.exit_code) == (3, 0, 0), each
        assert report.summary["numbers supported"] == report.summary["numbers checked"] != 0


def test_an_edition_with_a_wrong_number_names_the_field(tmp_path: Path, papers: Path) -> None:
    from sulan.digest.edition import Edition

    path = _edition(tmp_path, papers)
    wrong = path.read_text(encoding="utf-8").replace("1.3 billion", "13 billion")
    path.write_text(wrong, encoding="utf-8")
    report = sulan.digest.verify(path, input=papers)
    assert report.exit_code == 1
    assert {row[1] for row in _rows(report, "scale_error")} >= {"zh.main_work", "en.main_work"}
    page = tmp_path / "page.md"
    page.write_text(markdown(Edition.model_validate_json(wrong), "zh"), encoding="utf-8")
    assert sulan.digest.verify(page, input=papers).summary["wrong numbers"] != 0


@pytest.mark.parametrize("changed", ["evidence", "text"])
def test_a_quote_that_is_none_is_checked_as_wording(tmp_path: Path, papers: Path, changed: str) -> None:
    path = _edition(tmp_path, papers)
    edition = json.loads(path.read_text(encoding="utf-8"))
    passage = edition["entries"][0]["summaries"]["en"]["main_work"]
    passage[changed] = [] if changed == "evidence" else passage["text"].replace("1.3 billion", "2.7 billion")
    path.write_text(json.dumps(edition), encoding="utf-8")
    report = sulan.digest.verify(path, input=papers)
    assert report.summary["wrong numbers"] == (changed == "text")


def test_bad_input_costs_one_clear_line(tmp_path: Path, papers: Path) -> None:
    with pytest.raises(MissingFile, match="no digest at"):
        sulan.digest.verify(tmp_path / "nothing.md", input=papers)
    with pytest.raises(InputError, match="no paper found"):
        _verify("# only a title\n", papers)
    with pytest.raises(InputError, match="not a text file"):
        sulan.digest.verify(tmp_path, input=papers)
    broken = tmp_path / "edition.json"
    broken.write_text("{}")
    with pytest.raises(BrokenArtefact, match="not an edition"):
        sulan.digest.verify(broken, input=papers)
    binary = tmp_path / "binary.md"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        sulan.digest.verify(binary, input=papers)


def test_the_issue_this_project_started_from(shared: Path) -> None:
    report = sulan.digest.verify(
        shared / "seed" / "digest-2023-09-12.zh.md",
        input=shared / "data" / "daily_papers_2023-09-12.json",
        notes=True,
    )
    ((paper, line, piece, source, suggestion),) = _rows(report, "scale_error")
    assert (paper, line, piece, suggestion) == ("2309.05463", "14", "1.3亿", "13亿")
    assert str(source).startswith("[S3] ")
    assert "create a new 1.3 billion parameter model" in str(source)
    assert report.summary["wrong numbers"] == 1
    assert (report.summary["numbers checked"], report.summary["numbers supported"]) == (21, 20)
    assert [(row[0], row[1]) for row in _rows(report, "cut_text")] == [
        ("2309.05519", "73"),
        ("2309.04564", "106"),
    ]
    forms = [row[0] for row in _rows(report, "section_form")]
    assert forms[:4] == ["2309.04564", "2309.04662", "2309.04663", "2309.04581"]
    reasons = [
        row[7] for table in report.tables for row in table.rows if row[1] in ("section_form", "score_form")
    ]
    assert any("main_work is headed in 5 ways" in str(reason) for reason in reasons)
    assert any("scores is headed in 3 ways" in str(reason) for reason in reasons)
    assert any("scores are written in 7 ways" in str(reason) for reason in reasons)
    assert [row[2] for row in _rows(report, "superlative")] == ["首创", "首次", "首次", "大部分"]
    assert [row[2] for row in _rows(report, "expansion_error")] == [
        "FIAT (Fusing Instruction-Accelerated Tuning"
    ]
    assert report.exit_code == 1
