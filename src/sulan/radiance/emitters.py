"""From a field to its emitters: the steps of `sulan radiance light`."""

from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

from sulan.radiance import collider, emission, lighting
from sulan.radiance.cameras import Camera
from sulan.radiance.collider import DistanceGrid
from sulan.radiance.field import Field
from sulan.radiance.scenes import Light

Array = NDArray[numpy.float64]

MESH_NODES = 40
"""Nodes along the longest side of the mesh that is path-traced: some 10,000 faces."""

PLACES = 6000
"""Most places where the balance is gathered, and shares are known."""

DIM = 0.1
"""Share of the brightest face's emission below which a face does not emit (official code)."""

VIEW_SIDE = 24
"""Pixels along the longer side of the views that the mesh is fitted to."""

FAINT = 0.01
"""Share of the light that the scene's surfaces receive below which an emitter is not reported: an edge where the
field is a little too bright gives a thousandth, the weaker of the studio's lamps a quarter."""

NEAR = 3.0
"""Voxels between two groups of faces below which they are one emitter."""


@dataclass(frozen=True, kw_only=True)
class Estimated:
    """What was found.

    Attributes
    ----------
    lights
        Emitters, the strongest first; none is an answer.
    shares
        See `lighting.shares`.
    candidates
        Faces that give out more than they receive.
    excess
        Largest ratio of light given out to light received, over the faces: what speaks for an emitter.
    losses
        Of the fit, mean over the views, before and after; None where nothing may emit.
    """

    lights: tuple[Light, ...]
    shares: NDArray[numpy.float32]
    candidates: int
    excess: float
    losses: tuple[float, float] | None


