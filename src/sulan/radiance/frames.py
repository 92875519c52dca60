"""One frame: rays through a camera's pixels, the integrator, layers in EXR, an sRGB picture.

A frame is a shard (`runs.shards`): it depends on the scene, the camera, the settings and the seed alone. Samples of one
pixel lie side by side and are summed in order, never by competing threads, so a frame has the same bytes wherever and
however often it is rendered.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy
from numpy.typing import NDArray

from sulan.errors import InputError
from sulan.radiance import backend, images, stage
from sulan.radiance.cameras import Camera, undistorted
from sulan.radiance.integrator import LAYERS
from sulan.radiance.settings import RenderSettings
from sulan.runs import outputs, seeds

LARGEST_WAVE = 1 << 20
"""Paths at once: their state is some 200 bytes each, and a fixed number keeps sums in one order."""

SEQUENCE = (3242174889, 2447445414)
"""2^32 / g and 2^32 / g^2, where g = 1.3247... solves g^3 = g + 1: steps of the additive sequence with which any number
of places covers a square evenly (M. Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018)."""

Image = NDArray[numpy.float32]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A rendered view, linear, `[height, width, 3]` or `[height, width]`.

    Attributes
    ----------
    beauty
        field * shadow + mesh.
    field, mesh, shadow
        What the camera sees of the field, unshadowed; what comes by meshes; the shadows' ratio.
    depth, coverage
        Distance, world units; share of the pixel that meets a mesh.
    error
        Standard error of the beauty's luminance in each pixel as if samples were independent, which is at least what it
        is; of one sample there is none to tell, and it is 0.
    """

    beauty: Image
    field: Image
    mesh: Image
    shadow: Image
    depth: Image
    coverage: Image
    error: Image


@dataclass(frozen=True, kw_only=True)
class Plain:
    """One of Mitsuba's own integrators, as `picture` wants it: everything comes by meshes."""

    integrator: Any

    def sample(self, scene: Any, sampler: Any, ray: Any) -> tuple[Any, Any, list[Any]]:
        """Return the light with empty layers."""
        light, valid, _ = self.integrator.sample(scene, sampler, _differential(ray))
        none = light.x * 0.0
        return light, valid, [none, none, none, *light, none, none, none, none, none]


def _differential(ray: Any) -> Any:
    import mitsuba

    return mitsuba.RayDifferential3f(ray)


