"""Emitters estimated from a field, and what inserted meshes look like in their light."""

from typing import Any

import numpy
import pytest

from radiance import measured_light, places
from sulan.radiance import cameras, collider, comparison, emission, emitters, lighting

pytestmark = pytest.mark.xdist_group("radiance")


def estimated(mi: Any, *, lamp: bool, steps: int = 0) -> emitters.Estimated:
    field = places.room(resolution=25, lamp=lamp)
    grid = collider.collider(field, smallest=0.0, fill=False, bright=True).grid
    views = cameras.orbit(
        8, width=24, height=24, target=(0.0, 0.0, 1.0), radius=0.7, rise=0.0, field_of_view=90.0
    )
    return emitters.estimate(mi, field, grid, views, threshold=5.0, steps=steps, samples=4, seed=0)


def test_a_lamp_in_the_air_is_found_with_place_and_power(mi):
    found = estimated(mi, lamp=True)
    [light] = found.lights
    away = numpy.linalg.norm(numpy.subtract(light.centre, places.LAMP_CENTRE))
    assert away < 0.05 * 2.0
    # The lamp's nodes end between two of the grid: its radius is known to half a voxel.
    half = 0.5 * 2.0 / 24
    least, most = (
        4 * numpy.pi**2 * (places.LAMP_RADIUS + d) ** 2 * places.LAMP_RADIANCE for d in (-half, 1.5 * half)
    )
    assert least < numpy.mean(light.power) < most
    assert found.shares.shape[3] == 2
    assert found.shares.sum(axis=3).max() == pytest.approx(1, abs=1e-3)
    assert found.shares[0, 6, 6, 0] > 0.2  # of the floor under it


def test_no_lamp_is_an_answer(mi):
    found = estimated(mi, lamp=False)
    assert found.lights == ()
    assert found.candidates == 0
    assert found.shares.shape[3] == 1


def test_fitting_lowers_the_loss_and_lights_nothing_that_may_not_emit(mi):
    """A square lamp above a square floor, fitted from half its radiance."""
    square = numpy.asarray([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    vertices = numpy.concatenate([square, 0.4 * square[::-1] + [0, 0, 1]])
    faces = numpy.asarray([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    shines = numpy.zeros((4, 3))
    shines[2:] = 6.0
    view = places.camera(side=16, place=(0.0, -2.2, 0.6), target=(0.0, 0.0, 0.4))
    scene = emission._scene(mi, vertices, faces, emission=shines, albedo=numpy.full((4, 3), 0.5))
    truth = mi.render(
        scene, sensor=emission.sensor(mi, view), integrator=mi.load_dict({"type": "path"}), spp=256
    )
    fitted, _, (before, after) = emission.fit(
        mi,
        vertices,
        faces,
        emission=0.5 * shines,
        albedo=numpy.full((4, 3), 0.5),
        views=[(view, numpy.array(truth))],
        steps=25,
        samples=16,
        depth=3,
        seed=0,
    )
    assert after < 0.3 * before
    assert fitted[:2].max() == 0
    assert fitted[2:].mean() == pytest.approx(6.0, rel=0.25)


def test_power_of_a_known_ball_of_light(mi):
    """Phi = 4 pi^2 r^2 L, whatever the grid does to the edge."""
    field = places.room(resolution=33)
    low, high = (numpy.asarray(places.LAMP_CENTRE) + side * 0.34 for side in (-1, 1))
    power, centre, radius = lighting.power(
        mi, field.on_device(mi), low, high, views=numpy.zeros((0, 3)), seed=0
    )
    assert centre == pytest.approx(places.LAMP_CENTRE, abs=0.05)
    assert radius == pytest.approx(places.LAMP_RADIUS, rel=0.15)
    assert power[0] == pytest.approx(4 * numpy.pi**2 * radius**2 * places.LAMP_RADIANCE, rel=0.1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_lamps_are_found_and_where_there_is_none_none(studio):
    """Line 6 of the issue."""
    found = {**measured_light.lamps(studio), **measured_light.no_lamp(studio)}
    assert found["lamps.found"] == 2
    for number in (1, 2):
        assert found[f"lamp.{number}.distance"] < 0.05
        assert found[f"lamp.{number}.power"] < 0.2
    assert found["lamps.courtyard"] == 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_insertion_against_the_room_with_the_meshes_in_it(studio):
    """Line 4 of the issue."""
    found = measured_light.insertion(studio)
    assert found["insertion.mirror.decibels"] >= 3
    assert found["insertion.diffuse.decibels"] >= 1
    assert found["insertion.shadow.error"] <= 0.5 * found["insertion.shadow.error.off"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_costs_beside_path_and_delta_tracking(mi, studio):
    """Line 5 of the issue."""
    assert measured_light.mesh_only(mi)["meshes.cost.ratio.path"] <= 1.3
    found = measured_light.hybrid_scene(mi, studio)
    assert found["hybrid.ratio.delta"] >= 3
    assert found["hybrid.ratio.delta.elsewhere"] >= 3
    assert abs(found["hybrid.ours.mean"] / found["hybrid.delta.mean"] - 1) < 0.01


def test_the_environment_that_others_are_lit_by_is_not_turned(mi):
    """Mitsuba's `envmap` of a field shows in every direction what the field itself shows from its middle."""
    field = places.room(resolution=17)
    volume = field.on_device(mi)
    image = comparison.environment(mi, volume, seed=0)
    scene = mi.load_dict({"type": "scene", "light": comparison._light(mi, image)})
    directions = numpy.random.default_rng(0).normal(size=(400, 3))
    directions /= numpy.linalg.norm(directions, axis=1, keepdims=True)
    found = scene.ray_intersect(mi.Ray3f(mi.Point3f(0), mi.Vector3f(directions.T.astype("f"))))
    seen = numpy.array(scene.environment().eval(found)).T
    middle = numpy.broadcast_to([0.0, 0.0, 1.0], directions.shape)
    real = lighting.radiance(mi, volume, middle, directions, seed=1)
    towards = numpy.asarray(places.LAMP_CENTRE) - [0.0, 0.0, 1.0]
    lamp = directions @ (towards / numpy.linalg.norm(towards)) > 0.95
    assert real[lamp].mean() > 5
    assert seen[lamp].mean() == pytest.approx(real[lamp].mean(), rel=0.1)
    assert numpy.median(abs(seen - real)) < 0.02
