"""What `sulan radiance insert` does: checks, names, files."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy

from sulan.errors import InputError
from sulan.radiance import field as fields
from sulan.radiance import materials, meshes, scenes
from sulan.reports.report import Cell

Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The verb's arguments, checked one by one."""

    mesh: str
    name: str | None
    at: Triple
    scale: float
    turn: Triple
    material: str
    colour: Triple
    body: scenes.Body
    mass: float
    velocity: Triple


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A part that can be put into a scene's folder."""

    part: scenes.Thing | scenes.Piece
    mesh: meshes.Mesh | None
    summary: Mapping[str, Cell]
    problems: list[str] = field(default_factory=list)


def triple(values: Sequence[float], what: str) -> Triple:
    """Return three finite numbers.

    Raises
    ------
    InputError
        There are not three, or one is not finite; `what` names them.
    """
    if len(values) != 3 or not numpy.isfinite(values).all():
        raise InputError(
            f"--{what} takes three numbers, not {','.join(map(str, values))}", hint=f"--{what} 0,0,0.5"
        )
    return fields.triple(values)


def prepare(asked: Asked, scene: scenes.Scene, *, folder: Path) -> Prepared:
    """Check what is to be inserted; see `sulan radiance insert`."""
    if not (numpy.isfinite(asked.scale) and asked.scale > 0):
        raise InputError(f"scale must be above 0, not {asked.scale}")
    if not (numpy.isfinite(asked.mass) and asked.mass > 0):
        raise InputError(f"mass must be above 0, not {asked.mass}")
    name = _name(asked, scene)
    if asked.mesh == "field":
        return _piece(asked, name, folder)
    chosen = materials.material(asked.material, colour=asked.colour)
    mesh, problems = meshes.load(asked.mesh)
    if asked.body in ("rigid", "soft") and any("open" in problem for problem in problems):
        raise InputError(
            f"{asked.mesh} is open: a {asked.body} body needs an inside",
            hint="close its holes, or insert it with --body fixed",
        )
    mesh = meshes.transformed(mesh, scale=asked.scale)
    pose = numpy.eye(4)
    pose[:3, :3] = _turned(asked.turn)
    pose[:3, 3] = asked.at
    problems = [*problems, *_outside(mesh, pose, folder)]
    thing = scenes.Thing(
        name=name,
        mesh=f"{name}.glb",
        pose=tuple(map(tuple, pose.tolist())),
        material=chosen.bsdf,
        tint=chosen.tint,
        albedo=chosen.albedo,
        emission=chosen.emission,
        body=asked.body,
        mass=asked.mass,
        velocity=asked.velocity,
    )
    summary = {
        "name": name,
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        "material": asked.material,
        "body": asked.body,
    }
    return Prepared(part=thing, mesh=mesh, summary=summary, problems=problems)


def _piece(asked: Asked, name: str, folder: Path) -> Prepared:
    loaded = fields.load(scenes.need(folder, scenes.FIELD, hint="sulan radiance train SCENE --out DIR"))
    low = numpy.asarray(asked.at) - asked.scale / 2
    high = numpy.asarray(asked.at) + asked.scale / 2
    if (high < loaded.low).any() or (low > loaded.high).any():
        raise InputError(
            f"the box around {asked.at} is outside the field", hint="--at and --scale name a box of it"
        )
    piece = scenes.Piece(
        name=name,
        low=fields.triple(numpy.maximum(low, loaded.low).tolist()),
        high=fields.triple(numpy.minimum(high, loaded.high).tolist()),
        mass=asked.mass,
        velocity=asked.velocity,
    )
    return Prepared(
        part=piece, mesh=None, summary={"name": name, "kind": "piece of the field", "body": "rigid"}
    )


def place(found: Prepared, scene: scenes.Scene, folder: Path) -> None:
    """Put a prepared part into a scene's folder."""
    if isinstance(found.part, scenes.Piece):
        scene = scene.model_copy(update={"pieces": (*scene.pieces, found.part)})
    elif found.mesh is not None:
        meshes.write_glb(found.mesh, folder / scenes.MESHES / found.part.mesh)
        scene = scene.model_copy(update={"things": (*scene.things, found.part)})
    scenes.write(scene.model_copy(update={"frames_per_second": None}), folder)


def contents(scene: scenes.Scene) -> Iterator[tuple[Cell, ...]]:
    """Yield name, kind and body of everything in a scene."""
    for thing in scene.things:
        yield thing.name, "mesh", thing.body
    for piece in scene.pieces:
        yield piece.name, "piece of the field", "rigid"


def _name(asked: Asked, scene: scenes.Scene) -> str:
    taken = scene.names()
    if asked.name is not None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", asked.name):
            raise InputError(f"the name {asked.name!r} is not of small letters, digits, - and _")
        if asked.name in taken:
            raise InputError(f"the scene has a part called {asked.name} already")
        return asked.name
    stem = re.sub(r"[^a-z0-9_-]+", "-", Path(asked.mesh).stem.lower()).strip("-_")[:50] or "mesh"
    if stem not in taken:
        return stem
    return next(f"{stem}-{number}" for number in range(2, len(taken) + 3) if f"{stem}-{number}" not in taken)


def _turned(degrees: Triple) -> numpy.ndarray:
    x, y, z = numpy.radians(degrees)
    about_x = numpy.asarray([[1, 0, 0], [0, numpy.cos(x), -numpy.sin(x)], [0, numpy.sin(x), numpy.cos(x)]])
    about_y = numpy.asarray([[numpy.cos(y), 0, numpy.sin(y)], [0, 1, 0], [-numpy.sin(y), 0, numpy.cos(y)]])
    about_z = numpy.asarray([[numpy.cos(z), -numpy.sin(z), 0], [numpy.sin(z), numpy.cos(z), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def _outside(mesh: meshes.Mesh, pose: numpy.ndarray, folder: Path) -> list[str]:
    path = folder / scenes.FIELD
    if not path.is_file():
        return []
    _, words = fields.read_tensors(path)
    vertices = mesh.vertices @ pose[:3, :3].T + pose[:3, 3]
    outside = ((vertices < words["low"]) | (vertices > words["high"])).any(axis=1).mean()
    if outside:
        return [f"{100 * outside:.0f} % of the mesh's vertices are outside the field's box"]
    return []