def estimate(
    mi: Any,
    field: Field,
    grid: DistanceGrid,
    views: list[Camera],
    *,
    threshold: float,
    steps: int,
    samples: int,
    seed: int,
) -> Estimated:
    """Find a field's emitters.

    Parameters
    ----------
    grid
        Its signed distances.
    views
        Cameras that the field was captured from.
    threshold
        Times the received light that a face must give out to be an emitter.
    steps, samples
        Of the fit: steps, and paths a pixel.
    """
    volume = field.on_device(mi)
    vertices, faces = collider.surface(coarse(grid, MESH_NODES))
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    centres, normals = (a + b + c) / 3, numpy.cross(b - a, c - a)
    area = numpy.linalg.norm(normals, axis=1)
    kept = area > 1e-12
    faces, centres, normals = faces[kept], centres[kept], normals[kept] / area[kept, None]
    every = max(1, -(-len(faces) // PLACES))
    places = numpy.arange(0, len(faces), every)
    found = lighting.balance(mi, volume, centres[places], normals[places], lift=1.5 * field.voxel, seed=seed)
    nearest = _nearest(centres[places], centres)
    seen = _seen(mi, volume, centres, normals, views, lift=1.5 * field.voxel)
    excess = numpy.where(seen, found.excess()[nearest], 0.0)
    may = excess > threshold
    lights: tuple[Light, ...] = ()
    losses = None
    if may.any():
        emitted = numpy.maximum(found.leaving - found.arriving, 0.0)[nearest] * may[:, None]
        albedo = numpy.clip(found.leaving / numpy.maximum(found.arriving, 1e-6), 0.02, 0.95)[nearest]
        albedo[may] = 0.3
        pictures = [(view, _shown(mi, volume, view, seed=seed)) for view in _few(views)]
        if steps and pictures:
            emitted, _, losses = emission.fit(
                mi,
                vertices,
                faces,
                emission=emitted,
                albedo=albedo,
                views=pictures,
                steps=steps,
                samples=samples,
                depth=3,
                seed=seed,
            )
        bright = lighting.luminance(emitted)
        received = float((lighting.luminance(found.arriving)[nearest] * area[kept] / 2).sum() * numpy.pi)
        lights = _lights(
            mi,
            field,
            volume,
            vertices,
            faces,
            bright > DIM * bright.max(),
            views,
            least=FAINT * received,
            seed=seed,
        )
    shares = lighting.shares(
        mi, volume, found, lights, nodes=_share_nodes(field), lift=1.5 * field.voxel, seed=seed
    )
    return Estimated(
        lights=lights,
        shares=shares,
        candidates=int(may.sum()),
        excess=float(numpy.percentile(excess, 99.9)),
        losses=losses,
    )


def coarse(grid: DistanceGrid, nodes: int) -> DistanceGrid:
    """Return the grid on at most `nodes` nodes along its longest side."""
    from sulan.radiance.field import resampled

    sides = grid.distances.shape[::-1]
    if max(sides) <= nodes:
        return grid
    x, y, z = (max(2, round(side * nodes / max(sides))) for side in sides)
    values = resampled(grid.distances[..., None], (x, y, z))[..., 0]
    return DistanceGrid(low=grid.low, high=grid.high, distances=values)


def _lights(
    mi: Any,
    field: Field,
    volume: Any,
    vertices: Array,
    faces: NDArray[numpy.int64],
    emits: NDArray[numpy.bool_],
    views: list[Camera],
    *,
    least: float,
    seed: int,
) -> tuple[Light, ...]:
    margin = 1.5 * field.voxel
    boxes: list[tuple[Array, Array]] = []
    for group in lighting.clusters(vertices, faces, emits):
        corners = vertices[faces[group]].reshape(-1, 3)
        boxes.append((corners.min(axis=0), corners.max(axis=0)))
    lights = []
    for low, high in _joined(boxes, gap=NEAR * field.voxel):
        if _at_border(field, low, high):
            continue
        watching = watchers(views, (low + high) / 2)
        power, centre, radius = lighting.power(
            mi, volume, low - margin, high + margin, views=watching, seed=seed
        )
        if lighting.luminance(power) < max(least, 1e-9) or radius <= 0:
            continue
        lights.append(
            Light(
                centre=tuple(map(float, centre)),
                radius=radius,
                extent=tuple(map(float, high - low)),
                power=tuple(map(float, power)),
            )
        )
    lights.sort(key=lambda light: -sum(light.power))
    return tuple(lights)


def _at_border(field: Field, low: Array, high: Array) -> bool:
    """Tell whether a box touches an open field's border: what shines there is the sky, painted onto the box."""
    if field.shell > 0:
        return False
    reach = 2 * field.voxel
    return bool(
        (low <= numpy.asarray(field.low) + reach).any() or (high >= numpy.asarray(field.high) - reach).any()
    )


def _joined(boxes: list[tuple[Array, Array]], *, gap: float) -> list[tuple[Array, Array]]:
    """Join boxes that are nearer than `gap` until none are."""
    boxes = list(boxes)
    index = 0
    while index < len(boxes):
        low, high = boxes[index]
        near = [
            other
            for other in range(len(boxes))
            if other != index
            and (boxes[other][0] - high <= gap).all()
            and (low - boxes[other][1] <= gap).all()
        ]
        if not near:
            index += 1
            continue
        group = [boxes[index], *(boxes[other] for other in near)]
        merged = (numpy.min([b[0] for b in group], axis=0), numpy.max([b[1] for b in group], axis=0))
        boxes = [merged, *(box for number, box in enumerate(boxes) if number not in {index, *near})]
        index = 0
    return boxes


def watchers(views: list[Camera], point: Array) -> Array:
    """Return the positions of the cameras whose image has a point in it, `[n, 3]`."""
    kept = []
    for view in views:
        x, y, z = (point - view.pose[:3, 3]) @ view.pose[:3, :3]
        if z < 0:
            u, v = view.focal[0] * x / -z + view.centre[0], -view.focal[1] * y / -z + view.centre[1]
            if 0 <= u <= view.width and 0 <= v <= view.height:
                kept.append(view.pose[:3, 3])
    return numpy.asarray(kept).reshape(-1, 3)


def _seen(
    mi: Any, volume: Any, points: Array, normals: Array, views: list[Camera], *, lift: float
) -> NDArray[numpy.bool_]:
    """Tell which places some camera sees from their front: of the others the field knows nothing."""
    from sulan.radiance import marching

    if not views:
        return numpy.ones(len(points), dtype=bool)
    above = points + lift * normals
    seen = numpy.zeros(len(points), dtype=bool)
    o = mi.Point3f(above.T.astype(numpy.float32))
    for view in views:
        local = (above - view.pose[:3, 3]) @ view.pose[:3, :3]
        depth = numpy.maximum(-local[:, 2], 1e-9)
        u = view.focal[0] * local[:, 0] / depth + view.centre[0]
        v = -view.focal[1] * local[:, 1] / depth + view.centre[1]
        to = view.pose[:3, 3] - above
        distance = numpy.linalg.norm(to, axis=1)
        to = to / distance[:, None]
        wanted = (local[:, 2] < 0) & (u >= 0) & (u <= view.width) & (v >= 0) & (v <= view.height)
        wanted &= ((to * normals).sum(axis=1) > 0.1) & ~seen
        if not wanted.any():
            continue
        through = marching.transmittance(
            volume,
            o,
            mi.Vector3f(to.T.astype(numpy.float32)),
            mi.Float(distance.astype(numpy.float32)),
            mi.Bool(wanted),
        )
        seen |= wanted & (numpy.array(through) > 0.5)
    return seen


def _few(views: list[Camera]) -> list[Camera]:
    """Return at most 8 of the views, small."""
    chosen = views[:: max(1, -(-len(views) // 8))]
    result = []
    for view in chosen:
        factor = min(1.0, VIEW_SIDE / max(view.width, view.height))
        result.append(view.resized(max(1, round(view.width * factor)), max(1, round(view.height * factor))))
    return result


def _shown(mi: Any, volume: Any, view: Camera, *, seed: int) -> Array:
    origins, directions = view.rays()
    return lighting.radiance(mi, volume, origins, directions, seed=seed).reshape(view.height, view.width, 3)


def _nearest(points: Array, queries: Array) -> NDArray[numpy.int64]:
    import scipy.spatial

    return scipy.spatial.cKDTree(points).query(queries)[1]


def _share_nodes(field: Field) -> tuple[int, int, int]:
    """Shares are smooth: a third of the field's nodes is enough."""
    x, y, z = (max(2, side // 2) for side in field.resolution)
    return x, y, z
