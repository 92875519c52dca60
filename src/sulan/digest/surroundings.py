"""What stands around a number: its unit, its bound, and what makes it no number at all.

Every function looks at a bounded piece of text beside the number, so the cost per number is constant.
"""

import re

from sulan.digest.numerals import LETTER, Numeral, Word
from sulan.digest.units import (
    CHINESE_UNITS,
    CLASSIFIERS,
    COMPARATORS_AFTER,
    COMPARATORS_BEFORE,
    ENGLISH_UNITS,
    MEASURES,
    Comparator,
)

_SYMBOL = re.compile(r"[ ]?\$?[ ]?(?:(\\?%)|(?:×|[xX](?![A-Za-z0-9])|\\times(?![A-Za-z])|倍)(?![ ]?\d))")
_ATTACHED = re.compile(rf"[{LETTER}]+")
_ENGLISH_TAIL = re.compile(r"[ -]?[A-Za-z]+(?:[ -][A-Za-z]+){0,3}")
_ENGLISH_WORD = re.compile(r"[A-Za-z]+")
_CHINESE_TAIL = re.compile(r"[ ]?([^\s，。、；：！？（）()\d]{0,10})")
_CHINESE_UNIT = re.compile("|".join(sorted(map(re.escape, CHINESE_UNITS), key=len, reverse=True)))
_NOT_A_UNIT = re.compile(
    r"位[于置数者]|分[钟之别析布类为支配]|步[骤长]|层[面次级]|周[围期]"
    r"|轮廓|天然|类[似型]"
)
_MULTILINGUAL = re.compile(r"[多跨]语|.?语言(?:任务|数据|基准|理解|处理|建模|对)")
_STOP_WORDS = frozenset(
    [
        *(
            "of",
            "in",
            "on",
            "to",
            "for",
            "with",
            "and",
            "or",
            "than",
            "that",
            "from",
            "by",
            "is",
            "are",
            "was",
        ),
        *(
            "at",
            "over",
            "per",
            "using",
            "while",
            "when",
            "as",
            "via",
            "into",
            "the",
            "a",
            "an",
            "larger",
            "but",
        ),
        *(
            "smaller",
            "faster",
            "slower",
            "more",
            "less",
            "fewer",
            "better",
            "worse",
            "across",
            "which",
            "were",
        ),
    ]
)
_QUALIFIES_POINT = frozenset(["percentage", "absolute", "percent", "accuracy", "bleu", "rouge"])
_REFERENCE = re.compile(
    r"fig|figs|figure|figures|table|tables|section|sections|sec|equation|eq|eqs|algorithm|appendix|chapter|"
    r"theorem|lemma|version|no|top|rank",
    re.IGNORECASE,
)
_NUMBERED_THING = frozenset(["Layer", "Level", "Stage", "Phase", "Step", "Part", "Line"])
_METRICS = frozenset(
    [
        *(
            "BLEU",
            "ROUGE",
            "METEOR",
            "F1",
            "FID",
            "PSNR",
            "SSIM",
            "LPIPS",
            "WER",
            "CER",
            "AUC",
            "AUROC",
            "mAP",
        ),
        *("AP", "IoU", "mIoU", "MMLU", "GPQA", "HumanEval", "MBPP", "CLIP", "COMET", "BERTScore", "MOS"),
    ]
)
"""Names before which a number is a result and not a version: "BLEU 28.4" against "Llama 2"."""
_CHINESE_REFERENCE = re.compile(r"(?:第|图|表|附录|版本|公元)[ ]?$")
_BEFORE_YEAR = frozenset(
    ["in", "since", "by", "until", "from", "year", "before", "after", "during", "early", "late", "of"]
)
_MONTH = re.compile(r"[ ]?[月日号]")


_BOUND_BEFORE: dict[str, Comparator] = {w: name for name, ws in COMPARATORS_BEFORE.items() for w in ws}
_BOUND_AFTER: dict[str, Comparator] = {w: name for name, ws in COMPARATORS_AFTER.items() for w in ws}
# Longest first, so that 不超过 is not read as 超过.
_LENGTHS_BEFORE = sorted({len(word) for word in _BOUND_BEFORE}, reverse=True)
_LENGTHS_AFTER = sorted({len(word) for word in _BOUND_AFTER}, reverse=True)
# 最多提升4.5倍, 超过原始数据的30%: a verb or a whole may stand between the bound and the number.
_BETWEEN_BOUND = re.compile(
    r"(?:(?<=最多)|(?<=至多)|(?<=至少)|(?<=超过)|(?<=不到)|(?<=不足))"
    r"(?:提升|提高|增加|增长|降低|减少|下降|缩短|加速|可?达|[^\s，。、；：的\d]{1,8}的)$"
)
_ARTICLE = re.compile(r"(?<![A-Za-z])(?:an?|the)[ ]$")


def is_ordinal(plain: str, start: int, end: int) -> bool:
    """Return whether a Chinese ordinal (第3步) or an adverb (十分) stands at `start`."""
    return plain[max(0, start - 2) : start].rstrip()[-1:] == "第" or plain[start : end + 1] == "十分"


def is_year(plain: str, item: Numeral, word: Word | None, unit: str) -> bool:
    """Return whether four digits are a year: 2023年, "in 2023", "September 2023" (parameters as below)."""
    start, end = item.start, item.end
    if end - start != 4 or plain[start : start + 2] not in ("19", "20") or unit not in ("", "year"):
        return False
    if plain[end : end + 2].lstrip()[:1] == "年" or plain[max(0, start - 1) : start] in ("(", "（"):
        return True
    previous = word.text if word is not None and plain[word.end : start] == " " else ""
    return previous.lower() in _BEFORE_YEAR or previous[:1].isupper()


