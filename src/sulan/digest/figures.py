"""Does every number of a text stand in the source: same value, same unit, same bound, same direction?

A number is looked up by value; if it is not there, the nearest explanation is sought: rounding, a unit, a power of
ten. The source is indexed once, so a number costs the same whatever the length of the source.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Literal

from sulan.digest import directions, names, quantities
from sulan.digest.directions import Direction
from sulan.digest.facts import Facts, Sourced, digits, rounded
from sulan.digest.finding import Finding, Severity, Verdict, make
from sulan.digest.notation import rewrite
from sulan.digest.quantities import Quantity
from sulan.digest.units import MEASURES, SAME_DIMENSION, THINGS, UNITS

ABOUT = 0.05
"""How far "about" may be from the source, besides less than one unit of its last digit: 110亿 for 10.7 billion."""

BOUND = 0.25
"""How far a rounder bound may be from the source: "over 400" for 419."""

NEIGHBOURS = 40
"""Source quantities on either side in size that a rounding is sought among; an abstract has fewer."""

NEAR = 60
"""Characters on either side of a number whose names say which sentence is meant."""

MAX_PLACES = 8
"""Places of one number in a source that are looked at; keeps the cost linear."""

_OPPOSITE = {frozenset(pair) for pair in (("over", "under"), ("over", "up_to"), ("over", "only"))}
_ADDS_A_BOUND = frozenset(["over", "under", "up_to"])


def check(
    text: str,
    facts: Facts,
    *,
    language: Literal["zh", "en"],
    evidence: Sequence[int] = (),
) -> tuple[Finding, ...]:
    """Return one finding per number of `text`, and one note per number of the evidence that `text` leaves out.

    Parameters
    ----------
    text
        Prose.
    facts
        Of the paper.
    language
        Of the prose.
    evidence
        Numbers of the sentences that the text says it rests on.

    Examples
    --------
    >>> facts = Facts.read("", "We train a 1.3 billion parameter net.")
    >>> finding, = check("提出1.3亿参数的网络。", facts, language="zh")
    >>> finding.verdict, finding.piece, finding.suggestion, finding.sentence
    ('scale_error', '1.3亿', '13亿', 1)
    """
    found = quantities.find(text, language)
    pointing = directions.find(text) if found else ()
    findings, used = [], set()
    for quantity, following in zip_longest(found, found[1:]):
        if quantity.in_name:
            continue  # the name is checked as a name
        finding, fact = _judge(quantity, facts, language)
        if fact is not None:
            finding = _cited(finding, quantity, fact, text, facts, evidence)
        if fact is not None and finding.severity == "pass":
            used.add(_said(fact))
            finding = _empty_range(quantity, following, facts) or finding
            finding = _turned(quantity, fact, pointing, facts) or finding
        findings.append(finding)
    findings += [
        _finding("omitted", "note", None, fact, facts, reason="stands in a sentence that the text rests on")
        for fact in facts.quantities
        if fact.sentence in evidence
        and fact.quantity.firm
        and not fact.quantity.in_name
        and _said(fact) not in used
    ]
    return tuple(findings)


def _said(fact: Sourced) -> tuple[float, str]:
    return rounded(fact.quantity.value), fact.quantity.unit


def _empty_range(quantity: Quantity, following: Quantity | None, facts: Facts) -> Finding | None:
    """Return an error for "4 and 4-bit" and "100 to 100": one end of a range was lost."""
    if following is None or not quantity.joined or following.value != quantity.value:
        return None
    reason = "both ends of the range are the same"
    return _finding("unsupported", "error", quantity, None, facts, reason=reason)


def _cited(
    finding: Finding, quantity: Quantity, fact: Sourced, text: str, facts: Facts, evidence: Sequence[int]
) -> Finding:
    """Return the finding with the sentence that fits best where several say the same number.

    That is one the text rests on, or the one that shares most names with the words around the number.
    """
    places = [each.sentence for each in facts.occurrences[_said(fact)][:MAX_PLACES]]
    if len(places) == 1:
        return finding
    around = text[max(0, quantity.start - NEAR) : quantity.end + NEAR]
    near = {name.key for name in names.find(around)}
    best = max(places, key=lambda n: (n in evidence, len(near & facts.names_by_sentence[n])))
    return replace(finding, sentence=best, quote=facts.quote(best))


def _judge(quantity: Quantity, facts: Facts, language: str) -> tuple[Finding, Sourced | None]:
    equal = facts.by_value.get(rounded(quantity.value), [])
    fact = _best(quantity, equal, facts)
    if fact is not None:
        return _bounded(quantity, fact, facts), fact
    fact = _near(quantity, facts)
    if fact is not None:
        reason = f"rounds {fact.quantity.text.strip()!r}"
        return _finding("approximate_ok", "pass", quantity, fact, facts, reason=reason), fact
    if quantity.unit == "date":
        reason = "a year that the source does not name"
        return _finding("unsupported", "warning", quantity, None, facts, reason=reason), None
    if equal and quantity.firm:
        return _unit_error(quantity, equal[0], facts, language), equal[0]
    same_unit = [fact for fact in facts.by_unit.get(quantity.unit, []) if quantity.unit or fact.quantity.firm]
    if quantity.firm:
        shifted = [f for f in facts.by_digits.get(digits(quantity.value), []) if _agree(quantity, f, facts)]
        if shifted:
            fact = max(shifted, key=lambda f: _agree(quantity, f, facts))
            return _scale_error(quantity, fact, facts), fact
    elif not same_unit:
        reason = "a count that the source does not state"
        return _finding("unsupported", "note", quantity, None, facts, reason=reason), None
    fact = same_unit[0] if len(same_unit) == 1 else None
    suggestion = rewrite(quantity, fact.quantity.value) if fact else ""
    reason = f"the source says {fact.quantity.text.strip()!r}" if fact else "no such number in the source"
    return _finding("unsupported", "error", quantity, fact, facts, suggestion=suggestion, reason=reason), fact


def _best(quantity: Quantity, equal: Iterable[Sourced], facts: Facts) -> Sourced | None:
    """Return the source quantity of the same value that agrees best in unit, then in bound."""
    agreeing = [(fact, _agree(quantity, fact, facts)) for fact in equal]
    agreeing = [(fact, how) for fact, how in agreeing if how]
    if not agreeing:
        return None
    return max(agreeing, key=lambda pair: (pair[1], not _contradicts(quantity, pair[0].quantity)))[0]


def _agree(quantity: Quantity, fact: Sourced, facts: Facts) -> int:
    """Return 2 when the units are one, 1 when nothing speaks against it, 0 when they differ."""
    a, b = quantity.unit, fact.quantity.unit
    if SAME_DIMENSION.get(a, a) == SAME_DIMENSION.get(b, b) or (a in THINGS and b in THINGS):
        return 2
    if a == "":
        return 0 if b in ("percent", "times") else 1
    if b == "":
        # "accuracy of 85.3" is often retold as 85.3%; 85.3 times would be another matter.
        mentioned = a in facts.units_by_sentence[fact.sentence]
        return 1 if mentioned or a not in MEASURES or a in ("percent", "point") else 0
    return 0


def _contradicts(quantity: Quantity, source: Quantity) -> bool:
    return frozenset((quantity.comparator, source.comparator)) in _OPPOSITE


def _near(quantity: Quantity, facts: Facts) -> Sourced | None:
    """Return a source quantity that `quantity` rounds, or bounds with a rounder number."""
    ordered = facts.by_size if quantity.value > 0 and quantity.unit != "date" else ()
    middle = bisect_left(ordered, quantity.value, key=lambda fact: fact.quantity.value)
    for fact in ordered[max(0, middle - NEIGHBOURS) : middle + NEIGHBOURS]:
        source = fact.quantity
        if _agree(quantity, fact, facts) and len(digits(quantity.value)) < len(digits(source.value)):
            tolerance = quantity.step / 2 if quantity.step else (0.5 if quantity.unit == "percent" else 0.0)
            difference = source.value - quantity.value
            off = difference / quantity.value
            place = 10.0 ** (math.floor(math.log10(quantity.value)) + 1 - len(digits(quantity.value)))
            if (
                abs(difference) <= tolerance * (1 + 1e-9)
                or (quantity.comparator == "about" and abs(off) <= ABOUT and abs(difference) < place)
                or (quantity.comparator == "over" and 0 <= off <= BOUND)
                or (quantity.comparator in ("under", "up_to") and -BOUND <= off <= 0)
            ):
                return fact
    return None


def _bounded(quantity: Quantity, fact: Sourced, facts: Facts) -> Finding:
    """Return the verdict on a number that is right: its bound may still be wrong."""
    source = fact.quantity
    if _contradicts(quantity, source):
        reason = f"the source says {source.comparator.replace('_', ' ')!r}, the text {quantity.comparator!r}"
        return _finding("direction_error", "error", quantity, fact, facts, reason=reason)
    if quantity.comparator in _ADDS_A_BOUND and not source.comparator:
        reason = f"the source states the number without {quantity.comparator.replace('_', ' ')!r}"
        return _finding("direction_error", "warning", quantity, fact, facts, reason=reason)
    return _finding("supported", "pass", quantity, fact, facts)


def _unit_error(quantity: Quantity, fact: Sourced, facts: Facts, language: str) -> Finding:
    unit = UNITS.get(fact.quantity.unit)
    number = quantity.text[: quantity.number_end - quantity.start]
    suggestion = ""
    if unit is not None:
        word = unit.chinese[0] if language == "zh" and unit.chinese else f" {unit.english[0]}"
        suggestion = number + {"percent": "%", "times": word.replace(" times", "x")}.get(
            fact.quantity.unit, word
        )
    mild = {quantity.unit, fact.quantity.unit} == {"percent", "point"} or not quantity.unit
    reason = (
        f"the source counts {fact.quantity.unit or 'something else'}, the text {quantity.unit or 'nothing'}"
    )
    severity: Severity = "warning" if mild else "error"
    return _finding("unit_error", severity, quantity, fact, facts, suggestion=suggestion, reason=reason)


def _scale_error(quantity: Quantity, fact: Sourced, facts: Facts) -> Finding:
    ratio = quantity.value / fact.quantity.value
    reason = f"{ratio:g} times the source's {fact.quantity.text.strip()!r}"
    suggestion = rewrite(quantity, fact.quantity.value)
    return _finding("scale_error", "error", quantity, fact, facts, suggestion=suggestion, reason=reason)


def _turned(quantity: Quantity, fact: Sourced, pointing: Sequence[Direction], facts: Facts) -> Finding | None:
    """Return an error when the text lets the number rise and the source lets it fall, or the reverse."""
    said = directions.at(pointing, quantity.start)
    if said is None:
        return None
    meant: Direction | None = None
    cost = SAME_DIMENSION.get(quantity.unit) == "time"
    for each in facts.occurrences[_said(fact)][:MAX_PLACES]:
        meant = directions.at(facts.directions_by_sentence[each.sentence], each.quantity.start)
        if meant is None or not directions.contradict(said, meant, cost=cost):
            return None
    if meant is None:
        return None
    reason = f"the source says {meant.text!r} of this number, the text {said.text!r}"
    source = facts.cited(fact.sentence)
    return make("direction_error", "error", (said.start, said.end), said.text, source=source, reason=reason)


def _finding(
    verdict: Verdict,
    severity: Severity,
    quantity: Quantity | None,
    fact: Sourced | None,
    facts: Facts,
    *,
    suggestion: str = "",
    reason: str = "",
) -> Finding:
    piece = quantity.text if quantity else fact.quantity.text if fact else ""
    span = (quantity.start, quantity.end) if quantity else (0, 0)
    source = facts.cited(fact.sentence) if fact else None
    return make(verdict, severity, span, piece, source=source, suggestion=suggestion, reason=reason)
