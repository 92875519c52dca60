"""Quantities: canonical value = number x scale x unit, found in English and Chinese text.

`find` reads what a text claims in numbers. How numbers are written is known to `numerals`, what stands around
them to `surroundings`, the words themselves are tables in `units`.
Vague amounts (数百, hundreds of) are no quantities: nothing in a source can contradict them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from sulan.digest.numerals import LETTER, PLAIN, Numeral, Word, scan
from sulan.digest.surroundings import comparator_of, is_ordinal, is_year, only_looks_like, unit_after
from sulan.digest.units import (
    CLASSIFIERS,
    MEASURES,
    PARAMETER_LIKE,
    SCALES,
    THINGS,
    UNITS,
    Comparator,
)

MAX_TEXT = 50_000
"""Characters that `find` reads; arXiv allows an abstract 1,920. `checks` reports what is longer."""

COUNT = 12
"""Numbers in words up to this, without a measure, are counts that a writer may make ("three ideas")."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """One number of a text and what it means.

    Attributes
    ----------
    start, end
        Offsets of `text`: number, scale and, where it follows directly, a unit of measure.
    text
        The piece as written.
    value
        Number x scale, and x the unit's factor where units convert (hours to seconds).
    unit
        Name in `units.UNITS`; empty when no unit was recognised.
    comparator
        Bound that the words around the number state.
    step
        One unit in the last written place, in the scale of `value`; 0 when the number is exact.
    number_end
        Where number and scale end; `text[: number_end - start]` is what a suggestion replaces.
    scale
        The scale as written: `B`, ` billion`, `亿`, or empty.
    firm
        False for small counts in words or with a thing that writers count themselves.
    in_name
        The number is the size in a name such as LLaMA-2-7B.
    joined
        It forms a range or list with the quantity after it.
    """

    start: int
    end: int
    text: str
    value: float
    unit: str = ""
    comparator: Comparator = ""
    step: float = 0.0
    number_end: int = 0
    scale: str = ""
    firm: bool = True
    in_name: bool = False
    joined: bool = False


# Only capitals may stand apart from their number: "5 m" is no scale; neither is a lone "t".
_SCALE = re.compile(
    rf"([kKmMbBT])(?![{LETTER}0-9])"
    r"|[ -]?((?i:hundred|thousand|million|billion|trillion|bn|mn))(?![A-Za-z])"
    r"|[ ]([KMBT])(?![\w-])"
    r"|[ ]?(十万|百万|千万|十亿|百亿|千亿|万亿|[十百千万亿])(?!分之)"
)
_REMAINDER = re.compile(r"(\d{1,4})(千万|百万|十万|万|千)")
_MORE = re.compile(r"[ ]?[多余]")
_ORDERS = re.compile(r"[ -]?(?:orders?[ -]of[ -]magnitude|个?数量级)")
_BETWEEN = re.compile(
    r"[ ]?(?:-{1,2}|—{1,2}|~|/|-?,? ?(?:and|or)|-?,|、|，|和|与|及|或|到|至|to|versus|vs\.?)[ ]?(?:约|about )?$"
)
_PAIR = re.compile(r"[ ]?(?:-{1,2}|—{1,2}|~|/|-?,? ?(?:and|or)|、|和|与|及|或|到|至|to)[ ]?(?:约|about )?$")
_FACTOR = re.compile(r"factors? of $", re.IGNORECASE)
_RANGE = re.compile(r"[ ]?(?:-{1,2}|—{1,2}|~|到|至|to)[ ]?$")


def find(text: str, language: Literal["zh", "en"] = "en") -> tuple[Quantity, ...]:
    """Return the quantities of `text` in reading order.

    Parameters
    ----------
    text
        Prose; the first `MAX_TEXT` characters are read.
    language
        Of the prose. Chinese prose holds English pieces, and both are read; in English prose bare Chinese
        numerals are left alone.

    Examples
    --------
    >>> [(q.text, q.value, q.unit) for q in find("a 10.7B-parameter model, 3 and 4-bit")]
    [('10.7B', 10700000000.0, 'parameter'), ('3', 3.0, 'bit'), ('4-bit', 4.0, 'bit')]
    >>> [(q.text, q.value, q.comparator) for q in find("在超过2500亿token上", "zh")]
    [('2500亿', 250000000000.0, 'over')]
    """
    plain = text[:MAX_TEXT].translate(PLAIN)
    return tuple(_inherit(plain, list(_read(text, plain, language))))


def _read(text: str, plain: str, language: str) -> Iterator[Quantity]:
    word: Word | None = None
    consumed = 0
    for item in scan(plain):
        if isinstance(item, Word):
            word = item
            continue
        if (item.start < consumed and item.form != "size") or (item.form == "chinese" and language == "en"):
            continue
        quantity = _quantity(text, plain, item, word)
        if quantity is not None:
            consumed = quantity.end
            yield quantity


def _quantity(text: str, plain: str, item: Numeral, word: Word | None) -> Quantity | None:
    start, end = item.start, item.end
    if item.form in ("side", "size", "percent", "times", "magnitude"):
        return Quantity(
            start=start,
            end=end,
            text=text[start:end],
            value=10.0 if item.form == "magnitude" else item.value,
            unit={"size": "parameter", "magnitude": "times", "side": ""}.get(item.form, item.form),
            comparator=comparator_of(plain, start, end),
            step=item.step,
            number_end=end,
            in_name=item.form == "size",
        )
    if is_ordinal(plain, start, end):
        return None
    value, step, scale, end = _scaled(plain, item)
    number_end = end
    orders = _ORDERS.match(plain, end)
    if orders and 0 < value < 10:
        end = orders.end()
        return Quantity(
            start=start, end=end, text=text[start:end], value=10.0**value, unit="times", number_end=end
        )
    more = _MORE.match(plain, end)
    unit, unit_end, near = unit_after(
        plain, more.end() if more else end, digits=item.form == "digits", value=value
    )
    if not unit and _FACTOR.search(plain[max(0, start - 12) : start]):
        unit = "times"
    if item.form == "digits" and not scale and is_year(plain, item, word, unit):
        return Quantity(start=start, end=end, text=text[start:end], value=value, unit="date", number_end=end)
    measure = unit in MEASURES
    if unit == "name" or (
        item.form == "digits" and not scale and not measure and only_looks_like(plain, item, word, unit)
    ):
        return None
    if item.form != "digits" and value < 2 and unit not in ("times", "percent", "point"):
        return None  # "one of", 一种: articles rather than counts
    if item.form == "chinese" and value <= 10 and not (near or plain[end : end + 1] in tuple(CLASSIFIERS)):
        return None  # 二值化, 四元数: part of a word
    if item.form == "chinese" and unit == "times" and value == 1:
        value = 2.0  # 多一倍: twice as many
    if unit == "model" and value >= PARAMETER_LIKE:
        unit = "parameter"
    if measure:
        end = unit_end
    factor = UNITS[unit].factor if unit else 1.0
    counted = bool(unit) and unit not in THINGS and item.form == "digits"
    return Quantity(
        start=start,
        end=end,
        text=text[start:end],
        value=value * factor,
        unit=unit,
        comparator="over" if more else comparator_of(plain, start, max(end, unit_end if near else end)),
        step=step * factor,
        number_end=number_end,
        scale=scale,
        firm=measure or counted or bool(scale) or value > COUNT or value != int(value),
    )


def _scaled(plain: str, item: Numeral) -> tuple[float, float, str, int]:
    """Return value, step, scale and end of a number with the scale words that follow: 1亿3000万 adds up."""
    match = _SCALE.match(plain, item.end) if item.form == "digits" else None
    if match is None:
        return item.value, item.step, "", item.end
    scale = match.group().strip(" -")
    factor = SCALES[scale.lower()]
    value, step, end = item.value * factor, item.step * factor, match.end()
    rest = _REMAINDER.match(plain, end) if match.group(4) else None
    if rest and SCALES[rest.group(2)] < factor:
        value += float(rest.group(1)) * SCALES[rest.group(2)]
        step, end = SCALES[rest.group(2)], rest.end()
    # 1.1 * 1e9 is 1100000000.0000002 in binary; twelve places are more than any text writes.
    return float(f"{value:.12g}"), step, scale, end


def _inherit(plain: str, found: list[Quantity]) -> list[Quantity]:
    """Give "3" in "3 and 4-bit" its unit and "1" in "1 to 3 billion" its scale, from right to left."""
    for index in range(len(found) - 2, -1, -1):
        left, right = found[index], found[index + 1]
        gap = plain[left.end : right.start]
        if left.in_name or right.in_name or len(gap) > 12 or not _BETWEEN.match(gap):
            continue
        if not _PAIR.match(gap) and not right.joined:
            continue  # "a factor of 10, about 40%" is no list; "2, 3 and 4 bits" is one
        if left.unit:
            found[index] = replace(left, joined=left.unit == right.unit and bool(_PAIR.match(gap)))
            continue
        factor = UNITS[right.unit].factor if right.unit else 1.0
        if right.scale and not left.scale and _RANGE.match(gap):
            mantissa = right.value / factor / SCALES[right.scale.lower()]
            factor *= SCALES[right.scale.lower()] if left.value <= mantissa else 1.0
        found[index] = replace(
            left,
            unit=right.unit,
            value=left.value * factor,
            step=left.step * factor,
            firm=left.firm or right.firm,
            joined=_PAIR.match(gap) is not None,
        )
    return found
