"""Notations one by one, and round trips: a value written in many ways is read as the same value."""

from typing import Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sulan.digest import notation, quantities
from sulan.digest.quantities import find
from sulan.digest.units import SCALES, UNITS


def _said(text: str, language: Literal["zh", "en"]) -> list[tuple[float, str, str]]:
    return [(_close(found.value), found.unit, found.comparator) for found in find(text, language)]


def _close(value: float) -> float:
    return float(f"{value:.9g}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 10 million parameter model", [(1e7, "parameter", "")]),
        ("ranging from 125m to 66b parameters", [(1.25e8, "parameter", ""), (6.6e10, "parameter", "")]),
        ("more than 70% of neurons", [(70, "percent", "over")]),
        ("as little as 30\\% of the data", [(30, "percent", "only")]),
        ("3 and 4-bit weights", [(3, "bit", ""), (4, "bit", "")]),
        ("3-, 4- and 8-bit weights", [(3, "bit", ""), (4, "bit", ""), (8, "bit", "")]),
        ("within 400 steps", [(400, "step", "under")]),
        ("100-10,000 training examples", [(100, "example", ""), (10000, "example", "")]),
        ("100–10000 examples", [(100, "example", ""), (10000, "example", "")]),
        ("1 to 3 billion tokens", [(1e9, "token", ""), (3e9, "token", "")]),
        ("from 100 to 1 million users", [(100, "person", ""), (1e6, "person", "")]),
        ("1 000 000 images and 10\u202f000 videos", [(1e6, "image", ""), (1e4, "video", "")]),
        ("a rate of 1e-4, or $10^{-4}$, or 3×10^5", [(1e-4, "", ""), (1e-4, "", ""), (3e5, "", "")]),
        ("two hundred and fifty billion tokens", [(2.5e11, "token", "")]),
        (
            "three times faster, tenfold, 5x, $2.5\\times$",
            [(3, "times", ""), (10, "times", ""), (5, "times", ""), (2.5, "times", "")]),
        ("two orders of magnitude", [(100, "times", "")]),
        ("an order of magnitude", [(10, "times", "")]),
        ("two thirds, 1/4, half", [(200 / 3, "percent", ""), (25, "percent", ""), (50, "percent", "")]),
        ("1.9 percentage points", [(1.9, "point", "")]),
        ("24 hours on at least 8 GPUs", [(86400, "hour", ""), (8, "gpu", "over")]),
        ("16 GB of memory", [(16e9, "gigabyte", "")]),
        ("5 large language models, 8 language tasks", [(5, "model", ""), (8, "task", "")]),
        ("in 2023", [(2023, "date", "")]),
        ("2048 tokens", [(2048, "token", "")]),
        ("LLaMA-2-7B", [(7e9, "parameter", "")]),
        ("512x512 pixels", [(512, "", ""), (512, "", "")]),
    ],
)  # fmt: skip
def test_english(text: str, expected: list[tuple[float, str, str]]) -> None:
    assert _said(text, "en") == [(_close(value), *rest) for value, *rest in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.3亿参数", [(1.3e8, "parameter", "")]),
        ("一百三十亿参数", [(1.3e10, "parameter", "")]),
        ("１．３亿参数", [(1.3e8, "parameter", "")]),
        ("在2500亿token上", [(2.5e11, "token", "")]),
        ("3T token单语数据集", [(3e12, "token", "")]),
        ("1亿3000万词元", [(1.3e8, "token", "")]),
        ("1.5万亿词元", [(1.5e12, "token", "")]),
        ("450多种语言", [(450, "language", "over")]),
        ("在超过450种语言上", [(450, "language", "over")]),
        ("不超过450种语言", [(450, "language", "up_to")]),
        ("在400步内", [(400, "step", "under")]),
        ("短短400步", [(400, "step", "only")]),
        ("3和4位的权重", [(3, "bit", ""), (4, "bit", "")]),
        ("100-10000示例", [(100, "example", ""), (10000, "example", "")]),
        ("3到5倍", [(3, "times", ""), (5, "times", "")]),
        ("大五倍的模型", [(5, "times", "")]),
        ("多出一倍", [(2, "times", "")]),
        ("一个数量级", [(10, "times", "")]),
        ("三分之一和百分之三十", [(100 / 3, "percent", ""), (30, "percent", "")]),
        ("七成以上", [(70, "percent", "over")]),
        ("提高3.2个百分点", [(3.2, "point", "")]),
        ("8张GPU训练36小时", [(8, "gpu", ""), (36 * 3600, "hour", "")]),
        ("约200毫秒", [(0.2, "millisecond", "about")]),
        ("8个多语言任务", [(8, "task", "")]),
        ("至少提升4.5倍", [(4.5, "times", "over")]),
        ("2023年发布", [(2023, "date", "")]),
        ("8B参数的语言模型", [(8e9, "parameter", "")]),
    ],
)  # fmt: skip
def test_chinese(text: str, expected: list[tuple[float, str, str]]) -> None:
    assert _said(text, "zh") == [(_close(value), *rest) for value, *rest in expected]


