"""Which way a sentence points: who is better than whom, what goes up and what goes down.

A comparison has a left and a right side; its polarity is turned by a negation and by a passive ("is outperformed
by"). A change has a clause, so that it can be tied to the number in it. Irony, double negation and comparisons
over several sentences are not covered.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol, TypeVar

from sulan.digest import names

Kind = Literal["comparison", "amount", "valence"]
"""`amount` goes up or down; `valence` gets better or worse, which for an error rate means down."""


class _Placed(Protocol):
    @property
    def start(self) -> int: ...


T = TypeVar("T", bound=_Placed)

_WORDS: dict[tuple[Kind, int], str] = {
    ("comparison", 1): (
        r"outperform(?:s|ed|ing)?|surpass(?:es|ed|ing)?|exceed(?:s|ed|ing)?|beat(?:s|ing)?|superior|"
        r"better(?= than| on| in| performance)|perform(?:s|ed|ing)? better|outscor(?:es?|ed|ing)|"
        r"优于|优越于|超越|胜过|强于|好于|胜于|领先于|击败|(?:超过|高于)(?!了?[ ]?[\d一二两三四五六七八九十百约])"
    ),
    ("comparison", -1): (
        r"underperform(?:s|ed|ing)?|inferior|worse(?= than| on| in| performance)|perform(?:s|ed|ing)? worse|"
        r"fall(?:s|ing)? short|lag(?:s|ging)? behind|trail(?:s|ing)?(?= [a-z])|"
        r"劣于|不如|逊于|逊色于|差于|弱于|落后于|不及|不敌|低于(?![ ]?[\d一二两三四五六七八九十百约])"
    ),
    ("amount", 1): (
        r"increas(?:e|es|ed|ing)|rais(?:e|es|ed|ing)|ris(?:e|es|ing)|grow(?:s|ing|n)?|faster|speed-?ups?|"
        r"accelerat(?:e|es|ed|ing|ion)|larger|bigger|longer|higher|"
        r"增加|上升|增长|提高|提升|增大|升高|扩大|加快|加速|更快|更高|更大|更多|更长|翻倍"
    ),
    ("amount", -1): (
        r"decreas(?:e|es|ed|ing)|reduc(?:e|es|ed|ing|tions?)|drop(?:s|ped|ping)?|declin(?:e|es|ed|ing)|"
        r"lower(?:s|ed|ing)?|cut(?:s|ting)?|shrink(?:s|ing)?|slow(?:er|s|ed|ing|down)|smaller|shorter|fewer|"
        r"降低|下降|减少|减小|缩小|缩短|减慢|变慢|更慢|更低|更小|更少|更短|降至|压缩"
    ),
    ("valence", 1): (
        r"improv(?:e|es|ed|ing|ements?)|boost(?:s|ed|ing)?|enhanc(?:e|es|ed|ing)|gain(?:s|ed)?|改善|改进|增强|优化"
    ),
    ("valence", -1): (
        r"degrad(?:e|es|ed|ing|ation)|worsen(?:s|ed|ing)?|deteriorat(?:e|es|ed|ing|ion)|hurt(?:s|ing)?|"
        r"恶化|退化|变差|受损|损害|削弱"
    ),
}
_GROUPS = {f"g{index}": meaning for index, meaning in enumerate(_WORDS)}
# The first line spares most characters the walk through all words.
_DIRECTION = re.compile(
    "(?=[a-gilorstuw优超胜强好领击高劣不逊差弱落低增上提扩加更翻降下减缩变慢压改恶退受损削])"
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
_CLAUSE_END = re.compile(
    r"[，。；：！？\n]|[,;:.!?](?=\s|$)|\b(?:while|whereas|but|and)\b|同时|并且|而且|但是|然而", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"[。！？；\n]|[.!?;](?=\s)")
REACH = 300
"""Characters around a word in which its names and numbers are looked for; keeps the cost linear."""

_LOWER_IS_BETTER = re.compile(
    r"error|perplexity|latency|loss|cost|memory|overhead|time|wer\b|fid\b|hallucinat|toxic|bias|compute|flops|"
    r"footprint|误差|错误|困惑度|延迟|损失|成本|开销|内存|显存|时间|时长|耗时|计算量|幻觉|偏见|毒性|错误率",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Direction:
    """A word that points up (+1) or down (-1), at `text[start:end]`.

    `left` and `right` are keys of the names on either side within the sentence; `clause_start` and `clause_end`
    bound the clause; `lower_is_better` says that the clause speaks of costs or errors.
    """

    start: int
    end: int
    text: str
    kind: Kind
    polarity: int
    clause_start: int
    clause_end: int
    lower_is_better: bool
    left: frozenset[str]
    right: frozenset[str]


@lru_cache(maxsize=64)  # the check of numbers and that of comparisons ask for the same text
def find(text: str) -> tuple[Direction, ...]:
    """Return the directions of a text of one or a few sentences.

    Examples
    --------
    >>> [(d.text, d.kind, d.polarity) for d in find("FIAT outperforms ICL and does not increase cost.")]
    [('outperforms', 'comparison', 1), ('increase', 'amount', -1)]
    >>> [(d.text, d.polarity) for d in find("ICL is outperformed by FIAT")]
    [('outperformed', -1)]
    """
    matches = list(_DIRECTION.finditer(text))
    if not matches:
        return ()
    ends = [0, *(match.end() for match in _CLAUSE_END.finditer(text)), len(text)]
    stops = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    named = names.find(text)
    found = []
    clause, sentence = 0, 0
    for match in matches:
        while ends[clause + 1] <= match.start() and clause + 2 < len(ends):
            clause += 1
        while stops[sentence + 1] <= match.start() and sentence + 2 < len(stops):
            sentence += 1
        kind, polarity = _GROUPS[match.lastgroup or "g0"]
        if _NEGATED.search(text[max(0, match.start() - 24) : match.start()]):
            polarity = -polarity
        if match.group().lower().endswith("ed") and _PASSIVE.match(text, match.end()):
            polarity = -polarity
        low = max(stops[sentence], match.start() - REACH)
        high = min(stops[sentence + 1], match.end() + REACH)
        around = _between(named, low, high)
        costs = _LOWER_IS_BETTER.search(text, max(ends[clause], low), min(ends[clause + 1], high))
        found.append(
            Direction(
                start=match.start(),
                end=match.end(),
                text=match.group(),
                kind=kind,
                polarity=polarity,
                clause_start=ends[clause],
                clause_end=ends[clause + 1],
                lower_is_better=costs is not None,
                left=frozenset(name.key for name in around if name.end <= match.start()),
                right=frozenset(name.key for name in around if name.start >= match.end()),
            )
        )
    return tuple(found)


def _between(found: Sequence[T], low: int, high: int) -> Sequence[T]:
    first = bisect_left(found, low, key=lambda one: one.start)
    last = bisect_left(found, high, key=lambda one: one.start)
    return found[first:last]


def change_at(directions: Sequence[Direction], position: int) -> Direction | None:
    """Return the one change of the clause around `position`; None when there is none or they disagree."""
    around = [
        direction
        for direction in _between(directions, position - REACH, position + REACH)
        if direction.kind != "comparison" and direction.clause_start <= position < direction.clause_end
    ]
    return around[0] if len({direction.polarity for direction in around}) == 1 else None


def contradict(a: Direction, b: Direction) -> bool:
    """Return whether two changes of the same thing point opposite ways.

    "Cuts latency" and "is faster" do not: one clause speaks of a cost and the other does not. Neither do
    "improves perplexity" and "lowers perplexity": better means down there.
    """
    if a.lower_is_better != b.lower_is_better or a.polarity == b.polarity:
        return False
    return not (a.lower_is_better and a.kind != b.kind)
