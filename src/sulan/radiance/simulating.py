"""What `sulan radiance simulate` does: assembles bodies from a scene, runs them, tells what became of them."""

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy
from numpy.typing import NDArray

from sulan.errors import InputError
from sulan.radiance import bodies, cameras, collider, meshes, motion, scenes
from sulan.radiance.collider import Collider, DistanceGrid
from sulan.radiance.settings import SimulateSettings
from sulan.radiance.simulator import Simulator, State
from sulan.reports.report import Cell
from sulan.runs.progress import progress


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A simulation's result: the motion, what was conserved in each frame, the deepest penetration, CPU seconds.

    The seconds are a frame's median: the first frame of a process waits for the compiler.
    """

    motion: motion.Motion
    states: list[State]
    deepest: float
    seconds: float


def assemble(
    folder: Path, scene: scenes.Scene, settings: SimulateSettings
) -> tuple[Simulator, DistanceGrid | None]:
    """Return a scene's simulator, and the world that nothing in it moves.

    Raises
    ------
    MissingFile
        The scene has a field and no collider.
    InputError
        Nothing moves; or Newton is to move a piece of the field.
    """
    if not scene.pieces and all(thing.body == "fixed" for thing in scene.things):
        raise InputError(f"nothing in {folder} moves", hint="sulan radiance insert SCENE --body rigid")
    if scene.pieces and settings.engine == "newton":
        raise InputError(
            "Newton loses momentum between two moving bodies, so it moves no piece of the field:"
            f" {scene.pieces[0].name}",
            hint="leave settings.engine out: numba keeps it",
        )
    world, rigids = None, []
    if (folder / scenes.FIELD).is_file() or scene.pieces:
        path = scenes.need(folder, scenes.COLLIDER, hint="sulan radiance geometry SCENE --out DIR")
        found = collider.load(path)
        pieces, rest = _taken(found, scene.pieces)
        rigids += pieces
        world = rest
    looses = []
    for thing in scene.things:
        mesh, _ = meshes.load(folder / scenes.MESHES / thing.mesh)
        pose = numpy.asarray(thing.pose)
        if thing.body == "cloth":
            looses.append(
                bodies.cloth(
                    thing.name,
                    mesh,
                    pose=pose,
                    mass=thing.mass,
                    velocity=thing.velocity,
                    stretch=settings.stretch,
                    bend=settings.bend,
                )
            )
        elif thing.body == "soft":
            looses.append(
                bodies.soft(
                    thing.name,
                    mesh,
                    pose=pose,
                    mass=thing.mass,
                    velocity=thing.velocity,
                    squash=settings.squash,
                    cells=settings.cells,
                )
            )
        else:
            rigids.append(
                bodies.rigid(
                    thing.name,
                    mesh,
                    pose=pose,
                    mass=thing.mass,
                    velocity=thing.velocity,
                    moves=thing.body == "rigid",
                    resolution=settings.resolution,
                )
            )
    return Simulator(world, rigids, looses, settings=settings), world


def _taken(found: Collider, pieces: tuple[scenes.Piece, ...]) -> tuple[list[bodies.Rigid], DistanceGrid]:
    """Take the pieces out of a collider; return them as bodies, and the world without them."""
    if not pieces:
        return [], found.grid
    solid = found.solid.copy()
    low, high = numpy.asarray(found.grid.low), numpy.asarray(found.grid.high)
    counts = numpy.asarray(solid.shape[::-1])
    spacing = (high - low) / (counts - 1)
    taken = []
    for piece in pieces:
        first = numpy.maximum(numpy.ceil((numpy.asarray(piece.low) - low) / spacing - 1e-6), 0).astype(int)
        last = numpy.minimum(
            numpy.floor((numpy.asarray(piece.high) - low) / spacing + 1e-6), counts - 1
        ).astype(int)
        box = tuple(slice(first[k], last[k] + 1) for k in (2, 1, 0))
        taken.append(
            bodies.piece(
                piece.name,
                solid[box],
                low=low + first * spacing,
                spacing=spacing,
                mass=piece.mass,
                velocity=piece.velocity,
            )
        )
        solid[box] = False
    if not solid.any():
        far = numpy.full(solid.shape, float(numpy.linalg.norm(high - low)), dtype=numpy.float32)
        return taken, DistanceGrid(low=found.grid.low, high=found.grid.high, distances=far)
    distances = collider.signed_distances(solid, spacing)
    return taken, DistanceGrid(low=found.grid.low, high=found.grid.high, distances=distances)


def run(solver: Simulator, *, frames: int, frames_per_second: float) -> Moved:
    """Advance a simulator frame by frame; the first frame is the start."""
    poses: dict[str, list[NDArray[numpy.float64]]] = {
        body.name: [] for body in solver.rigids if body.mass > 0
    }
    vertices: dict[str, list[NDArray[numpy.float32]]] = {loose.name: [] for loose in solver.looses}
    states, seconds = [solver.state()], []
    for frame in progress(range(frames), label="simulate"):
        if frame:
            start = time.process_time()
            states.append(solver.advance(1 / frames_per_second))
            seconds.append(time.process_time() - start)
        for number, body in enumerate(solver.rigids):
            if body.mass > 0:
                poses[body.name].append(solver.pose(number))
        for number, loose in enumerate(solver.looses):
            vertices[loose.name].append(solver.vertices(number).astype(numpy.float32))
    return Moved(
        motion=motion.Motion(
            poses={name: numpy.stack(values) for name, values in poses.items()},
            vertices={name: numpy.stack(values) for name, values in vertices.items()},
        ),
        states=states,
        deepest=max(state.penetration for state in states),
        seconds=statistics.median(seconds) if seconds else 0.0,
    )


def resolution_ratio(
    folder: Path, scene: scenes.Scene, settings: SimulateSettings, frames: int, frames_per_second: float
) -> tuple[float, str]:
    """Return the time of the simulation for cameras of 16 times the pixels over that for the scene's own."""
    views = cameras.read(folder)
    sizes = [views[0], views[0].resized(4 * views[0].width, 4 * views[0].height)]
    seconds: list[list[float]] = [[], []]
    for _ in range(3):
        for number in range(len(sizes)):
            solver, _ = assemble(folder, scene, settings)
            seconds[number].append(run(solver, frames=frames, frames_per_second=frames_per_second).seconds)
    ratio = statistics.median(seconds[1]) / max(statistics.median(seconds[0]), 1e-9)
    return ratio, " and ".join(f"{size.width}x{size.height}" for size in sizes)


def rows(states: list[State], frames_per_second: float) -> Iterator[tuple[Cell, ...]]:
    """Yield one row a second, and the end."""
    every = max(1, round(frames_per_second))
    for frame, state in enumerate(states):
        if frame % every == 0 or frame == len(states) - 1:
            yield (
                round(frame / frames_per_second, 3),
                *(round(float(value), 6) for value in state.momentum),
                round(state.energy, 6),
                round(state.speed, 6),
                round(state.penetration, 6),
            )


def charts(states: list[State], frames_per_second: float) -> Mapping[str, str]:
    """Return the course of speed and penetration."""
    from sulan.reports.charts import Line, lines

    if len(states) < 2:
        return {}
    seconds = [frame / frames_per_second for frame in range(len(states))]
    drawn = lines(
        [
            Line(name="largest speed", x=seconds, y=[state.speed for state in states]),
            Line(name="deepest penetration", x=seconds, y=[state.penetration for state in states]),
        ],
        title="Speed and penetration by second",
        x="seconds",
        y="world units",
    )
    return {"Largest speed, and deepest penetration within a frame": drawn}
