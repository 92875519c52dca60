"""The words of a quantity: scales, units and comparators in English and Chinese, as tables.

A new unit is one line in `UNITS`. What is not here: currencies, chemical and physical units that abstracts on
machine learning do not use; a number with such a unit is still checked, as a number without one.
"""

from dataclasses import dataclass
from typing import Literal

Comparator = Literal["", "over", "under", "up_to", "only", "about"]
"""`over` includes "at least", `under` includes "within"; `only` is "as little as" and 仅."""

SCALES: dict[str, float] = {
    "k": 1e3,
    "m": 1e6,
    "b": 1e9,
    "t": 1e12,
    "bn": 1e9,
    "mn": 1e6,
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
    "十": 1e1,
    "百": 1e2,
    "千": 1e3,
    "万": 1e4,
    "十万": 1e5,
    "百万": 1e6,
    "千万": 1e7,
    "亿": 1e8,
    "十亿": 1e9,
    "百亿": 1e10,
    "千亿": 1e11,
    "万亿": 1e12,
}
"""Factor of a scale word, in lower case."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One unit: how it is written and how it compares.

    Attributes
    ----------
    english
        Singular forms in lower case; plurals in -s are understood.
    chinese
        Forms that follow the number, with or without a counting word before them.
    dimension, factor
        Units of one dimension compare after multiplication by `factor`: 24 hours are 1 day.
    kind
        `measure` stands directly after its number and contradicts every other unit; `noun` is what is
        counted, perhaps some words later; `thing` is a noun that translators exchange freely (task,
        benchmark, dataset).
    """

    english: tuple[str, ...] = ()
    chinese: tuple[str, ...] = ()
    dimension: str = ""
    factor: float = 1.0
    kind: Literal["measure", "noun", "thing"] = "noun"


UNITS: dict[str, Unit] = {
    "percent": Unit(english=("percent", "pct"), chinese=("％",), kind="measure"),
    "point": Unit(english=("point", "pp", "pt"), chinese=("个百分点", "百分点", "分"), kind="measure"),
    "times": Unit(english=("times", "x", "fold"), chinese=("倍",), kind="measure"),
    "bit": Unit(english=("bit",), chinese=("比特", "位"), kind="measure"),
    "step": Unit(english=("step", "iteration"), chinese=("步", "次迭代", "轮迭代", "迭代步"), kind="measure"),
    # 轮 is an epoch as well as a turn of a dialogue.
    "round": Unit(english=("epoch", "round", "turn"), chinese=("轮", "个周期"), kind="measure"),
    "millisecond": Unit(
        english=("ms", "millisecond"), chinese=("毫秒",), dimension="time", factor=1e-3, kind="measure"
    ),
    "second": Unit(english=("second", "sec", "s"), chinese=("秒钟", "秒"), dimension="time", kind="measure"),
    "minute": Unit(
        english=("minute", "min"), chinese=("分钟",), dimension="time", factor=60.0, kind="measure"
    ),
    "hour": Unit(
        english=("hour", "hr", "h"),
        chinese=("个小时", "小时"),
        dimension="time",
        factor=3600.0,
        kind="measure",
    ),
    "day": Unit(english=("day",), chinese=("天",), dimension="time", factor=86400.0, kind="measure"),
    "week": Unit(
        english=("week",), chinese=("星期", "周"), dimension="time", factor=604800.0, kind="measure"
    ),
    "month": Unit(english=("month",), chinese=("个月",), kind="measure"),
    "year": Unit(english=("year",), chinese=("年",), kind="measure"),
    "date": Unit(),
    "byte": Unit(english=("byte",), chinese=("字节",), kind="measure"),
    "kilobyte": Unit(english=("kb",), dimension="byte", factor=1e3, kind="measure"),
    "megabyte": Unit(english=("mb",), dimension="byte", factor=1e6, kind="measure"),
    "gigabyte": Unit(english=("gb", "gib"), dimension="byte", factor=1e9, kind="measure"),
    "terabyte": Unit(english=("tb",), dimension="byte", factor=1e12, kind="measure"),
    "hertz": Unit(english=("hz",), chinese=("赫兹",), kind="measure"),
    "token": Unit(english=("token",), chinese=("词元", "令牌", "标记")),
    "parameter": Unit(english=("parameter", "param"), chinese=("参数",)),
    "language": Unit(english=("language",), chinese=("语言", "语种")),
    "layer": Unit(english=("layer",), chinese=("层",)),
    "head": Unit(english=("head",), chinese=("注意力头",)),
    "gpu": Unit(
        english=("gpu", "accelerator", "card"), chinese=("显卡", "图形处理器", "加速卡", "块卡", "张卡")
    ),
    "word": Unit(english=("word",), chinese=("单词",)),
    "character": Unit(english=("character",), chinese=("字符",)),
    "sentence": Unit(english=("sentence",), chinese=("句子",), kind="thing"),
    "frame": Unit(english=("frame", "fps"), chinese=("帧",)),
    "pixel": Unit(english=("pixel",), chinese=("像素",)),
    "image": Unit(english=("image", "photo", "picture"), chinese=("图像", "图片", "照片")),
    "video": Unit(english=("video", "clip"), chinese=("视频",)),
    "example": Unit(
        english=("example", "sample", "instance", "demonstration", "datapoint", "exemplar", "record"),
        chinese=("示例", "样本", "样例", "实例", "例子", "数据点", "条数据", "演示"),
        kind="thing",
    ),
    "shot": Unit(english=("shot",), chinese=("样本提示",), kind="thing"),
    "question": Unit(english=("question", "problem"), chinese=("问题", "题目", "道题"), kind="thing"),
    "document": Unit(english=("document", "article", "page"), chinese=("文档", "网页", "文章"), kind="thing"),
    "person": Unit(
        english=("user", "participant", "annotator", "people", "person", "student", "expert"),
        chinese=("用户", "参与者", "标注者", "受试者", "学生", "专家"),
    ),
    "class": Unit(english=("class", "category", "categorie"), chinese=("类别", "类"), kind="thing"),
    "neuron": Unit(english=("neuron",), chinese=("神经元",)),
    "dimension": Unit(english=("dimension",), chinese=("维度",)),
    "conversation": Unit(english=("conversation", "dialogue", "dialog"), chinese=("对话",), kind="thing"),
    "task": Unit(english=("task",), chinese=("任务",), kind="thing"),
    "dataset": Unit(english=("dataset", "corpora", "corpu"), chinese=("数据集", "语料库"), kind="thing"),
    "benchmark": Unit(english=("benchmark", "test", "evaluation"), chinese=("基准",), kind="thing"),
    "model": Unit(english=("model", "llm", "network"), chinese=("语言模型", "模型", "网络"), kind="thing"),
    "method": Unit(
        english=("method", "approach", "approache", "technique", "baseline", "strategy", "strategie"),
        chinese=("方法", "基线", "策略", "技术"),
        kind="thing",
    ),
    "domain": Unit(english=("domain", "field", "scenario"), chinese=("领域", "场景"), kind="thing"),
    "stage": Unit(english=("stage", "phase"), chinese=("阶段",), kind="thing"),
    "modality": Unit(english=("modality", "modalitie"), chinese=("模态",), kind="thing"),
    "environment": Unit(english=("environment", "game"), chinese=("环境", "游戏"), kind="thing"),
    "contribution": Unit(
        english=("component", "module", "contribution"), chinese=("组件", "模块", "贡献"), kind="thing"
    ),
}
"""Every unit by name."""

