"""Figures of the issue that motion gives: what is kept, what comes to rest, what a query costs."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy
from numpy.typing import NDArray

from sulan.radiance import bodies, collider, distances, meshes, scenes
from sulan.radiance.bodies import Loose, Rigid
from sulan.radiance.collider import DistanceGrid
from sulan.radiance.settings import SimulateSettings
from sulan.radiance.simulator import Simulator, packed

Array = NDArray[numpy.generic]

FRAME = 1 / 24


def box_pose(*at: float) -> numpy.ndarray:
    """A pose that only moves."""
    pose = numpy.eye(4)
    pose[:3, 3] = at
    return pose


def body(
    name: str,
    *,
    at: tuple[float, ...],
    scale: float = 0.4,
    velocity: tuple[float, ...] = (0, 0, 0),
    mass: float = 1.0,
) -> Rigid:
    """A rigid body of a made mesh."""
    mesh = meshes.transformed(meshes.made(name), scale=scale)
    return bodies.rigid(
        name, mesh, pose=box_pose(*at), mass=mass, velocity=velocity, moves=True, resolution=24
    )


def floor(*, height: float = 0.0, nodes: int = 17) -> DistanceGrid:
    """The half-space below a height, as a grid over a box of two units."""
    z = numpy.linspace(-1.0, 3.0, nodes)[:, None, None] - height
    values = numpy.broadcast_to(z, (nodes, nodes, nodes)).astype(numpy.float32)
    return DistanceGrid(low=(-2.0, -2.0, -1.0), high=(2.0, 2.0, 3.0), distances=values)


def free_body(*, seconds: float = 10.0, engine: Literal["numba", "newton"] = "numba") -> dict[str, float]:
    """A tumbling cube in empty space: relative change of momentum and of angular momentum."""
    settings = SimulateSettings(gravity=0.0, damping=0.0, engine=engine)
    bar = meshes.transformed(meshes.made("cube"), scale=1.0)
    bar = meshes.Mesh(vertices=bar.vertices * [1.0, 0.4, 0.15], faces=bar.faces)
    solver = Simulator(
        None,
        [
            bodies.rigid(
                "bar",
                bar,
                pose=box_pose(0, 0, 0),
                mass=2.0,
                velocity=(0.3, -0.2, 0.1),
                moves=True,
                resolution=16,
            )
        ],
        [],
        settings=settings,
    )
    solver.omega[0] = [0.5, 3.0, 0.7]
    first = last = solver.state()
    for _ in range(round(seconds / FRAME)):
        last = solver.advance(FRAME)
    return {
        "free.momentum": float(
            numpy.linalg.norm(last.momentum - first.momentum) / numpy.linalg.norm(first.momentum)
        ),
        "free.spin": float(numpy.linalg.norm(last.spin - first.spin) / numpy.linalg.norm(first.spin)),
    }


def elastic_bounce(*, seconds: float = 3.0) -> dict[str, float]:
    """A ball that falls onto a floor and comes back: relative change of its energy."""
    settings = SimulateSettings(damping=0.0, friction=0.0, restitution=1.0, substeps=40)
    solver = Simulator(floor(), [body("ball", at=(0.0, 0.0, 1.0))], [], settings=settings)
    first = solver.state().energy
    energies, lowest, highest_after = [], numpy.inf, 0.0
    for _ in range(round(seconds / FRAME)):
        energies.append(solver.advance(FRAME).energy)
        height = float(solver.position[0, 2])
        lowest = min(lowest, height)
        if lowest < 0.3:
            highest_after = max(highest_after, height)
    return {
        "bounce.energy": max(abs(energy / first - 1) for energy in energies),
        "bounce.lowest": lowest,
        "bounce.highest": highest_after,
    }


def cloth_on(
    grid: DistanceGrid, *, at: tuple[float, ...], cells: int, scale: float, seconds: float
) -> dict[str, float]:
    """A cloth that falls onto a collider: deepest penetration in voxels, speed at the end, what is not a number."""
    mesh = meshes.transformed(meshes.sheet(cells), scale=scale)
    settings = SimulateSettings()
    fallen: Loose = bodies.cloth(
        "cloth",
        mesh,
        pose=box_pose(*at),
        mass=0.2,
        velocity=(0, 0, 0),
        stretch=settings.stretch,
        bend=settings.bend,
    )
    solver = Simulator(grid, [], [fallen], settings=settings)
    deepest, speeds = 0.0, []
    for _ in range(round(seconds / FRAME)):
        state = solver.advance(FRAME)
        deepest = max(deepest, state.penetration)
        speeds.append(state.speed)
    vertices = solver.vertices(0)
    under, _ = grid.query(vertices)
    return {
        "cloth.nan": float(numpy.isnan(vertices).sum()),
        "cloth.penetration.voxels": max(deepest, float(-under.min())) / grid.voxel,
        "cloth.speed.end": float(numpy.mean(speeds[-24:])),
        "cloth.fallen": float(at[2] - vertices[:, 2].mean()),
    }


def two_way(*, seconds: float = 1.0) -> dict[str, float]:
    """A ball hits a movable piece of a field: change of the sum of their momenta, relative to the ball's."""
    solid = numpy.ones((7, 7, 7), dtype=bool)
    spacing = numpy.full(3, 0.06)
    block = bodies.piece(
        "block", solid, low=numpy.asarray([0.3, -0.2, -0.2]), spacing=spacing, mass=2.0, velocity=(0, 0, 0)
    )
    ball = body("ball", at=(-0.5, 0.05, 0.02), scale=0.3, velocity=(2.0, 0.0, 0.0))
    settings = SimulateSettings(gravity=0.0, damping=0.0, restitution=0.5)
    solver = Simulator(None, [ball, block], [], settings=settings)
    first = last = solver.state()
    for _ in range(round(seconds / FRAME)):
        last = solver.advance(FRAME)
    return {
        "two_way.momentum": float(
            numpy.linalg.norm(last.momentum - first.momentum) / numpy.linalg.norm(first.momentum)
        ),
        "two_way.block.speed": float(solver.velocity[1, 0]),
    }


