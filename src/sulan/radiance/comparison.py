"""Frames against the truth, beside what else one could have done.

- Image-space compositing: the mesh is rendered by itself under an even light of the field's mean radiance, and laid
  over the field's picture where it is nearer (what compositors and viewer add-ons do).
- Environment lighting: the mesh sees the field as an image at infinity, taken from the middle of the field's box; no
  parallax, no near light.

The region of the meshes is where they cover a pixel by more than half in the truth's view; the region of the shadows is
where the truth is darker than the empty field by more than its noise, outside the meshes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from sulan.errors import InputError
from sulan.radiance import captures, frames, images, integrator, lighting
from sulan.radiance.cameras import Camera
from sulan.radiance.settings import RenderSettings
from sulan.radiance.stage import Stage
from sulan.reports.report import Cell, Table

Array = NDArray[numpy.float64]

ENVIRONMENT = (64, 128)
"""Height and width of the environment image."""

SHADED = 0.92
"""Ratio of truth to the empty scene below which a pixel is in shadow: capture noise is some 5 %."""

MOST = 6
"""Frames that are compared."""

SHOWN = 4
"""Frames whose alternatives are in the report."""


@dataclass(kw_only=True)
class Compared:
    """Mean squared errors (sRGB) of the region of each mesh, by method, and of the shadows.

    Attributes
    ----------
    errors
        Mesh -> method -> squared errors summed over frames, and pixels.
    shadows
        Relative squared error of the shadow region, with and without shadows; None: no pixel is in shadow.
    """

    errors: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    pixels: dict[str, int] = field(default_factory=dict)
    shadow_errors: list[tuple[float, float, int]] = field(default_factory=list)
    shown: list[tuple[NDArray[numpy.floating], ...]] = field(default_factory=list)

    def decibels(self, mesh: str, method: str) -> float:
        """Return the PSNR of a mesh's region by a method."""
        return -10 * float(numpy.log10(max(sum(self.errors[mesh][method]) / self.pixels[mesh], 1e-12)))

    def shadow(self) -> tuple[float, float] | None:
        """Return the relative squared error of the shadow region with shadows and without."""
        count = sum(pixels for _, _, pixels in self.shadow_errors)
        if not count:
            return None
        return (
            sum(on * pixels for on, _, pixels in self.shadow_errors) / count,
            sum(off * pixels for _, off, pixels in self.shadow_errors) / count,
        )

    def metrics(self) -> Mapping[str, float]:
        """Return what the run records: the gain over the better of both alternatives, over all meshes and each."""
        found: dict[str, float] = {}
        gains = []
        for mesh in self.pixels:
            ours = self.decibels(mesh, "hybrid")
            gain = ours - max(self.decibels(mesh, "composite"), self.decibels(mesh, "environment"))
            gains.append(gain)
            name = mesh.replace("-", "_")
            found[f"psnr.{name}"] = round(ours, 3)
            found[f"improvement.{name}.psnr"] = round(gain, 3)
        if gains:
            found["improvement.mesh.psnr"] = round(float(numpy.mean(gains)), 3)
        shadow = self.shadow()
        if shadow is not None:
            found["shadow.error"] = round(shadow[0], 6)
            found["shadow.error.off"] = round(shadow[1], 6)
        return found

    def table(self) -> Table:
        """Return the decibels by mesh and method."""
        rows: list[tuple[Cell, ...]] = [
            (
                mesh,
                *(round(self.decibels(mesh, method), 2) for method in ("hybrid", "composite", "environment")),
            )
            for mesh in self.pixels
        ]
        shadow = self.shadow()
        if shadow is not None:
            rows.append(
                (
                    "shadows: relative squared error, on and off",
                    round(shadow[0], 5),
                    round(shadow[1], 5),
                    None,
                )
            )
        return Table(
            title="Against the truth, region of each mesh, PSNR (sRGB), dB",
            columns=("mesh", "here", "image-space compositing", "environment light only"),
            rows=tuple(rows),
        )

    def pictures(self) -> Mapping[str, bytes]:
        """Return truth and methods side by side."""
        from sulan.radiance.pictures import sheet

        if not self.shown:
            return {}
        images_ = [image for column in range(4) for image in (row[column] for row in self.shown)]
        caption = "Rows: truth, here, image-space compositing, environment light only"
        return {caption: sheet(images_, columns=len(self.shown))}


