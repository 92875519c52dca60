"""Verdicts on single statements: what is said, about which words, with which suggestion."""

from typing import Literal

import pytest

from sulan.digest import checks, naming, wording
from sulan.digest.facts import Facts
from sulan.digest.finding import errors

FACTS = Facts.read(
    "BLEND: Fusing two paradigms with Tuned Acts",
    "In-context learning (ICL) and fine-tuning each have limits. We propose BLEND, which trains a 1.3 billion "
    "parameter model on over 450 languages within 400 steps. BLEND outperforms ICL by 3.5% and reduces memory by "
    "40%. More than 70% of the layers are kept. Code is at https://example.org/blend soon.",
)


def found(text: str, language: Literal["zh", "en"] = "zh") -> list[tuple[str, str, str, int | None]]:
    return [
        (finding.verdict, finding.piece, finding.suggestion, finding.sentence)
        for finding in checks.check(text, FACTS, language=language)
        if finding.severity in ("error", "warning")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BLEND训练了13亿参数的模型。", []),
        ("BLEND训练了1.3亿参数的模型。", [("scale_error", "1.3亿", "13亿", 2)]),
        ("BLEND训练了1.3百万参数的模型。", [("scale_error", "1.3百万", "13亿", 2)]),
        ("BLEND训练了17亿参数的模型。", [("unsupported", "17亿", "13亿", 2)]),
        ("BLEND训练了13亿词元的模型。", [("unit_error", "13亿", "13亿参数", 2)]),
        ("BLEND在4000步内完成训练。", [("scale_error", "4000步", "400步", 2)]),
        ("BLEND在400位内完成训练。", [("unit_error", "400位", "400步", 2)]),
        ("BLEND覆盖超过450种语言。", []),
        ("BLEND覆盖450种语言。", []),
        ("BLEND覆盖不到450种语言。", [("direction_error", "450", "", 2)]),
        ("BLEND保留了70%以上的层。", []),
        ("BLEND保留了至多70%的层。", [("direction_error", "70%", "", 4)]),
        ("BLEND比ICL高出3.5%，显存降低40%。", []),
        ("BLEND优于ICL，显存提升40%。", [("direction_error", "提升", "", 3)]),
        ("BLEND劣于ICL。", [("direction_error", "劣于", "", 3)]),
        ("ICL优于BLEND。", [("direction_error", "优于", "", 3)]),
        ("ICL不如BLEND。", []),
        ("BLAND优于ICL。", [("altered_name", "BLAND", "BLEND", 0)]),
        ("本文首次提出BLEND。", [("superlative", "首次", "", None)]),
        ("首先，本文提出BLEND。", []),
        ("代码见https://example.org/blend。", []),
        ("代码见https://example.org/other。", [("unknown_url", "https://example.org/other", "", None)]),
        ("BLEND的优点是内存更少，为后续研究铺平了", [("cut_text", "存更少，为后续研究铺平了", "", None)]),
    ],
)  # fmt: skip
def test_chinese(text: str, expected: list[tuple[str, str, str, int | None]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BLEND has 1.3 billion parameters.", []),
        ("BLEND has 1.3 million parameters.", [("scale_error", "1.3 million", "1.3 billion", 2)]),
        ("BLEND has 13B parameters.", [("scale_error", "13B", "1.3B", 2)]),
        ("It takes at most 400 steps.", []),
        ("It takes at least 400 steps.", [("direction_error", "400 steps", "", 2)]),
        ("BLEND underperforms ICL by 3.5%.", [("direction_error", "underperforms", "", 3)] * 2),
        ("BLEND cuts memory by 40%.", []),
        ("BLEND raises memory by 40%.", [("direction_error", "raises", "", 3)]),
        ("BLEND is the first system of its kind.", [("superlative", "the first system", "", None)]),
        ("BLEND (Better Learning Ends) wins.", [("expansion_error", "BLEND (Better Learning Ends", "BLEND", None)]),
    ],
)  # fmt: skip
def test_english(text: str, expected: list[tuple[str, str, str, int | None]]) -> None:
    assert sorted(set(found(text, "en"))) == sorted(set(expected))


