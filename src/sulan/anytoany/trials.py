"""Put a system through all directions, beside the cascade through captions, the upper bound and two controls.

The cascade: the system describes what it was given, and the decoder's own text encoder reads that. The upper bound:
the decoder's own text encoder reads a true caption. Controls: encoders that give zeros, and media of another scene.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from sulan.anytoany import captions, dialogues
from sulan.anytoany.directions import Direction, Score, directions, request, score
from sulan.anytoany.media import KINDS, Kind, Media
from sulan.anytoany.messages import Message, Text
from sulan.anytoany.protocols import Assistant, Decoder, Encoder, Features, Made, Said, Settings
from sulan.anytoany.rendering import Rendering, render
from sulan.anytoany.scenes import CARRIED, Scene, Split, sample
from sulan.runs import seeds
from sulan.runs.progress import progress

if TYPE_CHECKING:
    import torch


class Whole(Assistant, Protocol):
    """A system whose parts can be reached; a dataclass, so that it can be had with other encoders."""

    @property
    def encoders(self) -> Mapping[Kind, Encoder]:
        """For every kind that it reads."""

    def decoder(self, kind: Kind) -> Decoder:
        """Return the decoder of a kind, loaded."""


class Zeroed:
    """An encoder that gives zeros of another one's shape."""

    def __init__(self, of: Encoder) -> None:
        self.of = of
        self.kind: Kind = of.kind
        self.features: Features = of.features

    def encode(self, media: Sequence[Media]) -> "torch.Tensor":
        """Return zeros [batch, tokens, width]."""
        return self.of.encode(media) * 0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured.

    Attributes
    ----------
    scenes
        Fresh ones of a split.
    repeats
        Answers a scene, each with a seed of its own.
    split
        `test`, or `combinations` of colour and shape that training did not have.
    steps, guidance
        Of the diffusion samplers.
    prompts
        For routing.
    seed
        Of the world that scenes are drawn from and of the answers.
    """

    scenes: int = 200
    repeats: int = 3
    split: Split = "test"
    steps: int = 50
    guidance: float = 7.5
    prompts: int = 100
    seed: int = 1_000_003

    def settings(self, target: str, repeat: int, number: int) -> Settings:
        """Return how an answer is made that may hold one kind of medium."""
        kinds = tuple(kind for kind in KINDS if kind == target)
        return Settings(
            modalities=kinds,
            steps=self.steps,
            guidance=self.guidance,
            seed=seeds.key(self.seed, f"answer {repeat} {number}") % 2**31,
            tokens=64,
        )

    def chosen(self) -> list[Scene]:
        """Return the scenes."""
        return [sample(self.seed, number, split=self.split) for number in range(self.scenes)]


Scores = list[list[Score]]
"""By repeat and scene."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One direction: the system's scores [repeats][scenes], and others' beside it where there are such."""

    direction: Direction
    system: Scores
    cascade: Scores | None = None
    bound: Scores | None = None
    zeroed: Scores | None = None
    shuffled: Scores | None = None


@dataclass(frozen=True, kw_only=True)
class Routing:
    """What was asked for and what was made, by prompt."""

    wanted: list[frozenset[Kind]]
    made: list[frozenset[Kind]]

    @property
    def recall(self) -> float:
        """Share of wanted media that were made."""
        return _share(sum(len(a & b) for a, b in self._pairs()), sum(map(len, self.wanted)))

    @property
    def precision(self) -> float:
        """Share of media made that were wanted."""
        return _share(sum(len(a & b) for a, b in self._pairs()), sum(map(len, self.made)))

    @property
    def exact(self) -> float:
        """Share of prompts with just the wanted media, also none."""
        return _share(sum(a == b for a, b in self._pairs()), len(self.wanted))

    def _pairs(self) -> list[tuple[frozenset[Kind], frozenset[Kind]]]:
        return list(zip(self.wanted, self.made, strict=True))


System = TypeVar("System", bound=Whole)


def blinded(system: System) -> System:
    """Return a system whose encoders give zeros."""
    encoders = {kind: Zeroed(encoder) for kind, encoder in system.encoders.items()}
    return dataclasses.replace(system, encoders=encoders)  # pyrefly: ignore[bad-specialization]  a dataclass, see Whole


def answer(assistant: Assistant, messages: Sequence[Message], settings: Settings) -> tuple[str, list[Media]]:
    """Return the whole of a reply: its text and its media."""
    text, media = "", []
    for event in assistant.reply(messages, settings=settings):
        if isinstance(event, Said):
            text += event.text
        elif isinstance(event, Made):
            media.append(event.media)
    return text, media


