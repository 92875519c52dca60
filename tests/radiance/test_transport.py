"""The hybrid light transport against closed forms, the NumPy oracle and Mitsuba's own path tracer."""

from typing import Any

import numpy
import pytest

from radiance import places
from sulan.radiance import coordinates, frames, integrator, lighting, oracle, scenes
from sulan.radiance.field import Field
from sulan.radiance.pieces import PiecedVolume
from sulan.radiance.volume import GridVolume

pytestmark = pytest.mark.xdist_group("radiance")

SPHERE = {"centre": (0.1, 0.0, 1.0), "radius": 0.45}


def sphere(bsdf: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "sphere",
        "center": list(SPHERE["centre"]),
        "radius": SPHERE["radius"],
        "bsdf": bsdf,
        **more,
    }


def mirror() -> dict[str, Any]:
    return {"type": "conductor", "material": "none"}


def white() -> dict[str, Any]:
    return {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": {"type": "rgb", "value": 1.0}}}


def shown(
    mi: Any, field: Field | None, shapes: dict[str, Any], *, samples: int, side: int = 24, **more: Any
) -> Any:
    """Render the hybrid of a field and shapes."""
    volume = GridVolume.of(mi, field, step=0.25) if field is not None else None
    scene = mi.load_dict({"type": "scene", **shapes})
    made = integrator.hybrid(mi, volume=volume, **more)
    return frames.picture(mi, scene, made, places.camera(side=side), samples=samples, seed=1)


def by_oracle(field: Field, spheres: tuple[oracle.Sphere, ...], *, side: int, steps: int) -> numpy.ndarray:
    """The same view by the oracle, with nine rays a pixel."""
    view = places.camera(side=side)
    total = numpy.zeros((side, side, 3))
    for y in (1 / 6, 1 / 2, 5 / 6):
        for x in (1 / 6, 1 / 2, 5 / 6):
            place = iter((x, y))
            rays = oracle.pinhole(
                view.pose,
                width=side,
                height=side,
                focal=view.focal[0],
                offset=lambda place=place: next(place),
            )
            total += oracle.trace(field, spheres, *rays, bounces=2, steps=steps).reshape(total.shape)
    return total / 9


class TestAgainstTheOracle:
    def test_field_alone(self, mi):
        field = places.blob()
        truth = by_oracle(field, (), side=24, steps=100)
        image = shown(mi, field, {}, samples=640).beauty
        assert truth.std() > 0.02
        assert ((image - truth) ** 2).mean() < 5e-6

    def test_mirror_sphere(self, mi):
        field = places.blob()
        truth = by_oracle(field, (oracle.Sphere(**SPHERE, surface="mirror"),), side=24, steps=100)
        image = shown(mi, field, {"sphere": sphere(mirror())}, samples=640, bounces=2).beauty
        assert ((image - by_oracle(field, (), side=24, steps=50)) ** 2).mean() > 1e-4  # the sphere is seen
        # Nine rays are too few for the oracle where a pixel is partly sphere: there it gets 24 x 24.
        view = places.camera(side=24)
        covered = oracle.Sphere(**SPHERE).hit(*view.rays()).reshape(24, 24) < numpy.inf
        edge = numpy.zeros_like(covered)
        for axis in (0, 1):
            for shift in (-1, 1):
                edge |= covered ^ numpy.roll(covered, shift, axis=axis)
        fine = view.resized(24 * 24, 24 * 24)
        chosen = numpy.kron(edge, numpy.ones((24, 24), dtype=bool)).ravel()
        rays = (part[chosen] for part in fine.rays())
        parts = numpy.zeros((len(chosen), 3))
        parts[chosen] = oracle.trace(
            field, (oracle.Sphere(**SPHERE, surface="mirror"),), *rays, bounces=2, steps=50
        )
        truth[edge] = parts.reshape(24, 24, 24, 24, 3).mean(axis=(1, 3))[edge]
        assert ((image - truth) ** 2)[~edge].mean() < 5e-6
        assert ((image - truth) ** 2).mean() < 5e-6

    def test_device_and_oracle_look_up_the_same(self, mi):
        field = places.room(resolution=9)
        field.values[..., 4:] = numpy.random.default_rng(0).normal(size=field.values[..., 4:].shape) * 0.2
        random = numpy.random.default_rng(1)
        points = random.uniform(places.LOW, places.HIGH, size=(500, 3))
        directions = random.normal(size=(500, 3))
        directions /= numpy.linalg.norm(directions, axis=1, keepdims=True)
        density, radiance = field.query(points, directions)
        volume = GridVolume.of(mi, field)
        p, d = mi.Point3f(points.T.astype("f")), mi.Vector3f(directions.T.astype("f"))
        on_device = volume.query(p, d, mi.Bool(True))
        assert numpy.allclose(on_device[0].numpy(), density, rtol=2e-4, atol=1e-4)
        assert numpy.allclose(numpy.array(on_device[1]).T, radiance, rtol=2e-4)
        assert numpy.allclose(volume.density(p, mi.Bool(True)).numpy(), density, rtol=2e-4, atol=1e-4)
        behind = numpy.array(volume.background(d, mi.Bool(True))).T
        assert numpy.allclose(behind, field.background(directions), rtol=2e-4)


class TestClosedForms:
    @pytest.mark.parametrize("density", [0.0, 0.5, 3.0, 60.0])
    def test_slab(self, mi, density):
        """L = r (1 - exp(-sigma d)) + exp(-sigma d) B; the march ends where 1e-4 of the light is left."""
        field = places.constant(density=density, radiance=0.7)
        field.environment[:] = numpy.log(0.2)
        volume = GridVolume.of(mi, field)
        light = lighting.radiance(
            mi, volume, numpy.asarray([[-5.0, 0.3, 1.1]]), numpy.asarray([[1.0, 0.0, 0.0]]), seed=0
        )
        assert light[0] == pytest.approx(
            0.7 * -numpy.expm1(-2 * density) + 0.2 * numpy.exp(-2 * density), abs=1e-4
        )

    def test_oracle_converges_quadratically(self):
        field = places.blob(resolution=40)
        ray = numpy.asarray([[-3.0, 0.2, 1.1]]), numpy.asarray([[1.0, 0.0, 0.0]])
        exact, _ = oracle.integrate(field, *ray, numpy.asarray([9.0]), steps=12800)
        errors = [
            abs(oracle.integrate(field, *ray, numpy.asarray([9.0]), steps=steps)[0] - exact).max()
            for steps in (200, 400, 800)
        ]
        assert errors[0] / errors[2] > 8  # 16 for a smooth field; this one has kinks at its nodes

    @pytest.mark.parametrize("density", [0.0, 2.0])
    def test_white_furnace_at_every_depth(self, mi, density):
        """A white sphere in a world of radiance 1 is invisible, whatever the field's density."""
        field = places.constant(density=density)
        for bounces in (1, 2, 4, 8, 16):
            image = shown(
                mi, field, {"sphere": sphere(white())}, samples=1024, side=10, bounces=bounces
            ).beauty
            assert image.min() >= 0.995
            assert image.max() <= 1.005

    def test_white_furnace_with_aimed_lights(self, mi):
        """Aiming at lights changes the noise, not the mean."""
        light = scenes.Light(
            centre=(0.9, -0.5, 1.8), radius=0.2, extent=(0.4, 0.4, 0.4), power=(1.0, 1.0, 1.0)
        )
        field = places.constant(density=0.5)
        made = shown(
            mi, field, {"sphere": sphere(white())}, samples=1024, side=10, bounces=3, lights=(light,)
        )
        assert abs(made.beauty.mean() - 1) < 0.005
        assert (abs(made.beauty - 1).mean(axis=2) < 5 * made.error + 2e-3).all()


class TestLimits:
    def test_without_a_field_it_is_the_path_tracer(self, mi):
        """Each pixel within three standard errors of Mitsuba's path, but for the 0.27 % that chance allows."""
        shapes = {
            "lamp": {
                "type": "sphere",
                "center": [-0.6, -0.4, 1.7],
                "radius": 0.2,
                "emitter": {"type": "area", "radiance": {"type": "rgb", "value": [9.0, 8.0, 6.0]}},
            },
            "ball": sphere({"type": "roughconductor", "alpha": 0.3}),
            "floor": {
                "type": "rectangle",
                "to_world": mi.ScalarTransform4f().translate([0, 0, 0.5]).scale(2.0),
                "bsdf": white(),
            },
        }
        ours = shown(mi, None, shapes, samples=2048, bounces=4)
        path = frames.Plain(integrator=mi.load_dict({"type": "path", "max_depth": 5}))
        theirs = frames.picture(
            mi, mi.load_dict({"type": "scene", **shapes}), path, places.camera(), samples=2048, seed=2
        )
        bright = numpy.asarray([0.212671, 0.715160, 0.072169])
        apart = abs((ours.beauty - theirs.beauty) @ bright)
        error = numpy.sqrt(ours.error**2 + theirs.error**2) + 1e-6
        assert theirs.beauty.max() > 1
        assert (apart > 3 * error).mean() < 0.015
        assert abs(((ours.beauty - theirs.beauty) @ bright).mean()) < 4 * error.mean() / 24

    def test_a_sheet_of_index_one_changes_nothing(self, mi):
        field = places.blob()
        glass = {"type": "dielectric", "int_ior": 1.0, "ext_ior": 1.0}
        without = shown(mi, field, {}, samples=256)
        through = shown(mi, field, {"sphere": sphere(glass)}, samples=256, bounces=4)
        assert ((through.beauty - without.beauty) ** 2).mean() < 5e-6
        assert through.coverage.max() > 0.3

    def test_moving_everything_together_changes_nothing(self, mi):
        field = places.blob()
        field.environment[:] = numpy.log(0.3)  # the sky does not turn with the box
        pose = numpy.eye(4)
        pose[:3, :3] = coordinates.rotation([0.9, 0.2, -0.3, 0.25])
        pose[:3, 3] = [0.4, -0.2, 0.7]
        still = GridVolume.of(mi, field, step=0.25)
        piece = scenes.Piece(name="all", low=places.LOW, high=places.HIGH)
        moved = PiecedVolume.of(still, (piece,), [pose])
        view = places.camera()
        turned = places.camera()
        turned.pose[:] = pose @ view.pose
        centre = (pose @ [*SPHERE["centre"], 1.0])[:3].tolist()
        images = []
        for volume, camera, ball in (
            (still, view, sphere(mirror())),
            (moved, turned, {**sphere(mirror()), "center": centre}),
        ):
            made = integrator.hybrid(mi, volume=volume, bounces=2)
            scene = mi.load_dict({"type": "scene", "ball": ball})
            images.append(frames.picture(mi, scene, made, camera, samples=256, seed=1).beauty)
        assert ((images[0] - images[1]) ** 2).mean() < 5e-6

    def test_exposure_scales_what_is_shown(self, mi):
        field = places.blob()
        brighter = places.blob()
        brighter.values[..., 1:4] += numpy.log(8.0)
        brighter.environment[:] += numpy.log(8.0)
        images = [shown(mi, each, {"s": sphere(mirror())}, samples=16).beauty for each in (field, brighter)]
        assert numpy.allclose(images[1], 8 * images[0], rtol=1e-3)
        assert images[1].max() > 1
