"""Draw a scene as a picture or a clip: flat shapes of one hue on white, anti-aliased.

Every pixel is the mean of 8 x 8 points, so that area and centre of a shape survive at 16 x 16, and a mixture with
white keeps its hue. Whatever moves stays whole inside the picture. Not covered: light, texture, overlap.
"""

import colorsys
import math

import numpy as np
from numpy.typing import NDArray

from sulan.anytoany.media import Image, Video
from sulan.anytoany.scenes import Motion, Scene, Shape, Size

RADIUS: dict[Size, float] = {"small": 0.08, "big": 0.13}
"""Outer radius of a shape as a share of the picture."""

SPACING = 0.28
"""Between the middles of neighbours: two big ones do not touch."""

TRAVEL = 0.08
"""How far from its place a moving group goes: 0.35 - (0.28 / 2 + 0.13) - 0.08 = 0 leaves it inside."""

RATE = 8.0
_POINTS = 8
_PLACES = {
    1: ((0.0, 0.0),),
    2: ((-0.5, 0.0), (0.5, 0.0)),
    3: ((-0.5, 0.5), (0.5, 0.5), (0.0, -0.5)),
    4: ((-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)),
}
_STEPS: dict[Motion, tuple[float, float]] = {
    "still": (0.0, 0.0),
    "left": (-1.0, 0.0),
    "right": (1.0, 0.0),
    "up": (0.0, -1.0),
    "down": (0.0, 1.0),
    "rotate": (0.0, 0.0),
}


def image(scene: Scene, size: int) -> Image:
    """Return the scene's picture, `size` pixels a side; its motion cannot be seen."""
    return Image(pixels=_render(scene, size, 0.0, 0.0))


def video(scene: Scene, size: int, frames: int) -> Video:
    """Return the scene's clip: a group crosses its place once, or circles about it once.

    At time t in [0, 1] it is at place + TRAVEL (2 t - 1) direction, or place + TRAVEL (cos 2 pi t, sin 2 pi t).
    """
    pictures = [_render(scene, size, *offset(scene.motion, frame, frames)) for frame in range(frames)]
    return Video(frames=np.stack(pictures), rate=RATE)


def offset(motion: Motion, frame: int, frames: int) -> tuple[float, float]:
    """Return how far right and down of its place a group is in a frame, as shares of the picture."""
    if motion == "rotate":
        turn = 2 * math.pi * frame / frames
        return TRAVEL * math.cos(turn), TRAVEL * math.sin(turn)
    step = TRAVEL * (2 * frame / max(1, frames - 1) - 1)
    across, down = _STEPS[motion]
    return step * across, step * down


def points(scene: Scene, side: int, across: float, down: float) -> NDArray[np.bool_]:
    """Return which points of a square [side, side] the group covers when it is `across` and `down` of its place."""
    places = (np.arange(side) + 0.5) / side
    covered = np.zeros((side, side), bool)
    for right, below in _PLACES[scene.count]:
        horizontal = places[None, :] - (scene.x + across + SPACING * right)
        vertical = places[:, None] - (scene.y + down + SPACING * below)
        covered |= _inside(scene.shape, horizontal / RADIUS[scene.size], vertical / RADIUS[scene.size])
    return covered


def _render(scene: Scene, size: int, across: float, down: float) -> NDArray[np.uint8]:
    fine = points(scene, size * _POINTS, across, down)
    cover = fine.reshape(size, _POINTS, size, _POINTS).mean(axis=(1, 3))[..., None]
    colour = np.array(colorsys.hsv_to_rgb(scene.hue / 360, 1.0, 0.9))
    return np.round(255 * (1 - cover + cover * colour)).astype(np.uint8)


def _inside(shape: Shape, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which points, in radii from the middle and y downwards, belong to a shape."""
    distance = np.hypot(x, y)
    if shape == "circle":
        return distance <= 1
    if shape == "ring":
        return (distance <= 1) & (distance >= 0.55)
    if shape == "square":
        return np.maximum(abs(x), abs(y)) <= 0.8
    if shape == "cross":
        return (np.maximum(abs(x), abs(y)) <= 1) & (np.minimum(abs(x), abs(y)) <= 0.3)
    if shape == "triangle":
        return (y <= 0.8) & (y >= 2 * abs(x) - 1)
    # Star: in each of ten equal wedges the edge is a line from a tip, radius 1, to a notch, radius 0.4.
    wedge = math.pi / 5
    angle = np.arctan2(x, -y) % (2 * wedge)
    angle = np.minimum(angle, 2 * wedge - angle)
    notch_x, notch_y = 0.4 * math.cos(wedge), 0.4 * math.sin(wedge)
    along, aside = distance * np.cos(angle), distance * np.sin(angle)
    return (notch_x - 1) * aside - notch_y * (along - 1) >= 0
