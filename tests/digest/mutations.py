"""Ways to make a correct summary wrong, each on the text alone and knowing nothing of the verifier."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from digest.pairs import PAIRS, Pair

_NUMBER = re.compile(r"(?<![A-Za-z0-9.,/×^-])(?<![A-Za-z]-)\d[\d,]*(?:\.\d+)?(?![\d×])(?!x\d)(?!e-)")
_UNITS = (
    ("%", "倍", "zh"), ("%", "x", "en"), ("倍", "%", "zh"), ("步", "位", "zh"),
    ("位", "步", "zh"),
    ("词元", "参数", "zh"), ("参数", "词元", "zh"),
    ("种语言", "层", "zh"), ("个百分点", "倍", "zh"), ("小时", "天", "zh"),
    ("毫秒", "秒", "zh"), ("层", "种语言", "zh"), ("steps", "bits", "en"), ("bits", "steps", "en"),
    ("tokens", "languages", "en"), ("ms", "hours", "en"), ("languages", "layers", "en"), ("GB", "TB", "en"),
    ("days", "hours", "en"), ("parameters", "tokens", "en"), ("times", "percent", "en"),
)  # fmt: skip
_SCALES = (
    ("亿", "万", "zh"), ("亿", "万亿", "zh"), ("万", "亿", "zh"), ("千", "万", "zh"), ("million", "billion", "en"),
    ("billion", "million", "en"), ("trillion", "billion", "en"), ("B", "M", "*"), ("M", "B", "*"), ("T", "B", "*"),
    ("m", "b", "*"), ("b", "m", "*"), ("k", "M", "*"),
)  # fmt: skip
_DIRECTIONS = (
    ("超过", "不到"), ("不到", "超过"), ("不足", "超过"), ("至少", "至多"), ("最多", "至少"),
    ("多种语言", "种语言以下"),
   
    ("优于", "劣于"), ("提升", "降低"), ("提高", "下降"), ("降低", "提升"), ("缩短", "延长"), ("仅用", "超过"),
    ("more than", "less than"), ("less than", "more than"), ("no more than", "at least"), ("up to", "at least"),
    ("outperforms", "underperforms"), ("surpasses", "underperforms"), ("beats", "trails"),
    ("speeds up", "slows down"), ("faster", "slower"), ("drops", "rises"), ("raises", "lowers"), ("cuts", "raises"),
)  # fmt: skip
_NAMES = re.compile(
    r"Karst-1\.3|Polyglint|Mosslake|RoundWise|BLEND|QuietBits|DriftNet|ImageNet-1k|Halyard|TideTune|OrbitLM|GSM8K|"
    r"GPT-3\.5|SketchBench|LoomKV|PaintVox|A100|MistralGate|RiverT|HarborRAG|BM25|PearlRank|Guanlan|SparrowMoE|"
    r"Tern-70B|GPT-4|VesperTune|BrookASR|Ochre|MMLU|ChatGPT|Larkspur|SWE-bench|TriFold|CinderNet|ResNet-50|"
    r"Chinchilla-70B|Windrow|MiniShard|EchoFlow|LLaMA-13B|GraniteVL|Lodestar"
)


@dataclass(frozen=True)
class Mutant:
    kind: str
    text: str
    pair: Pair


def mutants() -> Iterator[Mutant]:
    """Every mutation of every summary that changes it."""
    for pair in PAIRS:
        for kind, text in _mutations(pair):
            if text != pair.summary:
                yield Mutant(kind, text, pair)


def _mutations(pair: Pair) -> Iterator[tuple[str, str]]:
    text = pair.summary
    for match in _NUMBER.finditer(text):
        value = float(match.group().replace(",", ""))
        for factor in (10, 100, 1000, 0.1, 0.01, 0.001):
            yield f"number x {factor:g}", _put(text, match, _plain(value * factor))
        for place in (0, -1):
            yield "one digit", _put(text, match, _other_digit(match.group(), place))
    for old, new, language in _UNITS:
        if language == pair.language:
            for match in re.finditer(rf"(?<=[\d %]){re.escape(old)}(?![a-z])", text):
                yield "unit", _put(text, match, new)
    for old, new, language in _SCALES:
        if language in (pair.language, "*"):
            for match in re.finditer(rf"(?<=[\d]){old}(?![A-Za-z亿])|(?<=\d ){old}(?= )", text):
                yield "scale", _put(text, match, new)
    for old, new in _DIRECTIONS:
        for match in re.finditer(re.escape(old), text):
            yield "direction", _put(text, match, new)
    for match in _NAMES.finditer(text):
        name = match.group()
        middle = max(1, len(name) // 2)
        swapped = name[: middle - 1] + name[middle] + name[middle - 1] + name[middle + 1 :]
        yield "name: letters swapped", _put(text, match, swapped)
        if any(c.isdigit() for c in name):
            yield "name: another number", _put(text, match, re.sub(r"\d", _next, name, count=1))
        else:
            yield "name: a letter replaced", _put(text, match, name[:-2] + "q" + name[-1])


def _put(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


def _plain(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _next(match: re.Match[str]) -> str:
    return str(int(match.group()) % 9 + 1)


def _other_digit(number: str, place: int) -> str:
    places = [i for i, c in enumerate(number) if c.isdigit()]
    i = places[place]
    return number[:i] + str(int(number[i]) % 9 + 1) + number[i + 1 :]
