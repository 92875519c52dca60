"""Scores by rule: points for what an abstract states, each tied to the sentence that states it.

A score is an opinion formed from an abstract. The embedded engine's opinion is a published rule, the same for
every paper, so a reader can see why two papers differ; it cannot know whether a claim is true. A model, where
one writes, gives its own value on the same anchors (`ANCHORS`).

The scale is 1 to 5 in half steps, as in the digest this project started from, whose scores never fell below 4
and so said nothing. Here a paper starts at `BASE` and earns the rest.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sulan.digest.edition import SCORE_NAMES, Language, Passage, Score, ScoreName

BASE = 2.0
"""What a score is before anything speaks for the paper: incremental work (see `ANCHORS`)."""

ANCHORS: Mapping[float, Mapping[Language, str]] = {
    5.0: {"en": "opens a direction, or is usable today by many", "zh": "开辟方向，或已可被许多人直接使用"},
    4.0: {"en": "important", "zh": "重要"},
    3.0: {"en": "solid", "zh": "扎实"},
    2.0: {"en": "incremental, or little is stated", "zh": "增量工作，或摘要陈述有限"},
    1.0: {"en": "nothing in the abstract speaks for it", "zh": "摘要中没有依据"},
}
"""What the levels mean, to a model that scores and to a reader."""


@dataclass(frozen=True, kw_only=True)
class Sign:
    """One thing an abstract may state: the cue, what it is worth, and how a reason names it."""

    score: ScoreName
    points: float
    cue: re.Pattern[str]
    names: Mapping[Language, str]
    own: bool = False
    """Counts only from the main-work sentence on: what comes before is about others' work."""


def _sign(score: ScoreName, points: float, cue: str, *, en: str, zh: str, own: bool = False) -> Sign:
    names: dict[Language, str] = {"en": en, "zh": zh}
    return Sign(score=score, points=points, cue=re.compile(cue, re.IGNORECASE), names=names, own=own)


SIGNS: tuple[Sign, ...] = (
    _sign(
        "practicality",
        1.0,
        r"open-?sourc|(?:publicly|freely) available|we (?:then )?(?:\w+ and )?release|available (?:to|at)|"
        r"github\.com",
        en="code, data or a model is released",
        zh="公开代码、数据或模型",
    ),
    _sign(
        "practicality",
        0.5,
        r"\befficien|light-?weight|low-cost|interactive rate|real-?time|overhead|faster|speed-?up|single gpu|"
        r"convenient|inexpensive|cheap|less (?:compute|memory)|small amount|parameter-efficient",
        en="cost or speed is addressed",
        zh="关注成本或速度",
    ),
    _sign(
        "practicality",
        0.5,
        r"(?:improv|reduc|outperform|surpass|achiev|attain|gain|within|only|little as|better)[^.]*\d",
        en="a result comes with a number",
        zh="结果给出数值",
        own=True,
    ),
    _sign(
        "practicality",
        0.5,
        r"practical|deploy|real-world|in production|any (?:model|task)|general-purpose|easy to|plug-and-play",
        en="use in practice is addressed",
        zh="面向实际使用",
    ),
    _sign(
        "novelty",
        1.0,
        r"\b(?:is|are) the first|for the first time|first (?:work|example|method|system|to)\b",
        en="claims to be first",
        zh="自称首次",
    ),
    _sign(
        "novelty",
        0.5,
        r"(?:we|paper|work|article) (?:\w+ )?(?:propos|present|introduc|design|develop)",
        en="proposes something of its own",
        zh="提出自己的方法或资源",
    ),
    _sign(
        "novelty",
        0.5,
        r"\b(?:new|novel)\b|two-way|any-to-any|paradigm",
        en="calls it new",
        zh="称其为新",
    ),
    _sign(
        "novelty",
        0.5,
        r"surprising|unexpected|unexplored|under-explored|rather than|contrary to|fill the gap",
        en="goes against or beyond what was known",
        zh="有悖或超出已有认识",
    ),
    _sign(
        "recommendation",
        0.5,
        r"outperform|surpass|state-of-the-art|competitive|competes|comparable to|better than|improve over",
        en="compares well with other work",
        zh="与其他工作相比表现良好",
        own=True,
    ),
    _sign(
        "recommendation",
        0.5,
        r"limitation|hallucinat|bias|toxic|trade-?offs?|fail|audit|worse|less so",
        en="states limits or failures",
        zh="说明局限或失败",
        own=True,
    ),
)


def by_rule(sentences: Sequence[str], *, main_work: int, language: Language) -> dict[ScoreName, Score]:
    """Score one abstract by `SIGNS`.

    practicality and novelty: `BASE` + points of their signs. recommendation: their mean + points of its own
    signs, rounded down to a half step. All end in [1, 5].

    Parameters
    ----------
    sentences
        The abstract; sentences that address the reader of this digest should have been left out.
    main_work
        Index of the sentence that says what was done.
    language
        Of the reasons.

    Examples
    --------
    >>> scores = by_rule(["We propose FastNet.", "It is open-source."], main_work=0, language="en")
    >>> scores["practicality"].value, scores["novelty"].value, scores["recommendation"].value
    (3.0, 2.5, 2.5)
    >>> scores["practicality"].reason.text
    'By rule: code, data or a model is released.'
    """
    found = {name: _found(name, sentences, main_work=main_work) for name in SCORE_NAMES}
    points = {name: sum(sign.points for sign, _ in signs) for name, signs in found.items()}
    own = (BASE + points["practicality"], BASE + points["novelty"])
    values: dict[ScoreName, float] = {
        "practicality": own[0],
        "novelty": own[1],
        "recommendation": sum(own) / 2 + points["recommendation"],
    }
    return {
        name: Score(value=_half_step(values[name]), reason=_reason(name, found[name], language=language))
        for name in SCORE_NAMES
    }


def ranks(scores: Sequence[Mapping[ScoreName, Score]]) -> list[int]:
    """Return each paper's place in its day, from 1.

    By recommendation, then novelty, then practicality, then the order of the list.

    Examples
    --------
    >>> low = by_rule(["Nets."], main_work=0, language="en")
    >>> high = by_rule(["We propose a new net."], main_work=0, language="en")
    >>> ranks([low, high, low])
    [2, 1, 3]
    """
    order = sorted(
        range(len(scores)),
        key=lambda i: [-scores[i][n].value for n in ("recommendation", "novelty", "practicality")],
    )
    places = [0] * len(scores)
    for place, index in enumerate(order, 1):
        places[index] = place
    return places


def _found(name: ScoreName, sentences: Sequence[str], *, main_work: int) -> list[tuple[Sign, int]]:
    found = []
    for sign in SIGNS:
        if sign.score == name:
            start = main_work if sign.own else 0
            hits = (i for i in range(start, len(sentences)) if sign.cue.search(sentences[i]))
            if (where := next(hits, None)) is not None:
                found.append((sign, where + 1))
    return found


def _half_step(value: float) -> float:
    return min(5.0, max(1.0, int(value * 2) / 2))


def _reason(name: ScoreName, found: Sequence[tuple[Sign, int]], *, language: Language) -> Passage:
    parts = [sign.names[language] for sign, _ in found]
    if name == "recommendation":
        parts.insert(0, {"en": "the mean of practicality and novelty", "zh": "实用性与创新性的平均"}[language])
    if language == "zh":
        text = f"按规则：{'；'.join(parts) or '摘要中没有相应的依据'}。"
    else:
        text = f"By rule: {'; '.join(parts) or 'the abstract states nothing to this end'}."
    evidence = tuple(sorted({where for _, where in found}))
    return Passage(text=text, language=language, evidence=evidence)
