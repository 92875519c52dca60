"""From a scene's parts to what the solver moves: distance grids, masses, inertias, constraints."""

from dataclasses import dataclass, field
from typing import Any

import numpy
from numpy.typing import NDArray

from sulan.errors import InputError
from sulan.radiance import collider, coordinates
from sulan.radiance.collider import DistanceGrid
from sulan.radiance.mesh_distances import MARGIN_CELLS, is_inside, mesh_distances, nodes_of, samples, triple
from sulan.radiance.meshes import Mesh

Array = NDArray[numpy.float64]

MOST_POINTS = 256
"""Points on a rigid body's surface that are tested for contact."""


@dataclass(frozen=True, kw_only=True)
class Rigid:
    """A body that keeps its shape.

    Attributes
    ----------
    centre, rotation
        Centre of mass and quaternion of the principal frame at the start, in the world.
    mass, inertia
        0 mass: it does not move. Principal moments, `[3]`.
    grid
        Signed distances in the principal frame.
    points
        On its surface, in the principal frame, `[n, 3]`.
    pose
        Mesh-to-world at the start, `[4, 4]`.
    """

    name: str
    centre: Array
    rotation: Array
    mass: float
    inertia: Array
    grid: DistanceGrid
    points: Array
    pose: Array
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Loose:
    """Particles with constraints: cloth or a soft body.

    Attributes
    ----------
    positions, masses
        `[n, 3]`, `[n]`.
    edges, compliance
        Distance constraints `[m, 2]` and their compliances `[m]`; at rest now.
    tetrahedra
        Volume constraints `[t, 4]`.
    weights, corners
        How the mesh's vertices follow the particles: `[v, k]` each. None: they are the particles.
    """

    name: str
    positions: Array
    masses: Array
    edges: NDArray[numpy.int64]
    compliance: Array
    tetrahedra: NDArray[numpy.int64] = field(default_factory=lambda: numpy.zeros((0, 4), dtype=numpy.int64))
    weights: Array | None = None
    corners: NDArray[numpy.int64] | None = None
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def skin(self, positions: Array) -> Array:
        """Return the mesh's vertices for particles at `positions` `[n, 3]`."""
        if self.weights is None or self.corners is None:
            return positions
        return (self.weights[..., None] * positions[self.corners]).sum(axis=1)


def rigid(
    name: str, mesh: Mesh, *, pose: Array, mass: float, velocity: Any, moves: bool, resolution: int
) -> Rigid:
    """Return a rigid body of a closed mesh, of even density; a fixed one may be open.

    Raises
    ------
    InputError
        The mesh is open and has to move.
    """
    import trimesh

    solid = trimesh.Trimesh(vertices=mesh.vertices, faces=mesh.faces, process=True)
    closed = solid.is_watertight and solid.volume > 0
    if moves and not closed:
        raise InputError(
            f"{name} is open: a rigid body needs an inside", hint="insert it with --body fixed or cloth"
        )
    if closed:
        middle = numpy.asarray(solid.center_mass)
        moments = numpy.asarray(solid.moment_inertia) / solid.volume
    else:
        middle, moments = mesh.vertices.mean(axis=0), numpy.eye(3)
    values, frame = numpy.linalg.eigh(moments)
    if numpy.linalg.det(frame) < 0:
        frame[:, 0] *= -1
    local = (mesh.vertices - middle) @ frame
    grid = mesh_distances(local, mesh.faces, closed=closed, resolution=resolution)
    return Rigid(
        name=name,
        centre=pose[:3, :3] @ middle + pose[:3, 3],
        rotation=coordinates.quaternion(pose[:3, :3] @ frame),
        mass=mass if moves else 0.0,
        inertia=mass * values,
        grid=grid,
        points=_spread(local, mesh.faces),
        pose=pose,
        velocity=velocity,
    )


def piece(
    name: str, solid: NDArray[numpy.bool_], *, low: Array, spacing: Array, mass: float, velocity: Any
) -> Rigid:
    """Return a rigid body of solid voxels `[z, y, x]` whose first node is at `low`; its frame is the world's.

    Raises
    ------
    InputError
        Nothing in it is solid.
    """
    if not solid.any():
        raise InputError(f"nothing in the piece {name} is solid", hint="choose its box with --at and --scale")
    padded = numpy.pad(solid, MARGIN_CELLS)
    distances = collider.signed_distances(padded, spacing)
    z, y, x = numpy.nonzero(solid)
    places = low + numpy.stack([x, y, z], axis=1) * spacing
    middle = places.mean(axis=0)
    apart = places - middle
    share = mass / len(places)
    square = (apart**2).sum(axis=0) + len(places) * spacing**2 / 12
    moments = share * (numpy.diag(square.sum() - square) - (apart.T @ apart) * (1 - numpy.eye(3)))
    values, frame = numpy.linalg.eigh(moments)
    if numpy.linalg.det(frame) < 0:
        frame[:, 0] *= -1
    first = low - MARGIN_CELLS * spacing - middle
    last = first + (numpy.asarray(padded.shape[::-1]) - 1) * spacing
    world = DistanceGrid(low=triple(first), high=triple(last), distances=distances)
    vertices, faces = collider.surface(world)
    grid = _turned(world, frame)
    return Rigid(
        name=name,
        centre=middle,
        rotation=coordinates.quaternion(frame),
        mass=mass,
        inertia=values,
        grid=grid,
        points=_spread(vertices @ frame, faces),
        pose=numpy.eye(4),
        velocity=velocity,
    )


