"""The hybrid light transport once more, in float64 NumPy: what the renderer is held against.

One ray at a time is followed as in the paper's algorithm 1 (page 6), with beta the throughput and L the radiance:

    per bounce:  t = nearest mesh hit;   L += beta * sum_i T_i a_i r_i over [0, t);   beta *= T_end;
                 surface: L += beta * Le, beta *= f cos / pdf, a new ray;   none: L += beta * background, stop
    a_i = 1 - exp(-sigma_i dt_i),   T_i = prod_(j < i) (1 - a_j)

Nothing of Mitsuba or Dr.Jit is used: surfaces are spheres and planes in closed form, a perfect mirror, an ideal glass
or a cosine-sampled diffuse one. Slow on purpose. Not covered: meshes, other BSDFs, light sampling, shadows onto the
field.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy
from numpy.typing import NDArray

Vectors = NDArray[numpy.float64]

NEAR = 1e-6
"""A new ray starts this far along, so that it does not hit where it comes from."""


class Volume(Protocol):
    """What the oracle needs of a field; `sulan.radiance.field.Field` is one."""

    @property
    def low(self) -> tuple[float, float, float]:
        """Lower corner of the box."""
        ...

    @property
    def high(self) -> tuple[float, float, float]:
        """Upper corner of the box."""
        ...

    def query(self, points: Vectors, directions: Vectors) -> tuple[Vectors, Vectors]:
        """Density `[n]` and radiance `[n, 3]`."""
        ...

    def background(self, directions: Vectors) -> Vectors:
        """Radiance from behind the box, `[n, 3]`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Homogeneous:
    """The same density and radiance everywhere in a box: the case with a closed form."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    density: float
    radiance: tuple[float, float, float]
    behind: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def query(self, points: Vectors, directions: Vectors) -> tuple[Vectors, Vectors]:
        """Density `[n]` and radiance `[n, 3]`."""
        inside = numpy.all((points >= self.low) & (points <= self.high), axis=1)
        return inside * self.density, inside[:, None] * numpy.asarray(self.radiance)

    def background(self, directions: Vectors) -> Vectors:
        """Radiance from behind the box, `[n, 3]`."""
        return numpy.broadcast_to(numpy.asarray(self.behind), directions.shape)


@dataclass(frozen=True, kw_only=True)
class Sphere:
    """A sphere with one of the three materials.

    Attributes
    ----------
    surface
        `mirror`, `diffuse` or `sheet` (glass of index 1: the ray goes on, tinted by `colour`).
    """

    centre: tuple[float, float, float]
    radius: float
    surface: Literal["mirror", "diffuse", "sheet"] = "mirror"
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    emission: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def hit(self, origins: Vectors, directions: Vectors) -> Vectors:
        """Return the distance to the nearest hit `[n]`, infinite where there is none."""
        to = origins - numpy.asarray(self.centre)
        half = numpy.sum(to * directions, axis=1)
        root = half * half - numpy.sum(to * to, axis=1) + self.radius**2
        root = numpy.sqrt(numpy.where(root >= 0, root, numpy.nan))
        near, far = -half - root, -half + root
        t = numpy.where(near > NEAR, near, far)
        return numpy.where(numpy.isfinite(t) & (t > NEAR), t, numpy.inf)

    def normals(self, points: Vectors) -> Vectors:
        """Return outward normals `[n, 3]`."""
        return (points - numpy.asarray(self.centre)) / self.radius


def integrate(
    volume: Volume, origins: Vectors, directions: Vectors, ends: Vectors, *, steps: int
) -> tuple[Vectors, Vectors]:
    """Return emitted radiance `[n, 3]` and transmittance `[n]` of the field along `[0, ends)`.

    The midpoint rule with `steps` equal steps inside the box: second order where the field is smooth.

    Examples
    --------
    >>> slab = Homogeneous(low=(0, 0, 0), high=(1, 1, 1), density=2.0, radiance=(1, 1, 1))
    >>> along = numpy.asarray([[1.0, 0.0, 0.0]])
    >>> light, through = integrate(slab, numpy.asarray([[-1.0, 0.5, 0.5]]), along, numpy.asarray([9.0]), steps=50)
    >>> round(float(light[0, 0]), 6), round(float(through[0]), 6)  # 1 - exp(-2), exp(-2)
    (0.864665, 0.135335)
    """
    start, end = clip(volume, origins, directions)
    end = numpy.minimum(end, ends)
    length = numpy.maximum(end - start, 0.0) / steps
    light, through = numpy.zeros_like(origins), numpy.ones(len(origins))
    for step in range(steps):
        t = start + (step + 0.5) * length
        t = numpy.where(length > 0, t, 0.0)
        density, radiance = volume.query(origins + t[:, None] * directions, directions)
        alpha = -numpy.expm1(-density * length)
        light += (through * alpha)[:, None] * radiance
        through = through * (1 - alpha)
    return light, through


def clip(volume: Volume, origins: Vectors, directions: Vectors) -> tuple[Vectors, Vectors]:
    """Return where rays enter and leave the box, `[n]` each; the end lies before the start on a miss."""
    with numpy.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / directions
        first = (numpy.asarray(volume.low) - origins) * inverse
        second = (numpy.asarray(volume.high) - origins) * inverse
    near = numpy.fmax.reduce(numpy.fmin(first, second), axis=1)
    far = numpy.fmin.reduce(numpy.fmax(first, second), axis=1)
    return numpy.maximum(near, 0.0), far


def trace(
    volume: Volume,
    spheres: tuple[Sphere, ...],
    origins: Vectors,
    directions: Vectors,
    *,
    bounces: int,
    steps: int = 400,
    random: numpy.random.Generator | None = None,
) -> Vectors:
    """Return the radiance `[n, 3]` that rays bring: the paper's algorithm 1.

    Parameters
    ----------
    volume
        The field.
    spheres
        The meshes' stand-ins.
    origins, directions
        `[n, 3]`; directions of unit length.
    bounces
        Scatterings at surfaces; the segment after the last one is still followed.
    steps
        Of the quadrature, a segment.
    random
        For diffuse surfaces; None is enough for mirrors and sheets.
    """
    light, beta = numpy.zeros_like(origins), numpy.ones_like(origins)
    origins, directions = origins.copy(), directions.copy()
    alive = numpy.ones(len(origins), dtype=bool)
    for bounce in range(bounces + 1):
        rays = numpy.flatnonzero(alive)
        if not rays.size:
            break
        hits = (
            numpy.stack([sphere.hit(origins[rays], directions[rays]) for sphere in spheres], axis=1)
            if (spheres)
            else numpy.full((len(rays), 1), numpy.inf)
        )
        which, t = hits.argmin(axis=1), hits.min(axis=1)
        emitted, through = integrate(volume, origins[rays], directions[rays], t, steps=steps)
        light[rays] += beta[rays] * emitted
        beta[rays] *= through[:, None]
        missed = rays[~numpy.isfinite(t)]
        light[missed] += beta[missed] * volume.background(directions[missed])
        alive[missed] = False
        for number, sphere in enumerate(spheres):
            chosen = (which == number) & numpy.isfinite(t)
            struck = rays[chosen]
            light[struck] += beta[struck] * numpy.asarray(sphere.emission)
            if bounce == bounces:
                continue
            points = origins[struck] + t[chosen][:, None] * directions[struck]
            directions[struck] = _scatter(sphere, points, directions[struck], random)
            beta[struck] *= numpy.asarray(sphere.colour)
            origins[struck] = points
    return light


def _scatter(
    sphere: Sphere, points: Vectors, directions: Vectors, random: numpy.random.Generator | None
) -> Vectors:
    if sphere.surface == "sheet":
        return directions
    normals = sphere.normals(points)
    cosine = numpy.sum(normals * directions, axis=1, keepdims=True)
    if sphere.surface == "mirror":
        return directions - 2 * cosine * normals
    facing = numpy.where(cosine < 0, normals, -normals)
    if random is None:
        random = numpy.random.Generator(numpy.random.PCG64(0))
    # A unit vector on the sphere plus the normal is cosine-distributed about it.
    sample = random.normal(size=points.shape)
    sample /= numpy.linalg.norm(sample, axis=1, keepdims=True)
    result = facing + sample
    return result / numpy.linalg.norm(result, axis=1, keepdims=True)


def pinhole(
    pose: Vectors, *, width: int, height: int, focal: float, offset: Callable[[], float] | None = None
) -> tuple[Vectors, Vectors]:
    """Return origins and directions `[height * width, 3]` through a camera's pixels, row by row.

    Parameters
    ----------
    pose
        OpenGL camera-to-world, `[4, 4]`.
    focal
        In pixels; the principal point is the image's centre.
    offset
        Where in the pixel, in [0, 1); None: its centre.
    """
    dx = dy = 0.5
    if offset is not None:
        dx, dy = offset(), offset()
    x, y = numpy.meshgrid(numpy.arange(width) + dx, numpy.arange(height) + dy)
    local = numpy.stack([(x - width / 2) / focal, -(y - height / 2) / focal, -numpy.ones_like(x)], axis=-1)
    world = local.reshape(-1, 3) @ pose[:3, :3].T
    world /= numpy.linalg.norm(world, axis=1, keepdims=True)
    return numpy.broadcast_to(pose[:3, 3], world.shape).copy(), world
