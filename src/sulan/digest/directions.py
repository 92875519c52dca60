"""Which way a sentence points: who is better than whom, what goes up and what goes down.

A comparison has a left and a right side; its polarity is turned by a negation and by a passive ("is outperformed
by"). A change that is denied is none. A change has a clause, so that it can be tied to the number in it. Irony,
double negation and comparisons over several sentences are not covered.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol, TypeVar

from sulan.digest import names

Kind = Literal["comparison", "amount", "valence"]
"""`amount` goes up or down; `valence` gets better or worse, which for an error rate means down, or faster."""


class _Placed(Protocol):
    @property
    def start(self) -> int: ...


T = TypeVar("T", bound=_Placed)

# After a number's unit, "above" and "less than" compare: "1.9 points above the baseline".
_AFTER_UNIT = r"(?:(?<=points )|(?<=percent )|(?<=% )|(?<=times )|(?<=[0-9]x ))"
# 超过 and 低于 before a number are bounds of the number and not comparisons.
_NO_NUMBER = r"(?!了?[ ]?[\d一二两三四五六七八九十百约])"

_WORDS: dict[tuple[Kind, int], str] = {
    ("comparison", 1): (
        r"outperform(?:s|ed|ing)?|surpass(?:es|ed|ing)?|exceed(?:s|ed|ing)?|beat(?:s|ing)?|superior|"
        r"better(?= than| on| in| performance)|perform(?:s|ed|ing)? better|outscor(?:es?|ed|ing)|"
        rf"优于|优越于|超越|胜过|强于|好于|胜于|领先于|击败|(?:超过|高于){_NO_NUMBER}"
    ),
    ("comparison", -1): (
        r"underperform(?:s|ed|ing)?|inferior|worse(?= than| on| in| performance)|perform(?:s|ed|ing)? worse|"
        r"fall(?:s|ing)? short|lag(?:s|ging)? behind|trail(?:s|ing)?(?= [a-z])|"
        rf"劣于|不如|逊于|逊色于|差于|弱于|落后于|不及|不敌|不到(?=[ ]?[a-z])|低于{_NO_NUMBER}"
    ),
    ("amount", 1): (
        r"increas(?:e|es|ed|ing)|rais(?:e|es|ed|ing)|ris(?:e|es|ing)|grow(?:s|ing|n)?|"
        r"larger|bigger|longer|higher|lengthen(?:s|ed|ing)?|"
        rf"{_AFTER_UNIT}(?:above|more than|over|better)|"
        r"增加|上升|增长|提高|提升|增大|升高|扩大|延长|更高|更大|更多|更长|翻倍|(?<![最提])高(?:出|了)?(?=[ ]?[\d约])"
    ),
    ("amount", -1): (
        r"decreas(?:e|es|ed|ing)|reduc(?:e|es|ed|ing|tions?)|drop(?:s|ped|ping)?|declin(?:e|es|ed|ing)|"
        r"lower(?:s|ed|ing)?|cut(?:s|ting)?|shrink(?:s|ing)?|compress(?:es|ed|ing)?|smaller|shorter|fewer|"
        r"(?:fall(?:s|ing|en)?|fell)(?= by| from| to| below| sharply|[,.])|shorten(?:s|ed|ing)?|"
        rf"{_AFTER_UNIT}(?:below|less than|under|worse)|"
        r"降低|下降|减少|减小|缩小|缩短|更低|更小|更少|更短|降至|压缩|(?<!最)低(?:了)?(?=[ ]?[\d约])"
    ),
    ("valence", 1): (
        r"improv(?:e|es|ed|ing|ements?)|boost(?:s|ed|ing)?|enhanc(?:e|es|ed|ing)|gain(?:s|ed)?|"
        r"faster|speed-?ups?|speed(?:s|ing)? up|accelerat(?:e|es|ed|ing|ion)|"
        r"改善|改进|增强|优化|加快|加速|更快|提速"
    ),
    ("valence", -1): (
        r"degrad(?:e|es|ed|ing|ation)|worsen(?:s|ed|ing)?|deteriorat(?:e|es|ed|ing|ion)|hurt(?:s|ing)?|"
        r"slow(?:er|s|ed|ing|down)|恶化|退化|变差|受损|损害|削弱|减慢|变慢|更慢|放慢"
    ),
}
_GROUPS = {f"g{index}": meaning for index, meaning in enumerate(_WORDS)}
# The first line spares most characters the walk through all words.
_DIRECTION = re.compile(
    "(?=[a-il-psuwrtgc优超胜强好领击高劣不逊差弱落低增上提扩延加更翻降下减缩变放压改恶退受损削])"
    # Latin words are whole words; Chinese ones may touch a Latin name on either side.
    "(?:(?<![a-z])|(?![a-z]))(?:"
    + "|".join(rf"(?P<{group}>{_WORDS[meaning]})" for group, meaning in _GROUPS.items())
    + ")(?:(?<![a-z])|(?![a-z]))",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"(?:\b(?:not|never|cannot|no|neither|hardly|fails? to|without|unable to)\b[ ]?(?:\w+ )?|n't (?:\w+ )?|"
    r"不会|没有|并未|未能|无法|并不|尚未|难以|不(?!仅))$",
    re.IGNORECASE,
)
_PASSIVE = re.compile(
    r"[ ]by[ ](?!\d|about|over|up|more|at|an? |two|three|nearly|around|roughly)", re.IGNORECASE
)
_CLAUSE_END = re.compile(r"[，。；：！？\n]|[,;:.!?](?=\s|$)")
_PART_END = re.compile(
    r"[，。；：！？、\n]|[,;:.!?](?=\s|$)|\b(?:while|whereas|but|and)\b|同时|并且|而且|但是|然而|但",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[。！？；\n]|[.!?;](?=\s)")
REACH = 300
"""Characters around a word in which its names and numbers are looked for; keeps the cost linear."""

_LOWER_IS_BETTER = re.compile(
    r"error|perplexity|latency|loss|cost|memory|overhead|time(?!s)|hallucinat|toxic|bias|compute|flops|parameter|"
    r"(?<![a-z])(?:wer|cer|fid)(?![a-z])|footprint|误差|错误|困惑度|延迟|损失|成本|开销|内存|显存|时间|时长|耗时|计算量|"
    r"幻觉|偏见|毒性|参数",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Direction:
    """A word that points up (+1) or down (-1), at `text[start:end]`.

    `left` and `right` are keys of the names on either side within the sentence. `part` and `clause` are the spans
    of the part between conjunctions and of the clause between commas; `lower_is_better` says that the part speaks
    of costs or errors.
    """

    start: int
    end: int
    text: str
    kind: Kind
    polarity: int
    part: tuple[int, int]
    clause: tuple[int, int]
    lower_is_better: bool
    left: frozenset[str]
    right: frozenset[str]


@lru_cache(maxsize=64)  # the check of numbers and that of comparisons ask for the same text
def find(text: str) -> tuple[Direction, ...]:
    """Return the directions of a text of one or a few sentences.

    Examples
    --------
    >>> [(d.text, d.kind, d.polarity) for d in find("FIAT outperforms ICL, cuts cost and does not increase loss.")]
    [('outperforms', 'comparison', 1), ('cuts', 'amount', -1)]
    >>> [(d.text, d.polarity) for d in find("ICL is outperformed by FIAT")]
    [('outperformed', -1)]
    """
    matches = list(_DIRECTION.finditer(text))
    if not matches:
        return ()
    parts, clauses, sentences = (_ends(pattern, text) for pattern in (_PART_END, _CLAUSE_END, _SENTENCE_END))
    named = names.find(text)
    found = []
    for match in matches:
        start, end = match.span()
        part, clause, (first, last) = (_span(bounds, start) for bounds in (parts, clauses, sentences))
        kind, polarity = _GROUPS[match.lastgroup or "g0"]
        if _NEGATED.search(text[max(0, start - 24) : start]):
            if kind != "comparison":
                continue  # "does not increase" is not "decreases"
            polarity = -polarity
        if match.group().lower().endswith("ed") and _PASSIVE.match(text, end):
            polarity = -polarity
        low, high = max(first, start - REACH), min(last, end + REACH)
        around = _between(named, low, high)
        costs = _LOWER_IS_BETTER.search(text, max(part[0], low), min(part[1], high))
        found.append(
            Direction(
                start=start,
                end=end,
                text=match.group(),
                kind=kind,
                polarity=polarity,
                part=part,
                clause=clause,
                lower_is_better=costs is not None,
                left=frozenset(name.key for name in around if name.end <= start),
                right=frozenset(name.key for name in around if name.start >= end),
            )
        )
    return tuple(found)


def _ends(pattern: re.Pattern[str], text: str) -> list[int]:
    return [0, *(match.end() for match in pattern.finditer(text)), len(text) + 1]


def _span(bounds: list[int], position: int) -> tuple[int, int]:
    after = bisect_right(bounds, position)
    return bounds[after - 1], bounds[after]


def _between(found: Sequence[T], low: int, high: int) -> Sequence[T]:
    first = bisect_left(found, low, key=lambda one: one.start)
    last = bisect_left(found, high, key=lambda one: one.start)
    return found[first:last]


def at(directions: Sequence[Direction], position: int) -> Direction | None:
    """Return the direction that the words around `position` state; None when there is none or they disagree.

    The part between conjunctions decides; where it states nothing, the clause does: "gains 3 points on average
    and up to 7".
    """
    near = _between(directions, position - REACH, position + REACH)
    around = [one for one in near if one.part[0] <= position < one.part[1]]
    around = around or [one for one in near if one.clause[0] <= position < one.clause[1]]
    same = len({(one.kind == "comparison", one.polarity) for one in around}) == 1
    return around[0] if same else None


def opposed(said: Direction, meant: Direction) -> bool:
    """Return whether two comparisons contradict each other: "A beats B" and "A trails B", or "B beats A"."""
    straight = bool(said.left & meant.left or said.right & meant.right)
    swapped = bool(said.left & meant.right or said.right & meant.left) and not straight
    return (said.polarity == meant.polarity) == swapped


def contradict(said: Direction, meant: Direction, *, cost: bool = False) -> bool:
    """Return whether two directions of the same thing point opposite ways.

    Parameters
    ----------
    said, meant
        Two changes or two comparisons; one of each says nothing.
    cost
        Both speak of a cost, whatever their words: the number is a time.

    Notes
    -----
    "Cuts latency" does not contradict "is faster", nor "improves perplexity" "lowers perplexity": less of a cost
    is better. Two amounts of which only one is known to be a cost are not compared.
    """
    if (said.kind == "comparison") != (meant.kind == "comparison"):
        return False
    if said.kind == "comparison":
        return opposed(said, meant)
    amounts = said.kind == meant.kind == "amount"
    if amounts:
        return (cost or said.lower_is_better == meant.lower_is_better) and said.polarity != meant.polarity
    return _goodness(said, cost=cost) != _goodness(meant, cost=cost)


def _goodness(change: Direction, *, cost: bool) -> int:
    less_is_better = change.kind == "amount" and (cost or change.lower_is_better)
    return -change.polarity if less_is_better else change.polarity
