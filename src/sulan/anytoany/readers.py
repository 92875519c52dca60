"""Read a scene back from a medium in closed form: nothing here is learned.

Pictures: a mixture of one hue with white gives hue and cover of every pixel; the cover is compared with what every
shape, count and size would give at the same centre of mass. Clips: the same over their frames, and the path of the
centre of mass beside the paths of all motions. Sounds: see `listening`. What fits no scene is read as None.
`check` is the gate: who evaluates runs it first, at the media's own sizes.
"""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sulan.anytoany import drawing, listening, scenes
from sulan.anytoany.media import KINDS, Audio, Image, Kind, Media, Video
from sulan.anytoany.reading import Reading
from sulan.anytoany.rendering import Rendering, render
from sulan.anytoany.scenes import CARRIED, COUNTS, MOTIONS, SHAPES, SIZES, Motion, Scene, Shape, Size
from sulan.errors import BackendError
from sulan.runs import seeds

READ = 0.995
"""Share of fresh renders that the gate wants read right in all attributes (a colour within 5 degrees of the border
of two names counts as either)."""

REFUSED = 0.95
"""Share of noise and blank media that it wants read as None."""

POSITION = 0.05
"""A middle is read right within this share of the picture: 1.6 pixels of 32."""

_MISFIT = 0.55
"""Most distance between a picture's cover and the best scene's, relative to the latter: above, there is no scene."""

_POINTS = 8


def read(media: Media) -> Reading | None:
    """Return what a medium shows, or None where it shows no scene."""
    if isinstance(media, Audio):
        return listening.read(media)
    frames = media.pixels[None] if isinstance(media, Image) else media.frames
    return _seen(frames, moving=isinstance(media, Video))


def right(reading: Reading | None, scene: Scene, name: str) -> bool:
    """Return whether one attribute of a scene was read right."""
    if reading is None:
        return False
    if name == "position":
        if reading.x is None or reading.y is None:
            return False
        return max(abs(reading.x - scene.x), abs(reading.y - scene.y)) <= POSITION
    return getattr(reading, name) == getattr(scene, name)


def hue_error(reading: Reading, hue: float) -> float:
    """Return the read hue less `hue` in degrees, in [-180, 180).

    Examples
    --------
    >>> hue_error(Reading(hue=350.0, shape="ring", count=1, size="big"), 10.0)
    -20.0
    """
    return (reading.hue - hue + 180) % 360 - 180


@dataclass(frozen=True, kw_only=True)
class Gate:
    """How well the readers read one medium: shares of fresh renders read right, and of nothing refused."""

    kind: Kind
    read: float
    refused: float
    count: int

    @property
    def passed(self) -> bool:
        """Whether an evaluation may believe the readers."""
        return self.read >= READ and self.refused >= REFUSED


def check(
    rendering: Rendering, *, count: int = 200, seed: int = 0, kinds: Sequence[Kind] = KINDS
) -> list[Gate]:
    """Return how well the readers do on `count` fresh renders and as many media without a scene, for each kind."""
    found = []
    for kind in kinds:
        fresh = [scenes.sample(seed, number, split="test") for number in range(count)]
        good = sum(_all_right(read(render(scene, kind, rendering)), scene, kind) for scene in fresh)
        empty = [read(nothing(kind, rendering, seed, number)) is None for number in range(count)]
        found.append(Gate(kind=kind, read=good / count, refused=sum(empty) / count, count=count))
    return found


def require(
    rendering: Rendering, *, count: int = 200, seed: int = 0, kinds: Sequence[Kind] = KINDS
) -> list[Gate]:
    """Return the gates of `check`.

    Raises
    ------
    BackendError
        One of them is not passed: nothing that these readers say would be worth printing.
    """
    gates = check(rendering, count=count, seed=seed, kinds=kinds)
    for gate in gates:
        if not gate.passed:
            raise BackendError(
                f"the reader of {gate.kind} reads {gate.read:.1%} of fresh scenes and refuses {gate.refused:.1%} of "
                f"what is none; {READ:.1%} and {REFUSED:.1%} are wanted",
                hint="larger media are easier to read: 32 pixels, one second at 16000 samples",
            )
    return gates


