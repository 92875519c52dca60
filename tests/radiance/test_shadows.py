"""Shadows of meshes on the field: where they begin, how soft and of what colour they are."""

from pathlib import Path
from typing import Any

import numpy
import pytest

import sulan
from radiance import places
from sulan.radiance import frames, stage
from sulan.radiance.scenes import Light
from sulan.radiance.shadows import Shadows

pytestmark = pytest.mark.xdist_group("radiance")

LIGHT, BLOCKER, RADIUS = 1.8, 1.2, 0.15
"""Heights of the lamp and of the ball below it, and the ball's radius; the floor is z = 0.2."""

FLOOR = 0.2


@pytest.fixture(scope="session")
def with_ball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty room's scene with a black ball in the air."""
    folder = tmp_path_factory.mktemp("shadows")
    scene = places.folder(folder / "room", places.room(lamp=False))
    for name, material in (("black", "diffuse"), ("red", "sheet")):
        sulan.radiance.insert(
            scene,
            mesh="ball",
            at=(0.0, 0.0, BLOCKER),
            scale=2 * RADIUS,
            material=material,
            colour=(0.0, 0.0, 0.0) if name == "black" else (0.8, 0.1, 0.1),
            out=folder / name,
        )
    return folder


def mask(
    mi: Any, folder: Path, distances: Any, *, radius: float, floor: float = 0.0, samples: int = 4000
) -> Any:
    """Mean of the mask at points of the floor, `distances` away from under the ball, `[n, 3]`."""
    loaded = stage.Stage.load(mi, folder)
    meshes, volume = loaded.at(0)
    light = Light(centre=(0.0, 0.0, LIGHT), radius=radius, extent=(0.1, 0.1, 0.1), power=(1.0, 1.0, 1.0))
    shares = numpy.zeros((2, 2, 2, 2), dtype=numpy.float32)
    shares[..., 0] = 1.0
    made = Shadows.of(mi, volume, shares, (light,), floor=floor)
    count = len(distances)
    places_ = numpy.stack([distances, numpy.zeros(count), numpy.full(count, FLOOR)]).astype(numpy.float32)
    sampler = mi.load_dict({"type": "independent"})
    sampler.seed(0, count * samples)
    points = mi.Point3f(numpy.repeat(places_, samples, axis=1))
    found = numpy.array(made.mask(meshes, points, sampler, mi.Bool(True)))
    assert found.min() >= floor
    assert found.max() <= 1
    return found.reshape(3, count, samples).mean(axis=2).T


def test_the_umbra_s_edge_is_where_geometry_puts_it(mi, with_ball):
    """A point light: the cone that touches the ball meets the floor at h tan(asin(R / d))."""
    edge = (LIGHT - FLOOR) * numpy.tan(numpy.arcsin(RADIUS / (LIGHT - BLOCKER)))
    pixel = 0.02
    distances = numpy.arange(0, 0.8, pixel)
    found = mask(mi, with_ball / "black", distances, radius=1e-3, samples=8)[:, 0]
    assert set(numpy.round(found, 6)) <= {0.0, 1.0} or (abs(found - found.round()) > 0).sum() <= 1
    measured = distances[found > 0.5].min()
    assert abs(measured - edge) <= pixel


def test_the_penumbra_is_monotone_and_as_wide_as_the_light_makes_it(mi, with_ball):
    distances = numpy.linspace(0, 0.8, 17)
    found = mask(mi, with_ball / "black", distances, radius=0.15)[:, 0]
    assert found[0] < 0.3
    assert found[-1] > 0.99
    assert (numpy.diff(found) > -0.02).all()
    assert ((found > 0.05) & (found < 0.95)).sum() >= 3


def test_a_coloured_sheet_casts_a_coloured_shadow(mi, with_ball):
    found = mask(mi, with_ball / "red", numpy.zeros(1), radius=1e-3, samples=8)[0]
    assert found == pytest.approx([0.8, 0.1, 0.1], rel=1e-3)  # in and out again, half of the tint each


def test_nothing_in_the_way_is_exactly_one_and_the_floor_holds(mi, with_ball):
    assert (mask(mi, with_ball / "black", numpy.asarray([0.75, 0.79]), radius=0.01) == 1).all()
    assert mask(mi, with_ball / "black", numpy.zeros(1), radius=0.01, floor=0.25) == pytest.approx(0.25)


def test_off_leaves_the_field_as_it_is_and_on_darkens_only_beneath(mi, with_ball):
    """The layers of a frame: shadow is 1 where nothing shades; beauty = field * shadow + mesh."""
    loaded = stage.Stage.load(mi, with_ball / "black")
    light = Light(centre=(0.0, 0.0, LIGHT), radius=0.05, extent=(0.1, 0.1, 0.1), power=(1.0, 1.0, 1.0))
    loaded.scene = loaded.scene.model_copy(update={"lights": (light,)})
    shares = numpy.zeros((4, 4, 4, 2), dtype=numpy.float32)
    shares[..., 0] = 1.0
    loaded.shares = shares
    meshes, volume = loaded.at(0)
    view = places.camera(side=24, place=(0.0, -0.8, 1.7), target=(0.0, 0.0, 0.4))
    shown = {
        shadow: frames.picture(
            mi, meshes, loaded.integrator(volume, bounces=2, shadow=shadow), view, samples=64, seed=3
        )
        for shadow in ("on", "off")
    }
    assert shown["off"].shadow.min() > 0.999
    on = shown["on"]
    assert on.shadow.min() < 0.2
    assert on.shadow.max() < 1.001
    assert numpy.allclose(on.beauty, on.field * on.shadow + on.mesh, atol=1e-3)
    assert numpy.allclose(on.field, shown["off"].field, atol=1e-3)
