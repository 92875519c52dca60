"""Closed-form readers: right on what is a scene, silent on what is none."""

from dataclasses import replace

import numpy as np
import pytest

from sulan.anytoany import readers, scenes
from sulan.anytoany.media import KINDS, Audio, Image
from sulan.anytoany.rendering import Rendering, render
from sulan.errors import BackendError

TINY = Rendering(size=16, frames=4, seconds=0.5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rendering", [Rendering(), TINY], ids=["32 pixels", "16 pixels"])
def test_readers_pass_their_gate(kind, rendering):
    (gate,) = readers.require(rendering, count=40, seed=5, kinds=[kind])
    assert gate.passed


@pytest.mark.parametrize("kind", KINDS)
def test_hue_is_read_far_finer_than_names_of_colours(kind):
    for number in range(15):
        scene = scenes.sample(8, number)
        reading = readers.read(render(scene, kind, Rendering()))
        assert reading is not None
        assert abs(readers.hue_error(reading, scene.hue)) < 1


def test_a_picture_with_noise_is_still_read():
    for number in range(15):
        scene = scenes.sample(9, number)
        picture = render(scene, "image", Rendering())
        assert isinstance(picture, Image)
        noise = np.random.default_rng(number).normal(0, 6, picture.pixels.shape)
        noisy = Image(pixels=np.clip(picture.pixels + noise, 0, 255).astype(np.uint8))
        reading = readers.read(noisy)
        assert all(readers.right(reading, scene, name) for name in ("shape", "count", "size", "position"))


def test_another_scene_is_read_as_another():
    scene = scenes.sample(1, 1)
    other = replace(scene, count=scene.count % 4 + 1)
    for kind in KINDS:
        assert not readers.right(readers.read(render(other, kind, Rendering())), scene, "count")
    assert not readers.right(None, scene, "count")


def test_broken_sounds_are_no_scene():
    hum = 0.3 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    for samples in (np.zeros(0), np.full(16000, np.nan), np.ones(16000), np.zeros(16000), hum):
        assert readers.read(Audio(samples=samples.astype(np.float32), rate=16000)) is None


def test_media_too_coarse_to_read_are_refused():
    with pytest.raises(BackendError, match="reader of audio"):
        readers.require(Rendering(rate=8000, seconds=0.1), count=20, kinds=["audio"])
