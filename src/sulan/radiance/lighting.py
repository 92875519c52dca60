"""Emitters of a field, by the one thing that tells a lamp from a bright wall: it gives out more than it receives.

On the surface of the extracted mesh, radiosity balances: B = E + rho H, with B the light that leaves (read off the
field), H the light that arrives (gathered from the field by path tracing) and rho <= 1 the reflectance. So

    E >= B - H

and a place with B > H by a margin must emit, whatever its colour. From there emission and albedo of the mesh's faces
are fitted so that a differentiable path tracer (Mitsuba's `prb`) shows what the field shows, with the paper's penalty
on the mean emission (page 5; official code: weight 25, Adam, emission rate 0.01, albedo 0.1). Faces that still emit
form connected emitters. The power of each is measured on the field, not on the mesh, whose area is a voxel too large:

    Phi = integral over directions and over the plane across them of the light that leaves the emitter's box

which blur leaves unchanged. "None" is an answer.
"""

from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

from sulan.radiance import marching
from sulan.radiance.scenes import Light
from sulan.runs import seeds

Array = NDArray[numpy.float64]

RAYS = 64
"""Directions a place's irradiance is gathered from: 10 % noise, and a lamp is a factor above it."""

DIRECTIONS, SIDE = 48, 48
"""Most directions, and rays a side of the bundle along each, that measure an emitter's power."""


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Light at places of a surface.

    Attributes
    ----------
    points, normals
        `[n, 3]`.
    leaving
        B / pi: radiance that leaves along the normal's side, mean over directions, `[n, 3]`.
    arriving
        H / pi: mean radiance that arrives, weighted by the cosine, `[n, 3]`.
    """

    points: Array
    normals: Array
    leaving: Array
    arriving: Array

    def excess(self) -> Array:
        """Return luminance of B over that of H, `[n]`."""
        return luminance(self.leaving) / numpy.maximum(luminance(self.arriving), 1e-6)


def luminance(colours: Array) -> Array:
    """Return the luminance (ITU-R BT.709) of linear RGB `[..., 3]`.

    Examples
    --------
    >>> round(float(luminance(numpy.asarray([1.0, 1.0, 1.0]))), 6)
    1.0
    """
    return colours @ numpy.asarray([0.212671, 0.715160, 0.072169])


def radiance(
    mi: Any, volume: Any, origins: Array, directions: Array, *, ends: Array | None = None, seed: int
) -> Array:
    """Return the field's radiance `[n, 3]` along rays; without `ends` with what is behind the field."""
    import drjit as dr

    sampler = mi.load_dict({"type": "independent"})
    sampler.seed(seed & 0xFFFFFFFF, len(origins))
    o = mi.Point3f(numpy.ascontiguousarray(origins.T, dtype=numpy.float32))
    d = mi.Vector3f(numpy.ascontiguousarray(directions.T, dtype=numpy.float32))
    end = mi.Float(dr.inf) if ends is None else mi.Float(ends.astype(numpy.float32))
    segment = marching.march(volume, o, d, end, sampler, mi.Bool(True))
    light = segment.radiance
    if ends is None:
        light += segment.transmittance * volume.background(d, mi.Bool(True))
    return numpy.array(light).astype(numpy.float64).T


def balance(mi: Any, volume: Any, points: Array, normals: Array, *, lift: float, seed: int) -> Balance:
    """Gather the light that leaves and arrives at places of a surface.

    Parameters
    ----------
    points, normals
        `[n, 3]`; outward.
    lift
        How far above its own density a place listens and is looked at, world units.
    """
    random = seeds.generator(seed, "radiance light balance")
    above = points + lift * normals
    arriving = _about(mi, volume, above, normals, random=random, inward=False, reach=None, seed=seed)
    leaving = _about(mi, volume, above, normals, random=random, inward=True, reach=2.5 * lift, seed=seed + 1)
    return Balance(points=points, normals=normals, leaving=leaving, arriving=arriving)


def _about(
    mi: Any,
    volume: Any,
    points: Array,
    normals: Array,
    *,
    random: Any,
    inward: bool,
    reach: float | None,
    seed: int,
) -> Array:
    count = len(points)
    directions = cosine_directions(numpy.repeat(normals, RAYS, axis=0), random)
    origins = numpy.repeat(points, RAYS, axis=0)
    ends = None
    if inward:  # looked at from above: the same directions, the other way round
        base = points[:, None, :] - normals[:, None, :] * (reach or 0.0) * 0.4
        aim = directions.reshape(count, RAYS, 3)
        origins = (base + (reach or 0.0) * aim * 0.8).reshape(-1, 3)
        directions = -directions
        ends = numpy.full(len(origins), 1.6 * (reach or 0.0))
    light = radiance(mi, volume, origins, directions, ends=ends, seed=seed)
    return light.reshape(count, RAYS, 3).mean(axis=1)