def compare(
    loaded: Stage,
    views: list[Camera],
    folder: Path,
    *,
    truth: Path,
    samples: int,
    seed: int,
    settings: RenderSettings,
) -> Compared:
    """Compare rendered frames with the truth; see `sulan radiance render`.

    Raises
    ------
    InputError
        The truth has other cameras, or the scene no field or no mesh.
    """
    real = captures.read(truth)
    if len(real) < len(views):
        raise InputError(f"{truth} has {len(real)} views for {len(views)} cameras")
    if loaded.volume is None or not loaded.scene.things:
        raise InputError("a comparison needs a field and a mesh in it")
    found = Compared()
    for number in range(0, len(views), max(1, -(-len(views) // MOST))):
        view, image = views[number], real[number].image
        if image.shape[:2] != (view.height, view.width) or not numpy.allclose(
            real[number].camera.pose, view.pose, atol=1e-4
        ):
            raise InputError(f"view {number} of {truth} is not of the camera {view.name}")
        _one(found, loaded, view, number, image, folder, samples=samples, seed=seed, settings=settings)
    return found


def _one(
    found: Compared,
    loaded: Stage,
    view: Camera,
    number: int,
    truth: Any,
    folder: Path,
    *,
    samples: int,
    seed: int,
    settings: RenderSettings,
) -> None:
    mi = loaded.mi
    scene, volume = loaded.at(number)
    bare = loaded.integrator(volume, bounces=settings.bounces, shadow="off", aim=settings.aim)
    plain = frames.picture(mi, scene, bare, view, samples=samples, seed=seed)
    ours = images.read(folder / "frames" / f"frame-{number:05d}.exr")[..., :3]
    empty = lighting.radiance(mi, volume, *view.rays(), seed=seed).reshape(truth.shape)
    alone = integrator.hybrid(mi, bounces=0)
    alpha = frames.picture(mi, scene, alone, view, samples=samples, seed=seed).coverage
    visible = numpy.clip(plain.coverage / numpy.maximum(alpha, 1e-3), 0, 1)[..., None]
    path = mi.load_dict({"type": "path", "max_depth": settings.bounces + 1, "hide_emitters": True})
    others = {}
    around = environment(mi, volume, seed=seed)
    for name, light in (("composite", _even(around)), ("environment", _light(mi, around))):
        lit = mi.load_dict({"type": "scene", "light": light, **loaded.shapes(number)})
        mesh = frames.picture(mi, lit, frames.Plain(integrator=path), view, samples=samples, seed=seed)
        others[name] = plain.field + visible * mesh.beauty
    covered = numpy.zeros(alpha.shape, dtype=bool)
    for name, region in regions(loaded, view, number).items():
        covered |= region
        region = region & (plain.coverage > 0.5)
        if not region.any():
            continue
        slot = found.errors.setdefault(name, {"hybrid": [], "composite": [], "environment": []})
        for method, image in (("hybrid", ours), *others.items()):
            squared = ((images.to_srgb(image) - images.to_srgb(truth)) ** 2)[region]
            slot[method].append(float(squared.mean(axis=1).sum()))
        found.pixels[name] = found.pixels.get(name, 0) + int(region.sum())
    bright = [lighting.luminance(image.astype(float)) for image in (truth, empty)]
    shaded = (bright[0] < SHADED * bright[1]) & ~covered & (alpha < 0.02)
    if shaded.any():
        on, off = (images.relative_error(image, truth, mask=shaded) for image in (ours, plain.beauty))
        found.shadow_errors.append((on, off, int(shaded.sum())))
    if len(found.shown) < SHOWN:
        found.shown.append((truth, ours, others["composite"], others["environment"]))


def _even(around: Array) -> dict[str, Any]:
    """Return a light from everywhere with the mean radiance of an environment image."""
    height = around.shape[0]
    sine = numpy.sin(numpy.pi * (numpy.arange(height) + 0.5) / height)
    mean = (around.mean(axis=1) * sine[:, None]).sum(axis=0) / sine.sum()
    return {"type": "constant", "radiance": {"type": "rgb", "value": [float(value) for value in mean]}}


def _light(mi: Any, around: Array) -> dict[str, Any]:
    return {
        "type": "envmap",
        "bitmap": mi.Bitmap(around.astype(numpy.float32)),
        "to_world": mi.ScalarTransform4f().rotate([1, 0, 0], 90),
    }


def environment(mi: Any, volume: Any, *, seed: int) -> Array:
    """Return the field seen from the middle of its box, as Mitsuba's environment image turned to z up."""
    height, width = ENVIRONMENT
    u, v = numpy.meshgrid((numpy.arange(width) + 0.5) / width, (numpy.arange(height) + 0.5) / height)
    sine = numpy.sin(numpy.pi * v)
    # Mitsuba's longitude runs from -z over +x, its pole is +y; turned by 90 degrees about x that is +y over +x, and +z.
    directions = numpy.stack(
        [numpy.sin(2 * numpy.pi * u) * sine, numpy.cos(2 * numpy.pi * u) * sine, numpy.cos(numpy.pi * v)],
        axis=-1,
    ).reshape(-1, 3)
    low, high = (numpy.array([float(c[0]) for c in corner]) for corner in (volume.low, volume.high))
    middle = numpy.broadcast_to((low + high) / 2, directions.shape)
    return lighting.radiance(mi, volume, middle, directions, seed=seed).reshape(height, width, 3)


def regions(loaded: Stage, view: Camera, number: int) -> dict[str, NDArray[numpy.bool_]]:
    """Return the pixels whose centre meets each thing first, `[height, width]` each."""
    mi = loaded.mi
    origins, directions = (part.T.astype(numpy.float32) for part in view.rays())
    ray = mi.Ray3f(mi.Point3f(origins), mi.Vector3f(directions))
    distances = []
    for shape in loaded.shapes(number).values():
        hit = mi.load_dict({"type": "scene", "shape": shape}).ray_intersect_preliminary(ray)
        distances.append(numpy.array(hit.t))
    nearest = numpy.argmin(distances, axis=0)
    met = numpy.isfinite(numpy.min(distances, axis=0))
    return {
        thing.name: ((nearest == index) & met).reshape(view.height, view.width)
        for index, thing in enumerate(loaded.scene.things)
    }
