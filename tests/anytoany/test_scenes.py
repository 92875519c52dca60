"""The law of the small world."""

import math

import pytest

from sulan.anytoany import scenes
from sulan.errors import InputError


def test_a_scene_depends_on_seed_split_and_number_alone():
    forwards = [scenes.sample(3, number) for number in range(20)]
    backwards = [scenes.sample(3, number) for number in reversed(range(20))]
    assert forwards == backwards[::-1]
    assert forwards != [scenes.sample(4, number) for number in range(20)]


def test_held_out_combinations_are_in_their_split_alone():
    for split in ("train", "test"):
        assert not any(scenes.held_out(scenes.sample(0, number, split=split)) for number in range(500))
    kept = [scenes.sample(0, number, split="combinations") for number in range(200)]
    assert {(scene.colour, scene.shape) for scene in kept} == set(scenes.HELD_OUT)


def test_training_scenes_show_every_shape_colour_count_size_and_motion():
    found = [scenes.sample(0, number) for number in range(500)]
    for name, values in (
        ("shape", scenes.SHAPES),
        ("colour", scenes.COLOURS),
        ("count", scenes.COUNTS),
        ("size", scenes.SIZES),
        ("motion", scenes.MOTIONS),
    ):
        assert {getattr(scene, name) for scene in found} == set(values)


def test_names_of_colours_force_a_hue_error_of_thirteen_degrees():
    errors = []
    for step in range(36000):
        hue = step / 100
        middle = 45 * scenes.COLOURS.index(scenes.colour(hue))
        errors.append((hue - middle + 180) % 360 - 180)
    assert math.sqrt(sum(error**2 for error in errors) / len(errors)) == pytest.approx(
        45 / math.sqrt(12), rel=1e-4
    )


def test_what_the_law_does_not_know_is_refused():
    with pytest.raises(InputError, match="no such scene"):
        scenes.Scene(hue=360.0, shape="circle", count=1, size="big", x=0.5, y=0.5, motion="still")