def picture(mi: Any, scene: Any, integrator: Any, camera: Camera, *, samples: int, seed: int) -> Picture:
    """Render one view.

    The samples of a pixel pass through evenly spread places in it, from a random one on, each of them uniform: an edge
    is smooth after far fewer of them than with independent places. All else is drawn independently.

    Parameters
    ----------
    mi
        The module `mitsuba`.
    scene, integrator
        As `stage.Stage` gives them.
    camera
        The view.
    samples
        Paths a pixel.
    seed
        The run's seed; the view's own follows from its name.
    """
    import drjit as dr

    pixels = camera.width * camera.height
    wave = max(1, min(samples, LARGEST_WAVE // pixels))
    corners = _corners(camera)
    turn = mi.Matrix3f(camera.pose[:3, :3].astype(float).tolist())
    place = mi.Point3f(*camera.pose[:3, 3].astype(float).tolist())
    dr.make_opaque(
        turn, place
    )  # as literals they would be compiled into a kernel of their own for every view
    sums, squares, done = None, None, 0
    while done < samples:
        count = min(wave, samples - done)
        sampler = mi.load_dict({"type": "independent"})
        sampler.seed(seeds.key(seed, f"{camera.name} {done}") & 0xFFFFFFFF, pixels * count)
        index = dr.arange(mi.UInt32, pixels * count) // count
        number = dr.opaque(mi.UInt32, done) + dr.arange(mi.UInt32, pixels * count) % count
        within = _spread(mi, index, number, seeds.key(seed, f"{camera.name} places") & 0xFFFFFFFF)
        ray = _rays(mi, camera, corners, index, within, turn, place)
        light, _, layers = integrator.sample(scene, sampler, ray)
        whole = dr.all(dr.isfinite(light))
        light = dr.select(whole, light, mi.Color3f(0.0))
        every = dr.zeros(mi.Float, pixels * count)  # a layer that is the same everywhere has one value
        values = [dr.select(whole, value, 0.0) + every for value in layers]
        bright = dr.square(mi.luminance(light)) + every
        dr.eval(values, bright)  # each sum would otherwise follow every path again
        added = [dr.block_sum(value, count) for value in values]
        squared = dr.block_sum(bright, count)
        dr.eval(added, squared)
        sums = added if sums is None else [a + b for a, b in zip(sums, added, strict=True)]
        squares = squared if squares is None else squares + squared
        done += count
    shape = (camera.height, camera.width)
    arrays = [numpy.array(value, dtype=numpy.float64).reshape(shape) / samples for value in sums or ()]
    square = numpy.array(squares, dtype=numpy.float64).reshape(shape) / samples
    return _picture(arrays, square, samples)


def _picture(arrays: list[NDArray[numpy.float64]], square: NDArray[numpy.float64], samples: int) -> Picture:
    named = dict(zip(LAYERS, arrays, strict=True))
    # What one sample of a segment takes away in shadow may exceed a channel of the whole: right in the mean of many,
    # and in that of few no light.
    field, mesh, shaded = (
        numpy.maximum(numpy.stack([named[f"{name}.{letter}"] for letter in "RGB"], axis=-1), 0.0)
        for name in ("field", "mesh", "shaded")
    )
    beauty = shaded + mesh
    shadow = numpy.where(field > 1e-6, shaded / numpy.maximum(field, 1e-6), 1.0)
    mean = beauty @ numpy.asarray([0.212671, 0.715160, 0.072169])
    error = numpy.sqrt(numpy.maximum(square - mean**2, 0.0) / max(1, samples - 1))
    single = [array.astype(numpy.float32) for array in (beauty, field, mesh, shadow)]
    return Picture(
        beauty=single[0],
        field=single[1],
        mesh=single[2],
        shadow=single[3],
        depth=named["depth.Z"].astype(numpy.float32),
        coverage=named["mesh.A"].astype(numpy.float32),
        error=error.astype(numpy.float32),
    )


def _corners(camera: Camera) -> NDArray[numpy.float32]:
    """Where the pixels' corners lie on the plane without the lens, `[height + 1, width + 1, 2]`, flat."""
    x, y = numpy.meshgrid(numpy.arange(camera.width + 1.0), numpy.arange(camera.height + 1.0))
    plane = numpy.stack(
        [(x - camera.centre[0]) / camera.focal[0], (y - camera.centre[1]) / camera.focal[1]], axis=-1
    )
    return undistorted(plane.reshape(-1, 2), camera.distortion).astype(numpy.float32).ravel()


def _spread(mi: Any, pixel: Any, number: Any, seed: int) -> Any:
    """Return where in its pixel a sample's ray goes: frac(random place of the pixel + number * (1/g, 1/g^2)).

    In whole numbers modulo 2^32, as single precision would lose the fraction of large products.
    """
    import drjit as dr

    start = mi.sample_tea_32(pixel, dr.opaque(mi.UInt32, seed))
    x, y = (first + number * step for first, step in zip(start, SEQUENCE, strict=True))
    # The upper 24 bits are what single precision can tell apart below 1.
    return mi.Point2f(mi.Float(x >> 8), mi.Float(y >> 8)) * 2.0**-24


def _rays(mi: Any, camera: Camera, corners: Any, index: Any, uv: Any, turn: Any, place: Any) -> Any:
    import drjit as dr

    x, y = index % camera.width, index // camera.width
    values = mi.Float(corners)
    stride = camera.width + 1
    plane = mi.Point2f(0.0)
    for j, wy in ((0, 1 - uv.y), (1, uv.y)):
        for i, wx in ((0, 1 - uv.x), (1, uv.x)):
            plane += wx * wy * dr.gather(mi.Point2f, values, (y + j) * stride + x + i)
    direction = turn @ mi.Vector3f(plane.x, -plane.y, -1.0)
    return mi.Ray3f(place, dr.normalize(direction))


def render_frame(
    shard: dict[str, Any],
    folder: Path,
    *,
    scene: Path,
    samples: int,
    seed: int,
    shadow: Literal["on", "off"],
    aov: bool,
    settings: dict[str, Any],
) -> dict[str, float]:
    """Render one frame into a folder: the stage function of `sulan radiance render`.

    Parameters
    ----------
    shard
        `camera` (see `pack`), `frame` (of the motion) and `stamp` (see `stage.cached`).
    folder
        Where `frame.exr` and `frame.png` go.
    scene
        The scene's folder.
    samples, seed, shadow, aov
        As the verb has them.
    settings
        `RenderSettings` as a dictionary.

    Returns
    -------
    dict
        CPU and wall seconds of the rendering itself, and the image's standard error.
    """
    import time

    chosen = RenderSettings(**settings)
    mi = backend.mitsuba(chosen.device)
    if not mi.variant().startswith("cuda"):
        import drjit as dr

        from sulan.runs.shards import THREADS

        dr.set_thread_count(THREADS)
    loaded = stage.cached(mi.variant(), scene, str(shard["stamp"]), chosen.step)
    camera = unpack(shard["camera"])
    start, wall = time.process_time(), time.perf_counter()
    meshes, volume = loaded.at(int(shard["frame"]))
    check_camera(loaded, camera, int(shard["frame"]))
    integrator = loaded.integrator(
        volume, bounces=chosen.bounces, shadow=shadow, floor=chosen.shadow_floor, aim=chosen.aim
    )
    made = picture(mi, meshes, integrator, camera, samples=samples, seed=seed)
    seconds, wall = time.process_time() - start, time.perf_counter() - wall
    layers: dict[str, Any] = {"": made.beauty}
    if aov:
        layers |= {
            "field": made.field,
            "mesh": made.mesh,
            "shadow": made.shadow,
            "depth": made.depth,
            "coverage": made.coverage,
            "error": made.error,
        }
    images.write_exr(folder / "frame.exr", layers)
    outputs.write_bytes(folder / "frame.png", images.png(made.beauty))
    return {
        "cpu": round(seconds, 4),
        "wall": round(wall, 4),
        "error": float(numpy.sqrt((made.error.astype(float) ** 2).mean())),
        "pixels": camera.width * camera.height,
    }


def check_camera(loaded: stage.Stage, camera: Camera, frame: int) -> None:
    """Raise InputError where the camera stands inside a closed mesh: nothing but its inside would be seen."""
    import trimesh

    for thing in loaded.scene.things:
        vertices = loaded.vertices(thing, frame)
        place = camera.pose[:3, 3]
        if not ((vertices.min(axis=0) <= place) & (place <= vertices.max(axis=0))).all():
            continue
        solid = trimesh.Trimesh(vertices=vertices, faces=loaded.loaded[thing.name].faces, process=False)
        if solid.is_watertight and winding(solid.triangles, place) > 0.5:
            raise InputError(
                f"the camera {camera.name} is inside the mesh {thing.name}",
                hint="move the camera or the mesh",
            )


def winding(triangles: NDArray[numpy.float64], point: NDArray[numpy.float64]) -> float:
    """Return how often a closed mesh winds around a point: 1 inside, 0 outside (sum of solid angles over 4 pi).

    Parameters
    ----------
    triangles
        `[m, 3, 3]`.
    point
        `[3]`.
    """
    a, b, c = (triangles[:, k] - point for k in range(3))
    la, lb, lc = (numpy.linalg.norm(v, axis=1) for v in (a, b, c))
    above = numpy.einsum("ij,ij->i", a, numpy.cross(b, c))
    below = (
        la * lb * lc
        + numpy.einsum("ij,ij->i", a, b) * lc
        + numpy.einsum("ij,ij->i", b, c) * la
        + numpy.einsum("ij,ij->i", c, a) * lb
    )
    return abs(float(numpy.arctan2(above, below).sum() / (2 * numpy.pi)))


def pack(camera: Camera) -> dict[str, Any]:
    """Return a camera as JSON can hold it."""
    return {
        "name": camera.name,
        "pose": camera.pose.tolist(),
        "width": camera.width,
        "height": camera.height,
        "focal": list(camera.focal),
        "centre": list(camera.centre),
        "distortion": list(camera.distortion),
    }


def unpack(values: dict[str, Any]) -> Camera:
    """Return the camera that `pack` was given."""
    return Camera(
        name=values["name"],
        pose=numpy.asarray(values["pose"]),
        width=values["width"],
        height=values["height"],
        focal=tuple(values["focal"]),
        centre=tuple(values["centre"]),
        distortion=tuple(values["distortion"]),
    )