def run(system: Whole, plan: Plan, rendering: Rendering) -> list[Trial]:
    """Return the trials of all directions in their order."""
    chosen = plan.chosen()
    told: dict[Kind, list[list[str]]] = {}
    bounds: dict[Kind, list[list[Media]]] = {}
    blind = blinded(system)
    trials = []
    for direction in progress(directions(), label="directions"):
        texts, scores = _ask(system, direction, chosen, plan, rendering)
        only = direction.sources[0]
        if direction.target == "text":
            if len(direction.sources) == 1 and only != "text":
                told[only] = texts
            others = chosen[1:] + chosen[:1]
            shuffled = _ask(system, direction, chosen, plan, rendering, shown=others)[1]
            zeroed = _ask(blind, direction, chosen, plan, rendering)[1]
            trials.append(Trial(direction=direction, system=scores, zeroed=zeroed, shuffled=shuffled))
            continue
        target = direction.target
        if target not in bounds:
            true = [captions.caption(scene, carried=CARRIED[target]) for scene in chosen]
            bounds[target] = _drawn(system.decoder(target), [true] * plan.repeats, plan)
        cascade = None
        if len(direction.sources) == 1 and only != "text":
            cascade = _scored(direction, chosen, _drawn(system.decoder(target), told[only], plan))
        bound = _scored(direction, chosen, bounds[target])
        trials.append(Trial(direction=direction, system=scores, cascade=cascade, bound=bound))
    return trials


def route(system: Assistant, plan: Plan, rendering: Rendering) -> Routing:
    """Return what the system makes on prompts that ask for one medium, openly or not, or for words alone."""
    wanted, made = [], []
    for number in progress(range(plan.prompts), label="routing"):
        scene = sample(plan.seed, number, split="test")
        messages, kinds = prompt(scene, number, rendering)
        settings = Settings(steps=1, guidance=1.0, seed=number, tokens=64)
        wanted.append(kinds)
        made.append(frozenset(medium.kind for medium in answer(system, messages, settings)[1]))
    return Routing(wanted=wanted, made=made)


def prompt(scene: Scene, number: int, rendering: Rendering) -> tuple[tuple[Message, ...], frozenset[Kind]]:
    """Return prompt `number` and the media that it asks for: in turn open, implicit, across media, and words."""
    kind = KINDS[number // 4 % len(KINDS)]
    other = KINDS[(number // 4 + 1) % len(KINDS)]
    what = captions.phrase(scene)
    form = number % 4
    given = render(scene, other, rendering)

    def one(wordings: tuple[str, ...]) -> str:
        return wordings[number // 12 % len(wordings)]

    if form == 3:
        return (Message(role="user", parts=(given, Text(text=one(dialogues.DESCRIBE)))),), frozenset()
    if form == 2:
        words = one(dialogues.IMPLICIT[kind]).format(what="this")
        return (Message(role="user", parts=(given, Text(text=words))),), frozenset({kind})
    wordings = dialogues.IMPLICIT[kind] if form else dialogues.OPEN[kind]
    return (Message(role="user", parts=(Text(text=one(wordings).format(what=what)),)),), frozenset({kind})


def _ask(
    system: Assistant,
    direction: Direction,
    chosen: list[Scene],
    plan: Plan,
    rendering: Rendering,
    *,
    shown: list[Scene] | None = None,
) -> tuple[list[list[str]], Scores]:
    """Return texts and scores [repeats][scenes]; `shown` are the scenes given where they are not those wanted."""
    texts, scores = [], []
    for repeat in range(plan.repeats):
        said, got = [], []
        for number, (scene, given) in enumerate(zip(chosen, shown or chosen, strict=True)):
            messages = request(direction, given, rendering=rendering, number=number)
            text, media = answer(system, messages, plan.settings(direction.target, repeat, number))
            said.append(text)
            got.append(score(direction, scene, text=text, media=media))
        texts.append(said)
        scores.append(got)
    return texts, scores


def _drawn(decoder: Decoder, texts: list[list[str]], plan: Plan, *, batch: int = 32) -> list[list[Media]]:
    """Return what a decoder makes of texts [repeats][scenes] through its own text encoder."""
    made = []
    for repeat, row in enumerate(texts):
        media: list[Media] = []
        for start in range(0, len(row), batch):
            part = row[start : start + batch]
            keys = [plan.settings(decoder.kind, repeat, start + number).seed for number in range(len(part))]
            media += decoder.generate(
                decoder.text_condition(part), seeds=keys, steps=plan.steps, guidance=plan.guidance
            )
        made.append(media)
    return made


def _scored(direction: Direction, chosen: list[Scene], media: list[list[Media]]) -> Scores:
    return [
        [score(direction, scene, text="", media=[one]) for scene, one in zip(chosen, row, strict=True)]
        for row in media
    ]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
