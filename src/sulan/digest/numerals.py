"""Where numbers stand in a text and what they are worth, whatever their notation.

`scan` walks once over the text and yields numbers in digits, words and Chinese numerals, fractions and powers
of ten. It knows what only looks like a number: names (phi-1.5, T5, MADLAD-400), ordinals, dates, arXiv ids,
links, section and figure numbers, citations. Units and bounds are the work of `quantities`.

Every pattern is linear: no repetition stands inside another one that matches the same characters.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cn2an import cn2an
from text_to_num import text2num

MAX_NUMERAL = 30
"""Characters (Chinese) or digits of a numeral that is still read; longer ones are data, not claims."""

# One character for one character, so that offsets stay: full-width digits and signs, dashes, odd blanks.
PLAIN = str.maketrans(
    "０１２３４５６７８９％．＋～〜–‒‑−﹣－\u00a0\u202f\u2009\u3000",
    "0123456789%.+~~------" + " " * 4,
)

LETTER = r"A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u03ff"

_SMALL = (
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    "seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
)
_LARGE = "hundred|thousand|million|billion|trillion"
_PARTS = "third|quarter|fifth|sixth|seventh|eighth|ninth|tenth"
_PART_VALUES: dict[str, int] = dict(zip(_PARTS.split("|"), range(3, 11), strict=True))
_CHINESE = "零〇一二两三四五六七八九十百千万亿点"

# The first line spares every other character the walk through all alternatives.
_TOKEN = re.compile(
    rf"""
    (?= [0-9{LETTER}{_CHINESE}半过减翻加双] )
    (?: (?P<link> (?:https?://|www\.)[^\s\u3000-\uffef]+ )
  | (?P<date> (?<![\d.]) \d{{4}}[-/]\d{{1,2}}[-/]\d{{1,2}} (?!\d) )
  | (?P<id> (?<![\d.]) \d{{4}}\.\d{{4,5}} (?:v\d+)? (?![\w%.]) )
  | (?P<version> (?<![\d.]) \d+ (?:\.\d+){{2,}} )
  | (?P<power> (?: (?P<mantissa>\d{{1,9}}(?:\.\d{{1,9}})?) [ ]? (?:×|x|\*|\\times|\\cdot) [ ]? )?
        10 (?: \^ \{{? (?P<exponent>-?\d{{1,3}}) \}}? | (?P<raised>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]{{1,3}}) ) )
  | (?P<e> \d{{1,9}}(?:\.\d{{1,9}})? [eE] [-+]?\d{{1,3}} (?![\w]) )
  | (?P<sides> (?<![\d.]) \d{{1,5}} (?:[ ]?[x×][ ]?\d{{1,5}}){{1,3}} (?![\w%]) (?!\.\d) )
  | (?P<fraction> (?<![\d/.]) \d{{1,3}}/\d{{1,3}} (?![\d/{LETTER}-]) )
  | (?P<digits> \d{{1,3}}(?:,\d{{3}})+(?!\d)(?:\.\d+)? | \d{{1,3}}(?:[ ]\d{{3}})+(?![\d.,%]) | \d+(?:\.\d+)? )
  | (?<![{LETTER}0-9'’-])
    (?: (?P<part> (?:an?|one|two|three|four)[ -](?:{_PARTS})s? (?![{LETTER}]) )
      | (?P<magnitude> an?[ ]order[ ]of[ ]magnitude )
      | (?P<half> (?:half|halves|halved|halving) (?![{LETTER}]) (?![ -](?:precision|life)) )
      | (?P<multiple> (?:twice|twofold|doubl(?:e|es|ed|ing)|threefold|tripl(?:e|es|ed|ing)|fourfold|
            quadrupl(?:e|es|ed|ing)|fivefold|sixfold|eightfold|tenfold)
            (?![{LETTER}]) (?![ -](?:descent|blind|precision|counting|dipping)) )
      | (?P<words> (?:{_SMALL}|{_LARGE}) (?: (?: [ -] | (?<=[dn])[ ]and[ ] ) (?:{_SMALL}|{_LARGE}) ){{0,11}}
            (?![{LETTER}]) ) )
  | (?P<name> [{LETTER}][{LETTER}0-9]* (?: [-._/+&'’@][{LETTER}0-9]+ )* )
  | (?P<parts> (?P<denominator>[{_CHINESE}]{{1,12}}|\d{{1,6}}) 分之
        (?P<numerator>[{_CHINESE}]{{1,12}}|\d[\d.]{{0,9}}) )
  | (?P<chinese_half> 一半|半数|减半|过半 )
  | (?P<chinese_multiple> 翻倍|翻番|翻了一番|加倍|双倍 )
  | (?P<tenths> [一二三四五六七八九]成(?![为了就功员本果立型分]) )
  | (?P<chinese> [{_CHINESE}]+ )
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MULTIPLES = {"tw": 2, "do": 2, "th": 3, "tr": 3, "fo": 4, "qu": 4, "fi": 5, "si": 6, "ei": 8, "te": 10}
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_SIZE_IN_NAME = re.compile(r"(?<=[-_])(\d{1,4}(?:\.\d{1,2})?)([bBmM])(?=[-_]|$)")
_CHINESE_DIGIT = "[一二两三四五六七八九]"
_VAGUE = re.compile(rf"{_CHINESE_DIGIT}{{2}}|^[百千万亿点]")


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number at `text[start:end]`.

    `form` says how it is written: `digits` may be followed by a scale letter or word, `words` and `chinese`
    are complete, `percent`, `times` and `magnitude` carry their unit, `side` is one of 512x512, `size` stands
    inside a name.
    `step` is one unit in the last written place: 0.1 for 10.7.
    """

    start: int
    end: int
    value: float
    form: str
    step: float = 0.0


@dataclass(frozen=True, slots=True)
class Word:
    """A word or name at `text[start:end]`: what stands before a number decides whether it is one."""

    start: int
    end: int
    text: str


def scan(text: str) -> Iterator[Numeral | Word]:
    """Yield numbers and Latin words of `text` (already through `PLAIN`) in reading order.

    Examples
    --------
    >>> [(n.form, n.value) for n in scan("1,5 and two-thirds of 10^{-4}, 一百三十") if isinstance(n, Numeral)]
    [('digits', 1.0), ('digits', 5.0), ('percent', 66.66666666666667), ('digits', 0.0001), ('chinese', 130.0)]
    """
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        start, end = match.span()
        if kind == "digits":
            piece = match.group()
            if end - start <= MAX_NUMERAL:
                decimals = len(piece.partition(".")[2])
                value = float(piece.replace(",", "").replace(" ", ""))
                yield Numeral(start, end, value, "digits", 10.0**-decimals)
        elif kind == "sides":  # 512x512: a resolution, not a multiple
            for side in re.finditer(r"\d+", match.group()):
                yield Numeral(start + side.start(), start + side.end(), float(side.group()), "side", 1.0)
        elif kind == "name":
            yield Word(start, end, text[start : min(end, start + 80)])
            if end - start <= 80:
                yield from _sizes(match.group(), start)
        elif kind == "words":
            yield from _spoken(match.group(), start)
        elif kind == "chinese":
            yield from _chinese(text, start, end)
        elif kind in _READERS:
            form, value = _READERS[kind](match)
            if form:
                yield Numeral(start, end, value, form)


def _sizes(name: str, start: int) -> Iterator[Numeral]:
    # "LLaMA-2-7B" is a name and says 7B as well.
    for size in _SIZE_IN_NAME.finditer(name):
        factor = 1e9 if size.group(2) in "bB" else 1e6
        yield Numeral(start + size.start(), start + size.end(), float(size.group(1)) * factor, "size")


def _spoken(run: str, start: int) -> Iterator[Numeral]:
    value = _read_words(run.lower())
    if value is not None:
        yield Numeral(start, start + len(run), value, "words")
        return
    # "two three" is no number: read each word alone.
    for word in re.finditer(r"[A-Za-z]+", run):
        value = _read_words(word.group().lower())
        if value is not None:
            yield Numeral(start + word.start(), start + word.end(), value, "words")


@lru_cache(maxsize=1 << 14)
def _read_words(run: str) -> float | None:
    try:
        return float(text2num(run, "en"))
    except ValueError:
        return None


def _chinese(text: str, start: int, end: int) -> Iterator[Numeral]:
    run = text[start:end]
    if end - start > MAX_NUMERAL or text[max(0, start - 1) : start] in _VAGUE_BEFORE:
        return
    if _VAGUE.search(run) or run in "零〇点":
        return  # 两三 (two or three), 千亿 (hundreds of billions), 二〇二三 (a year)
    trimmed = run.rstrip("点")
    value = read_chinese(trimmed)
    if value is not None:
        yield Numeral(start, start + len(trimmed), value, "chinese")


_VAGUE_BEFORE = frozenset("第数几上成逐唯统同单初周星每十百千万亿多")


@lru_cache(maxsize=1 << 16)
def read_chinese(run: str) -> float | None:
    """Return the value of a Chinese numeral, or None where the characters make none.

    Examples
    --------
    >>> read_chinese("一百三十亿"), read_chinese("两千五百"), read_chinese("百万")
    (13000000000.0, 2500.0, None)
    """
    try:
        return float(cn2an(run, "smart"))
    except ValueError:
        return None


def _power(match: re.Match[str]) -> tuple[str, float]:
    exponent = match["exponent"] or match["raised"].translate(_RAISED)
    return "digits", float(f"{match['mantissa'] or 1}e{exponent}")


def _fraction(match: re.Match[str]) -> tuple[str, float]:
    above, _, below = match.group().partition("/")
    return ("percent", 100 * int(above) / int(below)) if int(below) else ("", 0.0)


def _part(match: re.Match[str]) -> tuple[str, float]:
    count, part = re.split(r"[ -]", match.group().lower())
    above = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4}[count]
    return "percent", 100 * above / _PART_VALUES[str(part).removesuffix("s")]


def _parts(match: re.Match[str]) -> tuple[str, float]:
    below, above = (_any(match[name]) for name in ("denominator", "numerator"))
    return ("percent", 100 * above / below) if above and below else ("", 0.0)


def _any(numeral: str) -> float | None:
    if numeral[0].isdigit():
        return float(numeral) if numeral.count(".") <= 1 else None
    return {"百": 100.0, "千": 1000.0, "万": 10000.0}.get(numeral) or read_chinese(numeral)


_READERS = {
    "power": _power,
    "e": lambda match: ("digits", float(match.group())),
    "fraction": _fraction,
    "part": _part,
    "parts": _parts,
    "magnitude": lambda match: ("magnitude", 1.0),
    "half": lambda match: ("percent", 50.0),
    "multiple": lambda match: ("times", float(_MULTIPLES[match.group().lower()[:2]])),
    "chinese_half": lambda match: ("percent", 50.0),
    "chinese_multiple": lambda match: ("times", 2.0),
    "tenths": lambda match: ("percent", 10.0 * (read_chinese(match.group()[0]) or 0.0)),
}