# A scale word or a letter that ends a number ("8B", "1.3 billion") before "model" counts parameters.
PARAMETER_LIKE = 1e6

MEASURES = frozenset(name for name, unit in UNITS.items() if unit.kind == "measure")
THINGS = frozenset(name for name, unit in UNITS.items() if unit.kind == "thing")
SAME_DIMENSION = {name: unit.dimension or name for name, unit in UNITS.items()}


def _plurals() -> dict[str, str]:
    words = {word: name for name, unit in UNITS.items() for word in unit.english}
    return {form: name for word, name in words.items() for form in (word, word + "s")}


ENGLISH_UNITS: dict[str, str] = _plurals()
"""Name of the unit by English word, singular and plural, in lower case."""

CHINESE_UNITS: dict[str, str] = {word: name for name, unit in UNITS.items() for word in unit.chinese}
"""Name of the unit by Chinese word."""

CLASSIFIERS = "个种项门张块篇条名款类组套次份幅段例颗台句道本座处对帧"
"""Counting words that stand between a Chinese number and its noun."""

COMPARATORS_BEFORE: dict[Comparator, tuple[str, ...]] = {
    "over": (
        *("more than", "over", "above", "exceeding", "exceeds", "greater than", "at least", "no less than"),
        *("no fewer than", "upwards of", "beyond", "in excess of", "surpassing", ">", "≥", r"\geq", r"\gt"),
        *(
            "larger than",
            "higher than",
            "不少于",
            "不低于",
            "不小于",
            "超过",
            "超过了",
            "超",
            "大于",
            "高于",
            "多于",
        ),
        *("逾", "至少", "至少为", "突破", "超出"),
    ),
    "under": (
        *("less than", "under", "below", "fewer than", "within", "smaller than", "lower than", "not even"),
        *("<", r"\lt", "不到", "不足", "少于", "小于", "低于", "未达", "不满"),
    ),
    "up_to": (
        *("up to", "at most", "no more than", "not more than", "as many as", "a maximum of", "≤", r"\leq"),
        *("至多", "最多", "不超过"),
    ),
    "only": (
        *("as little as", "as few as", "only", "just", "merely", "a mere", "as low as"),
        *(
            "仅",
            "仅仅",
            "只需",
            "仅需",
            "只用",
            "仅用",
            "仅使用",
            "只使用",
            "短短",
            "低至",
            "只有",
            "仅有",
            "只",
        ),
    ),
    "about": (
        *("about", "around", "approximately", "roughly", "nearly", "almost", "close to", "some", "circa"),
        *("~", "≈", r"\sim", r"\approx", "约", "大约", "约为", "近", "接近", "将近", "大概", "约占"),
    ),
}
"""Words directly before a number. `up to` against `more than` is a contradiction, `only` against none is not.

高达 and "as high as" are absent on purpose: they say that a number is large, not that it is a bound."""

COMPARATORS_AFTER: dict[Comparator, tuple[str, ...]] = {
    "over": ("以上", "之上", "多", "余", "+", "or more", "and above"),
    "under": ("以内", "之内", "以下", "内", "or less", "or fewer"),
    "about": ("左右", "上下"),
}
"""Words directly after a number and its unit."""