def cloth_on_field(folder: Path, *, seconds: float = 10.0) -> dict[str, float]:
    """A cloth on the collider of a trained field, over the box that stands in the studio."""
    grid = collider.load(folder / scenes.COLLIDER).grid
    return cloth_on(grid, at=(-0.6, 0.58, 0.9), cells=24, scale=0.5, seconds=seconds)


def fine_ball(*, nodes: int = 65) -> tuple[DistanceGrid, Array, Array]:
    """Distances to a ball, and its mesh of 81,920 faces."""
    import trimesh

    side = numpy.linspace(-1.0, 1.0, nodes)
    z, y, x = numpy.meshgrid(side, side, side, indexing="ij")
    values = (numpy.sqrt(x * x + y * y + z * z) - 0.5).astype(numpy.float32)
    ball = trimesh.creation.icosphere(subdivisions=6, radius=0.5)
    grid = DistanceGrid(low=(-1.0, -1.0, -1.0), high=(1.0, 1.0, 1.0), distances=values)
    return grid, numpy.asarray(ball.vertices), numpy.asarray(ball.faces)


def queries(folder: Path, *, count: int = 20_000) -> dict[str, float]:
    """Queries beside a mesh's, on a trained field's collider and on a mesh of 81,920 faces."""
    grid = collider.load(folder / scenes.COLLIDER).grid
    field = beside_warp(grid, *collider.surface(grid), count=count)
    ball = beside_warp(*fine_ball(), count=count)
    return {**{f"{name}.field": value for name, value in field.items()}, **ball}


def beside_warp(grid: DistanceGrid, vertices: Array, faces: Array, *, count: int) -> dict[str, float]:
    """Signed distances a CPU second: our grid in numba, and Warp's `mesh_query_point` on its surface.

    Both give distance and direction at the same points, even in the grid's box. Each is the median of three turns.
    """
    import warp

    query = warp_query()
    points = numpy.random.default_rng(0).uniform(grid.low, grid.high, size=(count, 3))
    grids, meta, shape = packed([grid])
    many = numpy.tile(points, (50, 1))
    values, normals = numpy.zeros(len(many)), numpy.zeros((len(many), 3))
    distances.distances(grids, meta, shape, 0, many[:10], values, normals)
    ours = len(many) / _median_seconds(
        lambda: distances.distances(grids, meta, shape, 0, many, values, normals)
    )
    warp.config.log_level = warp.LOG_ERROR
    mesh = warp.Mesh(
        points=warp.array(vertices.astype(numpy.float32), dtype=warp.vec3, device="cpu"),
        indices=warp.array(faces.astype(numpy.int32).ravel(), dtype=int, device="cpu"),
    )
    wanted = warp.array(points.astype(numpy.float32), dtype=warp.vec3, device="cpu")
    signed = warp.zeros(count, dtype=float, device="cpu")
    warp.launch(query, dim=10, inputs=[mesh.id, wanted, signed], device="cpu")
    by_warp = count / _median_seconds(
        lambda: warp.launch(query, dim=count, inputs=[mesh.id, wanted, signed], device="cpu")
    )
    apart = numpy.abs(values[:count] - signed.numpy())
    return {
        "queries.ours": ours,
        "queries.warp": by_warp,
        "queries.ratio.warp": ours / by_warp,
        "queries.difference.voxels": float(numpy.median(apart)) / grid.voxel,
        "queries.faces": float(len(faces)),
    }


def _median_seconds(function: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        function()
        seconds.append(time.process_time() - begun)
    return statistics.median(seconds)


def warp_query() -> Any:
    """Warp's kernel of a signed mesh query."""
    import warp

    vectors, numbers = warp.array(dtype=warp.vec3), warp.array(dtype=float)

    @warp.kernel
    def query(mesh: warp.uint64, points: vectors, distances_: numbers):
        i = warp.tid()
        found = warp.mesh_query_point(mesh, points[i], 10.0)
        near = warp.mesh_eval_position(mesh, found.face, found.u, found.v)
        distances_[i] = found.sign * warp.length(points[i] - near)

    return query