@pytest.mark.parametrize(
    "text",
    [
        "phi-1.5 and GPT-4 and MADLAD-400 and T5 on V100 with F1",
        "arXiv 2309.05463, 2023-09-12, https://x.org/2024/17?p=3",
        "see Figure 3, Table 2, Section 4.1 and Eq. 5",
        "We use Llama 2 and Stable Diffusion 1.5 in 3D, top-1, 1st, 2nd",
        "hundreds of models, thousands of GPUs, one of them",
        "half-precision, double descent, a first step",
        "数百种语言，千亿级模型，上万条数据，几十个任务",
        "第一，第3步，首先，图2，表1，9月12日",
        "进一步一步一步思考，统一的一种方法，唯一，十分高效",
        "二值化、二进制、三维、四元数",
    ],
)
def test_no_quantity(text: str) -> None:
    assert find(text, "zh" if "，" in text or "、" in text else "en") == ()


def test_offsets_are_those_of_the_text() -> None:
    text = "使用 ＧＰＴ，在 2500 亿 token 上训练了 10.7B 参数，只用 30％ 的数据。"
    assert [text[q.start : q.end] for q in find(text, "zh")] == [q.text for q in find(text, "zh")]
    assert [q.text for q in find(text, "zh")] == ["2500 亿", "10.7B", "30％"]


_MANTISSA = st.integers(1, 9999).map(lambda number: number / 10)


@given(_MANTISSA, st.sampled_from(["k", "M", "B", "T", " thousand", " million", " billion", " trillion"]))
def test_round_trip_english(mantissa: float, scale: str) -> None:
    found = find(f"It has {mantissa:g}{scale} tokens.")
    assert [(q.value, q.unit) for q in found] == [
        (pytest.approx(mantissa * SCALES[scale.strip().lower()]), "token")
    ]


@given(_MANTISSA, st.sampled_from(["", "万", "百万", "千万", "亿", "十亿", "百亿", "万亿"]), st.booleans())
def test_round_trip_chinese(mantissa: float, scale: str, wide: bool) -> None:
    number = f"{mantissa:g}{scale}"
    if wide:
        number = number.translate(str.maketrans("0123456789.", "０１２３４５６７８９．"))
    found = find(f"共有{number}词元。", "zh")
    assert [(q.value, q.unit) for q in found] == [(pytest.approx(mantissa * SCALES.get(scale, 1)), "token")]


@given(st.integers(13, 99_999_999))
def test_round_trip_chinese_numerals(number: int) -> None:
    from cn2an import an2cn

    assert [q.value for q in find(f"共有{an2cn(number)}种语言。", "zh")] == [number]


@given(st.integers(13, 999_999_999))
def test_round_trip_thousands_separators(number: int) -> None:
    assert [q.value for q in find(f"It covers {number:,} languages.")] == [number]


@given(st.sampled_from(sorted(UNITS)), st.integers(13, 899))
def test_every_unit_is_read_in_both_languages(unit: str, number: int) -> None:
    described = UNITS[unit]
    for word in described.english[:1]:
        gap = "" if len(word) == 1 else " "
        found = find(f"It takes {number}{gap}{word}.")
        assert [(q.value, q.unit) for q in found] == [(pytest.approx(number * described.factor), unit)]
    for word in described.chinese[:1]:
        found = find(f"需要{number}{word}。", "zh")
        assert [(q.value, q.unit) for q in found] == [(pytest.approx(number * described.factor), unit)]


@given(_MANTISSA, st.sampled_from(["K", "M", "B", "T", "million", "billion", "万", "亿", "万亿", ""]))
def test_rewriting_says_the_value(value: float, scale: str) -> None:
    canonical = value * 1e8
    text = notation.write(canonical, scale=scale)
    assume(len(text) < quantities.MAX_TEXT)
    found = find(f"共{text}参数", "zh") if not scale.isascii() else find(f"It has {text} parameters.")
    assert [q.value for q in found] == [pytest.approx(canonical)]