def _turned(grid: DistanceGrid, frame: Array) -> DistanceGrid:
    """Return a grid resampled into a frame whose axes are the columns of `frame`."""
    corners = numpy.stack(
        numpy.meshgrid(*zip(grid.low, grid.high, strict=True), indexing="ij"), axis=-1
    ).reshape(-1, 3)
    local = corners @ frame
    low, high = local.min(axis=0), local.max(axis=0)
    counts = numpy.maximum(4, numpy.ceil((high - low) / grid.voxel).astype(int) + 1)
    nodes = nodes_of(low, high, counts)
    values, _ = grid.query(nodes @ frame.T)
    return DistanceGrid(
        low=triple(low), high=triple(high), distances=values.reshape(counts[::-1]).astype(numpy.float32)
    )


def cloth(
    name: str, mesh: Mesh, *, pose: Array, mass: float, velocity: Any, stretch: float, bend: float
) -> Loose:
    """Return a cloth of a mesh: its edges keep their lengths, vertices across an edge keep their distance softly."""
    positions = mesh.vertices @ pose[:3, :3].T + pose[:3, 3]
    edges, across = topology(mesh.faces)
    return Loose(
        name=name,
        positions=positions,
        masses=numpy.full(len(positions), mass / len(positions)),
        edges=numpy.concatenate([edges, across]),
        compliance=numpy.concatenate([numpy.full(len(edges), stretch), numpy.full(len(across), bend)]),
        velocity=velocity,
    )


def topology(faces: NDArray[numpy.int64]) -> tuple[NDArray[numpy.int64], NDArray[numpy.int64]]:
    """Return a mesh's edges `[m, 2]`, and the pairs of vertices that face each other across one `[k, 2]`."""
    half = numpy.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    opposite = faces[:, [2, 0, 1]].ravel()
    edges, place = numpy.unique(half, axis=0, return_inverse=True)
    order = numpy.argsort(place.ravel(), kind="stable")
    sorted_place = place.ravel()[order]
    pairs = numpy.flatnonzero(sorted_place[1:] == sorted_place[:-1])
    across = numpy.stack([opposite[order[pairs]], opposite[order[pairs + 1]]], axis=1)
    return edges, across


def soft(
    name: str, mesh: Mesh, *, pose: Array, mass: float, velocity: Any, squash: float, cells: int
) -> Loose:
    """Return a soft body: cells that fill a closed mesh, cut into tetrahedra, with the mesh hung into them."""
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    cell = float((high - low).max()) / cells
    counts = numpy.maximum(1, numpy.ceil((high - low) / cell - 1e-9).astype(int))
    middle = (low + high) / 2
    first = middle - counts * cell / 2
    within = is_inside(
        mesh.vertices,
        mesh.faces,
        first + cell / 2,
        first + (numpy.maximum(counts, 2) - 0.5) * cell,
        numpy.maximum(counts, 2),
    ).reshape(numpy.maximum(counts, 2)[::-1])[: counts[2], : counts[1], : counts[0]]
    where = numpy.clip(((mesh.vertices - first) / cell).astype(int), 0, counts - 1)
    within[where[:, 2], where[:, 1], where[:, 0]] = True  # every vertex hangs in a cell
    z, y, x = numpy.nonzero(within)
    base = numpy.stack([x, y, z], axis=1)
    offsets = numpy.asarray([[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(8)])
    keys = (base[:, None, :] + offsets[None]).reshape(-1, 3)
    nodes, index = numpy.unique(keys, axis=0, return_inverse=True)
    corners = index.reshape(-1, 8)
    tetrahedra = corners[:, _KUHN].reshape(-1, 4)
    pairs = tetrahedra[:, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]].reshape(-1, 2)
    edges = numpy.unique(numpy.sort(pairs, axis=1), axis=0)
    cell_of = numpy.full(within.shape, -1)
    cell_of[z, y, x] = numpy.arange(len(base))
    hung = cell_of[where[:, 2], where[:, 1], where[:, 0]]
    fraction = (mesh.vertices - first) / cell - where
    weights = numpy.prod(
        numpy.where(offsets[None].astype(bool), fraction[:, None, :], 1 - fraction[:, None, :]), axis=2
    )
    positions = (first + nodes * cell) @ pose[:3, :3].T + pose[:3, 3]
    return Loose(
        name=name,
        positions=positions,
        masses=numpy.full(len(positions), mass / len(positions)),
        edges=edges,
        compliance=numpy.full(len(edges), squash),
        tetrahedra=tetrahedra,
        weights=weights,
        corners=corners[hung],
        velocity=velocity,
    )


_KUHN = numpy.asarray([[0, 1, 3, 7], [0, 3, 2, 7], [0, 2, 6, 7], [0, 6, 4, 7], [0, 4, 5, 7], [0, 5, 1, 7]])
"""Kuhn's cut of a cube into six tetrahedra, corners numbered x + 2 y + 4 z; neighbours share whole faces."""


def _spread(vertices: Array, faces: NDArray[numpy.int64]) -> Array:
    """Return at most `MOST_POINTS` points of a surface, far from each other."""
    used = numpy.unique(faces)
    points = vertices[used]
    size = float(numpy.linalg.norm(points.max(axis=0) - points.min(axis=0)))
    if len(points) < MOST_POINTS:
        extra, _ = samples(vertices, faces, spacing=size / 8)
        points = numpy.unique(numpy.concatenate([points, extra]).round(9), axis=0)
    if len(points) <= MOST_POINTS:
        return points
    chosen = [int(numpy.argmax(points @ numpy.asarray([1.0, 0.1, 0.01])))]
    distance = numpy.linalg.norm(points - points[chosen[0]], axis=1)
    for _ in range(MOST_POINTS - 1):
        chosen.append(int(distance.argmax()))
        distance = numpy.minimum(distance, numpy.linalg.norm(points - points[chosen[-1]], axis=1))
    return points[numpy.sort(chosen)]