def only_looks_like(plain: str, item: Numeral, word: Word | None, unit: str) -> bool:
    """Return whether digits without scale or measure are a date, reference, citation or version.

    Parameters
    ----------
    plain
        The whole text, through `numerals.PLAIN`.
    item
        The number in question.
    word
        The Latin word before it, wherever that is.
    unit
        What `unit_after` found.
    """
    start, end = item.start, item.end
    before = plain[max(0, start - 6) : start]
    if before[-1:] in ("@", "#", "[", "_", "^") or before[-2:] in ("^{", "_{"):
        return True
    if _MONTH.match(plain, end) or _CHINESE_REFERENCE.search(before):
        return True
    follows = word is not None and plain[word.end : start] in (" ", ". ")
    previous = word.text if word is not None and follows else ""
    if word is None or not previous:
        return False
    if _REFERENCE.fullmatch(previous) or previous in _NUMBERED_THING:
        return True
    if previous in _METRICS or item.value >= 100:
        return False
    # "Llama 2", "Stable Diffusion 1.5": a capital inside a sentence, or a name by its look.
    inside = plain[max(0, word.start - 2) : word.start].strip()[-1:] not in ("", ".", "!", "?", ":")
    return previous[0].isupper() and (inside or not previous[1:].islower()) and len(previous) > 1


def unit_after(plain: str, end: int, *, digits: bool, value: float) -> tuple[str, int, bool]:
    """Return the unit, where it ends, and whether it follows directly.

    The unit is `name` when digits are glued to letters that make no unit: 3D, 1st.

    Parameters
    ----------
    plain
        The whole text, through `numerals.PLAIN`.
    end
        Where the number and its scale end.
    digits
        The number is written in digits.
    value
        Number x scale.
    """
    symbol = _SYMBOL.match(plain, end)
    if symbol:
        return ("percent" if symbol.group(1) else "times"), symbol.end(), True
    glued = _ATTACHED.match(plain, end)
    if glued and digits and plain[end - 1].isdigit():
        unit = ENGLISH_UNITS.get(glued.group().lower(), "name")  # 4bit, 8GB; but 3D, 1st
        return unit, glued.end(), True
    english = _ENGLISH_TAIL.match(plain, end)
    return _english_unit(english, value=value) if english else _chinese_unit(plain, end)


def _english_unit(tail: re.Match[str], *, value: float) -> tuple[str, int, bool]:
    """Return the head of the noun phrase: "8 language tasks" are tasks, "3T token data" are tokens."""
    found, previous = ("", tail.start(), False), ""
    hyphen = tail.group()[0] == "-"
    for index, match in enumerate(_ENGLISH_WORD.finditer(tail.string, tail.start(), tail.end())):
        word = match.group().lower()
        # One letter is a unit only when glued: not "5 s", "3 x".
        unit = ENGLISH_UNITS.get(word, "") if len(word) > 1 else ""
        if word in _STOP_WORDS:
            break
        if unit and (index == 0 or unit not in MEASURES or previous in _QUALIFIES_POINT):
            found = unit, match.end(), index == 0
            if unit in MEASURES or word.endswith("s") or (index == 0 and hyphen) or value >= 1000:
                break
        previous = word
    return found


def _chinese_unit(plain: str, end: int) -> tuple[str, int, bool]:
    tail = _CHINESE_TAIL.match(plain, end)
    if tail is None:
        return "", end, False
    piece, start = tail.group(1), tail.start(1)
    # A counting word may be the unit itself (步, 层) or stand before it (个任务, 种语言).
    skip = 1 if piece[:1] in tuple(CLASSIFIERS) else 0
    weak = ("", end, False)
    for match in _CHINESE_UNIT.finditer(piece):
        unit, where = CHINESE_UNITS[match.group()], match.start()
        multilingual = unit == "language" and _MULTILINGUAL.match(piece, max(0, where - 1))
        part_of_word = len(match.group()) == 1 and _NOT_A_UNIT.match(piece, where)
        if multilingual or part_of_word or (unit in MEASURES and where > 0):
            continue
        found = unit, start + match.end(), where <= skip
        if unit != "class" and where <= 6:
            return found
        weak = weak if weak[0] else found
    latin = _ENGLISH_WORD.search(piece)
    if latin and latin.group().lower() in ENGLISH_UNITS and len(latin.group()) > 2 and not weak[0]:
        unit = ENGLISH_UNITS[latin.group().lower()]
        if latin.start() <= skip or unit not in MEASURES:
            return unit, start + latin.end(), latin.start() <= skip
    return weak


def comparator_of(plain: str, start: int, end: int) -> Comparator:
    """Return the bound that the words directly before `start` or after `end` state."""
    before = plain[max(0, start - 28) : start].rstrip("($").lower()
    before = _BETWEEN_BOUND.sub("", _ARTICLE.sub("", before)).rstrip()
    for length in _LENGTHS_BEFORE:
        bound = _BOUND_BEFORE.get(before[-length:]) if len(before) >= length else None
        # "moreover 5" does not say over.
        if bound and not (_glued(before, length)):
            return bound
    after = plain[end : end + 12].lstrip().lower()
    for length in _LENGTHS_AFTER:
        bound = _BOUND_AFTER.get(after[:length])
        if bound:
            return bound
    return ""


def _glued(before: str, length: int) -> bool:
    pair = before[-length - 1 : -length + 1] if length > 1 else before[-2:]
    return len(pair) == 2 and pair.isascii() and pair.isalpha()