def nothing(kind: Kind, rendering: Rendering, seed: int, number: int) -> Media:
    """Return a medium without a scene: number 0, 4, 8... blank, the others noise, even, coarse or faint."""
    generator = seeds.generator(seed, f"anytoany nothing {kind} {number}")
    form = number % 4
    if kind == "audio":
        length = round(rendering.rate * rendering.seconds)
        noise = generator.standard_normal(length)
        scale = (0.0, 0.2, 0.2, 0.002)[form]
        if form == 2:
            noise = np.repeat(noise[: length // 8 + 1], 8)[:length]
        return Audio(samples=np.clip(scale * noise, -1, 1).astype(np.float32), rate=rendering.rate)
    size, frames = rendering.size, rendering.frames if kind == "video" else 1
    if form == 0:
        level = int(generator.integers(256))
        pixels = np.full((frames, size, size, 3), level, np.uint8)
    elif form == 2:
        coarse = generator.integers(0, 256, (frames, size // 4, size // 4, 3), np.uint8)
        pixels = coarse.repeat(4, axis=1).repeat(4, axis=2)
    else:
        low = 0 if form == 1 else 248
        pixels = generator.integers(low, 256, (frames, size, size, 3), np.uint8)
    return Image(pixels=pixels[0]) if kind == "image" else Video(frames=pixels, rate=drawing.RATE)


def _all_right(reading: Reading | None, scene: Scene, kind: Kind) -> bool:
    if reading is None:
        return False
    border = abs((scene.hue + 22.5) % 45)
    near = min(border, 45 - border) < 5 and abs(hue_error(reading, scene.hue)) < 5
    return all(right(reading, scene, name) or (name == "colour" and near) for name in CARRIED[kind])


def _seen(frames: NDArray[np.uint8], *, moving: bool) -> Reading | None:
    missing = (255.0 - frames) / 255
    total = missing.sum(axis=(0, 1, 2))
    if total.max() < len(frames) or total.max() - total.min() < 0.3 * total.max():
        return None  # less than a pixel of colour, or grey
    # A pixel is white less cover (white - colour): its missing light is cover times one direction.
    direction = (total - total.min()) / (total.max() - total.min())
    cover = np.clip(missing @ direction / (direction @ direction), 0, 1.2)
    if np.square(missing - cover[..., None] * direction).sum() > 0.35 * np.square(missing).sum():
        return None
    cover = np.where(cover < 0.06, 0.0, cover)
    if (cover.sum(axis=(1, 2)) < 0.5).any():
        return None
    across, down = _centres(cover)
    fits = [
        (_misfit(cover, across, down, shape, count, size), shape, count, size)
        for shape in SHAPES
        for count in COUNTS
        for size in SIZES
    ]
    misfit, shape, count, size = min(fits)
    if misfit > _MISFIT:
        return None
    middle = _template(shape, count, size, frames.shape[1])[1]
    motion = _motion(across, down) if moving else None
    hue = _hue(1 - direction)
    return Reading(
        hue=hue,
        shape=shape,
        count=count,
        size=size,
        x=float(across.mean()) - middle[0],
        y=float(down.mean()) - middle[1],
        motion=motion,
    )


def _hue(colour: NDArray[np.float64]) -> float:
    return 360 * colorsys.rgb_to_hsv(*(float(part) for part in colour))[0]


def _centres(cover: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centres of mass [frames] across and down, as shares of the picture."""
    places = (np.arange(cover.shape[1]) + 0.5) / cover.shape[1]
    mass = cover.sum(axis=(1, 2))
    return (cover.sum(axis=1) @ places) / mass, (cover.sum(axis=2) @ places) / mass


def _misfit(
    cover: NDArray[np.float64],
    across: NDArray[np.float64],
    down: NDArray[np.float64],
    shape: Shape,
    count: int,
    size: Size,
) -> float:
    """Return the distance to a scene's cover relative to that cover, mean over frames; at the centres of mass."""
    pixels = cover.shape[1]
    fine, middle = _template(shape, count, size, pixels)
    expected = fine.sum() / _POINTS**2
    mass = float(np.median(cover.sum(axis=(1, 2))))
    if not 0.5 < mass / expected < 2:
        return np.inf
    total = 0.0
    for one, x, y in zip(cover, across, down, strict=True):
        shift = [
            round((value - 0.5 - part) * pixels * _POINTS)
            for value, part in zip((y, x), middle[::-1], strict=True)
        ]
        moved = np.roll(fine, shift, axis=(0, 1))
        drawn = (
            moved.reshape(pixels, _POINTS, pixels, _POINTS).sum(axis=(1, 3), dtype=np.float64) / _POINTS**2
        )
        total += np.square(one - drawn).sum() / np.square(drawn).sum()
    return float(np.sqrt(total / len(cover)))


@lru_cache(maxsize=512)
def _template(
    shape: Shape, count: int, size: Size, pixels: int
) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """Return which fine points a group in the middle covers, and how far from there its centre of mass is."""
    scene = Scene(hue=0.0, shape=shape, count=count, size=size, x=0.5, y=0.5, motion="still")
    fine = drawing.points(scene, pixels * _POINTS, 0.0, 0.0)
    places = (np.arange(pixels * _POINTS) + 0.5) / (pixels * _POINTS)
    mass = fine.sum()
    middle = (float(fine.sum(axis=0) @ places / mass) - 0.5, float(fine.sum(axis=1) @ places / mass) - 0.5)
    return fine.astype(np.uint8), middle


def _motion(across: NDArray[np.float64], down: NDArray[np.float64]) -> Motion:
    """Return the motion whose path is nearest, each path taken about its own middle."""
    found: dict[Motion, float] = {}
    for motion in MOTIONS:
        path = np.array([drawing.offset(motion, frame, len(across)) for frame in range(len(across))])
        found[motion] = _apart(across, path[:, 0]) + _apart(down, path[:, 1])
    return min(found, key=lambda motion: found[motion])


def _apart(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(np.square((first - first.mean()) - (second - second.mean())).sum())