def test_a_small_count_is_wrong_only_where_the_source_counts_otherwise() -> None:
    facts = Facts.read("", "We test on five benchmarks: A, B, C, D and E. Two ideas matter.")
    said = {text: _worst(text, facts) for text in ("在五个基准上。", "在三个基准上。", "有三种思路。")}
    assert said == {"在五个基准上。": "pass", "在三个基准上。": "error", "有三种思路。": "note"}


def test_rounding_is_not_wrong_but_invented_precision_is() -> None:
    facts = Facts.read("", "It has 10.7B parameters and reaches 86.9%.")
    texts = ("约110亿参数。", "11B参数。", "87%。", "10.73B参数。", "86.92%。", "约90亿参数。")
    assert [_worst(text, facts) for text in texts] == ["pass", "pass", "pass", "error", "error", "error"]


def _worst(text: str, facts: Facts) -> str:
    found = {finding.severity for finding in checks.check(text, facts, language="zh")}
    return next(severity for severity in ("error", "warning", "note", "pass") if severity in found)


def test_numbers_of_the_cited_sentence_that_are_left_out_are_noted() -> None:
    findings = checks.check("BLEND优于ICL。", FACTS, language="zh", evidence=(3,))
    assert [(f.piece, f.sentence) for f in findings if f.verdict == "omitted"] == [("3.5%", 3), ("40%", 3)]


def test_a_finding_quotes_the_sentence_that_shares_its_names() -> None:
    facts = Facts.read("", "BigA has 1.3 billion parameters. We release SmallB with 1.3 billion parameters.")
    finding = errors(checks.check("SmallB有1.3亿参数。", facts, language="zh"))[0]
    assert (finding.sentence, finding.quote) == (2, "We release SmallB with 1.3 billion parameters.")
    assert str(finding) == "scale_error: '1.3亿': 0.1 times the source's '1.3 billion' [S2]; write '13亿'"


def test_offsets_are_those_of_the_text() -> None:
    text = "首先，BLAND用1.3亿参数首次劣于ICL，见https://a.org/b，铺平了"
    for finding in checks.check(text, FACTS, language="zh"):
        assert text[finding.start : finding.end] == finding.piece


@pytest.mark.parametrize(
    ("term", "translation", "verdicts"),
    [
        ("In-Context Learning", "上下文学习", []),
        ("Parameter Models", "参数模型", []),
        ("BLEND (Better Learning Ends)", "混合", ["expansion_error"]),
        ("Diffusion Decoder", "扩散解码器", ["keyword_absent"]),
        ("Memory Layers", "内存层", ["keyword_absent"]),
    ],
)
def test_keywords(term: str, translation: str, verdicts: list[str]) -> None:
    assert [finding.verdict for finding in naming.keyword(term, translation, FACTS)] == verdicts


def test_language() -> None:
    english = "We propose a method that tunes all of the layers."
    chinese = "本文提出一种方法，可以微调所有的层。"
    mixed = "FIAT在ICL与LLM上优于PEFT和LoRA，代码已在GitHub开源。"
    verdicts = [
        [f.verdict for f in wording.language(text, wanted)]
        for text, wanted in (
            (english, "en"),
            (chinese, "zh"),
            (mixed, "zh"),
            (english, "zh"),
            (chinese, "en"),
        )
    ]
    assert verdicts == [[], [], [], ["wrong_language"], ["wrong_language"]]


@pytest.mark.parametrize(
    "text", ["结束了。", "「结束了。」", "It ends.", 'He said "it ends."', "**It ends.**", "结束了！）"]
)
def test_whole(text: str) -> None:
    assert wording.cut(text) == ()


@pytest.mark.parametrize(
    "text", ["为研究铺平了", "模型的发展具", "首先，", "It ends with the", "还有……", "and so on..."]
)
def test_cut(text: str) -> None:
    assert [finding.verdict for finding in wording.cut(text)] == ["cut_text"]


def test_copying_is_reported_for_wording_only() -> None:
    copy = FACTS.abstract.partition("BLEND outperforms")[0]
    assert "copied" in {f.verdict for f in checks.check(copy, FACTS, language="en")}
    assert "copied" not in {f.verdict for f in checks.check(copy, FACTS, language="en", worded=False)}
