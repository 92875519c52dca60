"""What is said about scenes: captions in many wordings, and what a caption says, read back from its words.

Wordings do not name a medium, so that one caption is true of a picture, a sound and a clip; only what a medium
carries is said of it. The last wordings are kept from training. Not covered: positions and shades, which have no
names here, on purpose: they are what a caption cannot pass on.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from sulan.anytoany.scenes import COLOURS, MOTIONS, SHAPES, SIZES, Scene

Value = TypeVar("Value", str, int)

NAMEABLE = ("colour", "shape", "count", "size", "motion")
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
MOVING = {
    "still": "standing still",
    "left": "moving left",
    "right": "moving right",
    "up": "moving up",
    "down": "moving down",
    "rotate": "turning round",
}
WORDINGS: tuple[str, ...] = (
    "{what}",
    "there: {what}",
    "we have {what} here",
    "this is {what}",
    "this shows {what}",
    "it is {what}",
    "exactly {what}",
    "simply {what}",
    "just {what}",
    "only {what}",
    "here is {what}",
    "what comes is {what}",
    "you get {what}",
    "nothing but {what}",
    "{what}, nothing else",
    "{what}, that is all",
    "{what} and no more",
    "{what} on an empty ground",
    "a scene of {what}",
    "a scene with {what}",
    "a view of {what}",
    "the scene has {what}",
    "the scene holds {what}",
    "the scene is made of {what}",
    "the whole scene: {what}",
    "in short, {what}",
    "plainly {what}",
    "as far as one can tell, {what}",
    "somebody put {what} here",
    "imagine {what}",
    "think of {what}",
    "all that is there: {what}",
    "behold, {what}",
    "one notices {what}",
)
KEPT_WORDINGS = 4
"""So many of the last wordings are in no training data."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a text says of a scene; None where it says nothing or contradicts itself."""

    colour: str | None
    shape: str | None
    count: int | None
    size: str | None
    motion: str | None


def phrase(scene: Scene, *, carried: Collection[str] = NAMEABLE) -> str:
    """Return the scene in words, without a sentence around them.

    Examples
    --------
    >>> from sulan.anytoany.scenes import Scene
    >>> scene = Scene(hue=230.0, shape="star", count=3, size="small", x=0.5, y=0.5, motion="left")
    >>> phrase(scene)
    'three small blue stars moving left'
    >>> phrase(scene, carried=("colour", "shape"))
    'some blue stars'
    """
    plural = scene.count > 1 or "count" not in carried
    ending = {"cross": "es"}.get(scene.shape, "s") if plural else ""
    words = [
        NUMBERS[scene.count] if "count" in carried else "some",
        scene.size if "size" in carried else "",
        scene.colour if "colour" in carried else "",
        scene.shape + ending if "shape" in carried else "shape" + ("s" if plural else ""),
        MOVING[scene.motion] if "motion" in carried else "",
    ]
    return " ".join(filter(None, words))


def caption(scene: Scene, *, carried: Collection[str] = NAMEABLE, wording: int = 0) -> str:
    """Return a caption in wording number `wording` (counted round) that says what is `carried`."""
    return WORDINGS[wording % len(WORDINGS)].format(what=phrase(scene, carried=carried))


def read(text: str) -> Said:
    """Return what a text says of a scene, from its words alone.

    Examples
    --------
    >>> read("behold, two big red crosses turning round")
    Said(colour='red', shape='cross', count=2, size='big', motion='rotate')
    """
    words = re.findall(r"[a-z]+", text.lower())
    shapes = {form: shape for shape in SHAPES for form in (shape, shape + "s", shape + "es")}
    # "one" begins a phrase only directly before what is counted: "one notices two ..." says two.
    after = {*SIZES, *COLOURS, *shapes, "shape", "shapes"}
    numbers = {word: count for count, word in NUMBERS.items()}
    counted = [numbers[word] for word, following in pairwise(words) if word in numbers and following in after]
    moving = [motion for motion in MOTIONS if MOVING[motion] in " ".join(words)]
    return Said(
        colour=_only([word for word in words if word in COLOURS]),
        shape=_only([shapes[word] for word in words if word in shapes]),
        count=_only(counted),
        size=_only([word for word in words if word in SIZES]),
        motion=_only(moving),
    )


def _only(found: Sequence[Value]) -> Value | None:
    return found[0] if len(set(found)) == 1 else None
