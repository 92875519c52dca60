"""Pictures and clips of scenes."""

import colorsys
from dataclasses import replace

import numpy as np
import pytest

from sulan.anytoany import drawing, scenes


@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("shape", scenes.SHAPES)
def test_a_picture_keeps_its_hue(shape, size):
    scene = replace(scenes.sample(0, 0), shape=shape, count=4, size="big", x=0.35, y=0.65)
    clip = drawing.video(replace(scene, motion="left"), size, 4).frames
    assert clip.shape == (4, size, size, 3)
    pixels = drawing.image(scene, size).pixels
    missing = (255.0 - pixels).reshape(-1, 3).sum(0)
    found = colorsys.rgb_to_hsv(*(1 - missing / missing.max()))[0] * 360
    assert pixels.shape == (size, size, 3)
    assert found == pytest.approx(scene.hue, abs=15)


def test_the_middle_of_what_is_drawn_moves_as_the_scene_says():
    scene = replace(scenes.sample(0, 1), count=1, shape="circle", x=0.5, y=0.5)
    moves: dict[scenes.Motion, tuple[float, float]] = {
        "left": (-0.16, 0),
        "right": (0.16, 0),
        "up": (0, -0.16),
        "down": (0, 0.16),
    }
    for motion, expected in moves.items():
        frames = drawing.video(replace(scene, motion=motion), 32, 4).frames
        weight = (255.0 - frames).sum(-1)
        places = (np.arange(32) + 0.5) / 32
        x = (weight.sum(1) * places).sum(1) / weight.sum((1, 2))
        y = (weight.sum(2) * places).sum(1) / weight.sum((1, 2))
        assert (x[-1] - x[0], y[-1] - y[0]) == pytest.approx(expected, abs=0.01)
