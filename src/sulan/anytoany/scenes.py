"""The law of the small world: what a scene is, and seeded scenes with some combinations held out.

A scene is drawn by `sulan.anytoany.drawing` and sounded by `sulan.anytoany.sounding`. Not every medium carries
every attribute: a still picture has no motion, a sound no height; `CARRIED` says which carries what.
"""

from dataclasses import asdict, dataclass
from typing import Literal

from sulan.anytoany.media import Kind
from sulan.errors import InputError
from sulan.runs import seeds

Shape = Literal["circle", "square", "triangle", "star", "cross", "ring"]
Size = Literal["small", "big"]
Motion = Literal["still", "left", "right", "up", "down", "rotate"]
Split = Literal["train", "test", "combinations"]

SHAPES: tuple[Shape, ...] = ("circle", "square", "triangle", "star", "cross", "ring")
SIZES: tuple[Size, ...] = ("small", "big")
MOTIONS: tuple[Motion, ...] = ("still", "left", "right", "up", "down", "rotate")
COLOURS: tuple[str, ...] = ("red", "orange", "green", "teal", "cyan", "blue", "purple", "pink")
"""Names of eighths of the hue circle; the first is centred on 0 degrees, every next one 45 degrees on."""

COUNTS: tuple[int, ...] = (1, 2, 3, 4)
HELD_OUT: frozenset[tuple[str, Shape]] = frozenset(
    {("blue", "star"), ("red", "ring"), ("green", "cross"), ("pink", "square")}
)
"""Colour and shape that never meet in training, in any stage."""

CARRIED: dict[Kind, tuple[str, ...]] = {
    "image": ("colour", "shape", "count", "size", "position"),
    "audio": ("colour", "shape", "count", "size", "motion"),
    "video": ("colour", "shape", "count", "size", "position", "motion"),
}
"""What can be read from a medium. Sound: pitch within its octave is hue, the octave size, timbre shape."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A number of equal shapes of one colour, and how they move.

    Attributes
    ----------
    hue
        Degrees in [0, 360).
    shape, count, size, motion
        What there is.
    x, y
        Middle of the group as shares of the picture in [0, 1], from the left and from the top.
    """

    hue: float
    shape: Shape
    count: int
    size: Size
    x: float
    y: float
    motion: Motion

    def __post_init__(self) -> None:
        """Refuse what the law does not know."""
        known = (self.shape in SHAPES, self.size in SIZES, self.motion in MOTIONS, self.count in COUNTS)
        if not all(known) or not (0 <= self.hue < 360 and 0 <= self.x <= 1 and 0 <= self.y <= 1):
            raise InputError(f"there is no such scene in the small world: {asdict(self)}")

    @property
    def colour(self) -> str:
        """The name of the hue."""
        return colour(self.hue)


def colour(hue: float) -> str:
    """Return the name whose middle is nearest: COLOURS[round(hue / 45) mod 8].

    A system that passes on the name alone errs in hue by at least 45 / sqrt(12) = 13.0 degrees (root mean square).

    Examples
    --------
    >>> colour(350.0), colour(22.0), colour(23.0), colour(225.0)
    ('red', 'red', 'orange', 'blue')
    """
    return COLOURS[int((hue % 360 + 22.5) // 45) % len(COLOURS)]


def held_out(scene: Scene) -> bool:
    """Return whether the scene's colour and shape are kept from training."""
    return (scene.colour, scene.shape) in HELD_OUT


def sample(seed: int, number: int, *, split: Split = "train") -> Scene:
    """Return scene `number` of a split; it depends on seed, split and number alone.

    Parameters
    ----------
    seed
        Of the world.
    number
        From 0.
    split
        `train` and `test` have no held-out combination, `combinations` nothing else.
    """
    generator = seeds.generator(seed, f"anytoany scene {split} {number}")
    while True:
        scene = Scene(
            hue=round(float(generator.uniform(0, 360)), 2) % 360,
            shape=SHAPES[int(generator.integers(len(SHAPES)))],
            count=COUNTS[int(generator.integers(len(COUNTS)))],
            size=SIZES[int(generator.integers(len(SIZES)))],
            x=round(float(generator.uniform(0.35, 0.65)), 3),
            y=round(float(generator.uniform(0.35, 0.65)), 3),
            motion=MOTIONS[int(generator.integers(len(MOTIONS)))],
        )
        if held_out(scene) == (split == "combinations"):
            return scene
