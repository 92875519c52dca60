"""The directions between media, what can be right in each, and what chance gives.

Scored is what both sides carry: nobody can draw where a sound was, or hear it. Not covered: combinations of more than
two inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

from sulan.anytoany import captions, dialogues, readers
from sulan.anytoany.media import KINDS, Kind, Media
from sulan.anytoany.messages import Message, Part, Text
from sulan.anytoany.rendering import Rendering, render
from sulan.anytoany.scenes import CARRIED, COLOURS, COUNTS, MOTIONS, SHAPES, SIZES, Scene

Side = Literal["text"] | Kind

_WIDTH = 0.3
"""Width of the range that middles are drawn from, see `scenes.sample`."""

CHANCE = {
    "colour": 1 / len(COLOURS),
    "shape": 1 / len(SHAPES),
    "count": 1 / len(COUNTS),
    "size": 1 / len(SIZES),
    "motion": 1 / len(MOTIONS),
    # Two uniform draws are within t of their range with 1 - (1 - t)^2; across and down.
    "position": (1 - (1 - readers.POSITION / _WIDTH) ** 2) ** 2,
}
"""What a guess from the world's law gets right."""


@dataclass(frozen=True, kw_only=True)
class Direction:
    """From one side or two to another."""

    sources: tuple[Side, ...]
    target: Side

    def __str__(self) -> str:
        """Return e.g. `image + text to audio`."""
        return f"{' + '.join(self.sources)} to {self.target}"

    @property
    def scored(self) -> tuple[str, ...]:
        """What any source and the target carry."""
        given = {name for side in self.sources for name in carried(side)}
        return tuple(name for name in carried(self.target) if name in given)

    @property
    def chance(self) -> float:
        """The share of scenes that guesses get wholly right."""
        return prod(CHANCE[name] for name in self.scored)


def carried(side: Side) -> tuple[str, ...]:
    """Return what a side carries; words carry what has a name."""
    return captions.NAMEABLE if side == "text" else CARRIED[side]


def directions() -> tuple[Direction, ...]:
    """Return all: three media to text, four sides to three media, three pairs of media to text, and words with each."""
    told = [Direction(sources=(kind,), target="text") for kind in KINDS]
    sides: tuple[Side, ...] = ("text", *KINDS)
    made = [Direction(sources=(side,), target=kind) for side in sides for kind in KINDS]
    pairs = [
        Direction(sources=(first, second), target="text")
        for number, first in enumerate(KINDS)
        for second in KINDS[number + 1 :]
    ]
    mixed = [
        Direction(sources=(kind, "text"), target=next(other for other in KINDS if other != kind))
        for kind in KINDS
    ]
    return (*told, *made, *pairs, *mixed)


def request(direction: Direction, scene: Scene, *, rendering: Rendering, number: int) -> tuple[Message, ...]:
    """Return the conversation that asks for a direction; wordings go round with `number`."""
    media: list[Part] = [render(scene, side, rendering) for side in direction.sources if side != "text"]
    what = captions.phrase(scene) if "text" in direction.sources else "this"
    wordings = dialogues.DESCRIBE if direction.target == "text" else dialogues.OPEN[direction.target]
    words = wordings[number % len(wordings)].format(what=what)
    return (Message(role="user", parts=(*media, Text(text=words))),)


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one answer got right.

    Attributes
    ----------
    right
        By attribute that is scored.
    hue
        Degrees that the hue is off; None where it cannot be read.
    """

    right: dict[str, bool]
    hue: float | None = None

    @property
    def whole(self) -> bool:
        """Whether all was right."""
        return all(self.right.values())


def score(direction: Direction, scene: Scene, *, text: str, media: Sequence[Media]) -> Score:
    """Return what an answer got right; a medium counts only where exactly one of the wanted kind was made."""
    if direction.target == "text":
        said = captions.read(text)
        return Score(right={name: getattr(said, name) == getattr(scene, name) for name in direction.scored})
    wanted = [medium for medium in media if medium.kind == direction.target]
    reading = readers.read(wanted[0]) if len(wanted) == 1 else None
    hue = None if reading is None else readers.hue_error(reading, scene.hue)
    return Score(right={name: readers.right(reading, scene, name) for name in direction.scored}, hue=hue)