def cosine_directions(normals: Array, random: numpy.random.Generator) -> Array:
    """Return one cosine-distributed direction about each normal, `[n, 3]`."""
    sample = random.normal(size=normals.shape)
    sample /= numpy.linalg.norm(sample, axis=1, keepdims=True)
    result = normals + 0.999 * sample
    return result / numpy.linalg.norm(result, axis=1, keepdims=True)


def clusters(
    vertices: Array, faces: NDArray[numpy.int64], emits: NDArray[numpy.bool_]
) -> list[NDArray[numpy.int64]]:
    """Return the faces of each connected group of emitting faces, largest first."""
    import scipy.sparse
    import scipy.sparse.csgraph

    chosen = numpy.flatnonzero(emits)
    if not chosen.size:
        return []
    rows = faces[chosen]
    graph = scipy.sparse.coo_matrix(
        (numpy.ones(3 * len(rows)), (rows.ravel(), rows[:, [1, 2, 0]].ravel())), shape=(len(vertices),) * 2
    )
    _, labels = scipy.sparse.csgraph.connected_components(graph, directed=False)
    groups = labels[rows[:, 0]]
    found = [chosen[groups == label] for label in numpy.unique(groups)]
    return sorted(found, key=lambda group: (-len(group), int(group[0])))


def power(
    mi: Any, volume: Any, low: Array, high: Array, *, views: Array, seed: int
) -> tuple[Array, Array, float]:
    """Return the radiant power `[3]`, the light's centroid `[3]` and its radius, of what shines inside a box.

    The intensity is measured along directions that the emitter was seen from, since a field knows nothing of its other
    sides, and only where nothing solid is in between; the sphere is filled up with their mean.

    Parameters
    ----------
    low, high
        Corners of the box.
    views
        Positions that the emitter was seen from, `[n, 3]`; empty: all directions.
    """
    centre, radius = (low + high) / 2, 0.5 * float(numpy.linalg.norm(high - low))
    directions = _fibonacci(DIRECTIONS)
    if len(views):
        away = (views - centre)[:: -(-len(views) // DIRECTIONS)]
        directions = away / numpy.linalg.norm(away, axis=1, keepdims=True)
    side = (numpy.arange(SIDE) + 0.5) / SIDE * 2 - 1
    u, v = (grid.ravel() for grid in numpy.meshgrid(side, side))
    area = (2 * radius / SIDE) ** 2
    total, weight, moment, spread, seen = numpy.zeros(3), 0.0, numpy.zeros(3), 0.0, 0
    origins, along, shifts = [], [], []
    for direction in directions:
        across, other = _frame(direction)
        shift = radius * (u[:, None] * across + v[:, None] * other)
        origins.append(centre + shift + direction * radius)
        along.append(numpy.broadcast_to(-direction, shift.shape))
        shifts.append(shift)
    everything = (numpy.concatenate(origins), numpy.concatenate(along))
    starts, ends = _clip(low, high, *everything)
    inside = ends > starts
    first = everything[0] + numpy.where(inside, starts, 0.0)[:, None] * everything[1]
    light = numpy.zeros_like(everything[0])
    if inside.any():
        light[inside] = radiance(
            mi, volume, first[inside], everything[1][inside], ends=(ends - starts)[inside], seed=seed
        )
    light = light.reshape(len(directions), -1, 3)
    free = _free(mi, volume, centre, directions, radius)
    for number in numpy.flatnonzero(free):
        flux = light[number].sum(axis=0) * area
        total += flux
        bright = luminance(light[number])
        moment += (bright[:, None] * (centre + shifts[number])).sum(axis=0)
        weight += float(bright.sum())
        seen += 1
    if not seen or weight == 0:
        return numpy.zeros(3), centre, radius
    # A shift lies across its direction, so in the mean over directions a third of every coordinate is missing.
    centroid = centre + (moment / weight - centre) * 1.5
    for number in numpy.flatnonzero(free):
        bright = luminance(light[number])
        offset = shifts[number] - (centroid - centre)
        offset -= (offset @ directions[number])[:, None] * directions[number]
        spread += float((bright * (offset**2).sum(axis=1)).sum())
    # A bright disc of radius r has a mean squared distance of r^2 / 2 from its middle.
    return 4 * numpy.pi * total / seen, centroid, float(numpy.sqrt(2 * spread / weight))


def _free(mi: Any, volume: Any, centre: Array, directions: Array, radius: float) -> NDArray[numpy.bool_]:
    import drjit as dr

    o = mi.Point3f((centre + directions * radius).T.astype(numpy.float32))
    d = mi.Vector3f(directions.T.astype(numpy.float32))
    through = marching.transmittance(volume, o, d, mi.Float(1.5 * radius), mi.Bool(True))
    dr.eval(through)
    return numpy.array(through) > 0.5


def _frame(direction: Array) -> tuple[Array, Array]:
    helper = numpy.eye(3)[int(numpy.abs(direction).argmin())]
    across = numpy.cross(direction, helper)
    across /= numpy.linalg.norm(across)
    return across, numpy.cross(direction, across)


def _fibonacci(count: int) -> Array:
    """Return directions that cover the sphere evenly, `[count, 3]`."""
    index = numpy.arange(count) + 0.5
    z = 1 - 2 * index / count
    angle = numpy.pi * (1 + 5**0.5) * index
    ring = numpy.sqrt(1 - z * z)
    return numpy.stack([ring * numpy.cos(angle), ring * numpy.sin(angle), z], axis=1)


def _clip(low: Array, high: Array, origins: Array, directions: Array) -> tuple[Array, Array]:
    safe = numpy.where(numpy.abs(directions) < 1e-12, 1e-12, directions)
    one, two = (low - origins) / safe, (high - origins) / safe
    return (
        numpy.maximum(numpy.minimum(one, two).max(axis=1), 0.0),
        numpy.maximum(one, two).min(axis=1),
    )


def shares(
    mi: Any,
    volume: Any,
    found: Balance,
    lights: tuple[Light, ...],
    *,
    nodes: tuple[int, int, int],
    lift: float,
    seed: int,
) -> NDArray[numpy.float32]:
    """Return each light's share of the light that the field's places reflect, and the surroundings' share.

    Parameters
    ----------
    found
        Places on the field's surface with the light that arrives there.
    lights
        The emitters.
    nodes
        Of the grid, along x, y, z.
    lift
        See `balance`.

    Returns
    -------
    array
        `[z, y, x, lights + 1]`; every node has the values of the nearest place. Nodes within an emitter are 0: what
        shines by itself is not shadowed.
    """
    import scipy.spatial

    random = seeds.generator(seed, "radiance light shares")
    points = found.points + lift * found.normals
    direct = numpy.zeros((len(points), len(lights)))
    inside_cones = numpy.zeros((len(points), RAYS), dtype=bool)
    directions = cosine_directions(numpy.repeat(found.normals, RAYS, axis=0), random)
    everywhere = radiance(mi, volume, numpy.repeat(points, RAYS, axis=0), directions, seed=seed + 2)
    bright = luminance(everywhere).reshape(len(points), RAYS)
    for number, light in enumerate(lights):
        axis = numpy.asarray(light.centre) - points
        distance = numpy.linalg.norm(axis, axis=1)
        axis /= distance[:, None]
        sine = numpy.minimum(1.15 * light.radius / distance, 1.0)
        cosine = numpy.sqrt(1 - sine**2)
        along = (directions.reshape(len(points), RAYS, 3) * axis[:, None, :]).sum(axis=2)
        inside_cones |= along > cosine[:, None]
        samples = _cone(axis, cosine, 16, random)
        light_in = luminance(
            radiance(mi, volume, numpy.repeat(points, 16, axis=0), samples, seed=seed + 3 + number)
        )
        tilt = (samples * numpy.repeat(found.normals, 16, axis=0)).sum(axis=1).clip(0)
        solid = 2 * numpy.pi * (1 - cosine)
        direct[:, number] = (light_in * tilt).reshape(len(points), 16).mean(axis=1) * solid
    around = numpy.pi * numpy.where(inside_cones, 0.0, bright).mean(axis=1)
    total = direct.sum(axis=1) + around
    values = numpy.concatenate([direct, around[:, None]], axis=1) / numpy.maximum(total, 1e-9)[:, None]
    low, high = (numpy.array([float(c[0]) for c in corner]) for corner in (volume.low, volume.high))
    grid = numpy.stack(
        numpy.meshgrid(*(numpy.linspace(low[k], high[k], nodes[k]) for k in (2, 1, 0)), indexing="ij"),
        axis=-1,
    )[..., ::-1].reshape(-1, 3)
    # The mean of a few neighbours: what is gathered at one place is noisy.
    count = min(6, len(points))
    _, nearest = scipy.spatial.cKDTree(found.points).query(grid, k=count)
    result = values[nearest.reshape(len(grid), count)].mean(axis=1)
    for light in lights:
        inside = numpy.linalg.norm(grid - numpy.asarray(light.centre), axis=1) < 1.4 * light.radius
        result[inside] = 0.0
    return result.reshape(nodes[2], nodes[1], nodes[0], -1).astype(numpy.float32)


def _cone(axis: Array, cosine: Array, count: int, random: numpy.random.Generator) -> Array:
    """Return `count` directions uniform in the cone about each axis, `[n * count, 3]`."""
    axis, cosine = numpy.repeat(axis, count, axis=0), numpy.repeat(cosine, count)
    height = 1 - random.random(len(axis)) * (1 - cosine)
    angle = 2 * numpy.pi * random.random(len(axis))
    ring = numpy.sqrt(numpy.maximum(1 - height**2, 0))
    helper = numpy.where(numpy.abs(axis[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    across = numpy.cross(axis, helper)
    across /= numpy.linalg.norm(across, axis=1, keepdims=True)
    other = numpy.cross(axis, across)
    return height[:, None] * axis + ring[:, None] * (
        numpy.cos(angle)[:, None] * across + numpy.sin(angle)[:, None] * other
    )
