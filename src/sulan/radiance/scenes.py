"""A scene on disk: one folder that every verb reads and most write anew, with a little more in it.

    transforms.json        cameras                          capture, train
    images/*.exr           views of the empty scene         capture
    field.safetensors      the radiance field               train
    collider.npz           signed distances                 geometry
    shares.npz             each light's share of the light  light
    meshes/*.glb           inserted meshes                  insert
    motion.npz             poses and vertices by frame      simulate
    scene.json             what is inserted, lights, motion

Files that a verb does not change are hard-linked from the scene it read (copied where links are not possible):
artefacts are never written in place, so a link cannot change under anybody.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.radiance import coordinates
from sulan.runs import outputs

NAME = "scene.json"
FIELD, COLLIDER, SHARES, MOTION, MESHES = (
    "field.safetensors",
    "collider.npz",
    "shares.npz",
    "motion.npz",
    "meshes",
)

Triple = tuple[float, float, float]
Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Body = Literal["fixed", "rigid", "cloth", "soft"]

Row = tuple[float, float, float, float]

_IDENTITY: tuple[Row, ...] = (
    (1.0, 0.0, 0.0, 0.0),
    (0.0, 1.0, 0.0, 0.0),
    (0.0, 0.0, 1.0, 0.0),
    (0.0, 0.0, 0.0, 1.0),
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Thing(_Part):
    """A mesh in the scene.

    Attributes
    ----------
    mesh
        File in `meshes/`; its vertices are in world units around the origin.
    pose
        Mesh-to-world, a rotation with a translation.
    material
        A Mitsuba BSDF as a dictionary, or `{"type": "mesh"}` for the glTF file's own.
    tint
        What passes straight through it, RGB: a coloured shadow. 0: opaque.
    albedo
        Mean reflectance, RGB: how bright it makes the field's places that see it instead of the room.
    emission
        Radiance it gives off, RGB.
    body
        How it moves.
    mass
        Kilograms, or units that play their part; of the whole body.
    """

    name: Word
    mesh: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*\.glb$")]
    pose: tuple[Row, ...] = _IDENTITY
    material: dict[str, Any]
    tint: Triple = (0.0, 0.0, 0.0)
    albedo: Triple = (0.5, 0.5, 0.5)
    emission: Triple = (0.0, 0.0, 0.0)
    body: Body = "fixed"
    mass: float = Field(default=1.0, gt=0)
    velocity: Triple = (0.0, 0.0, 0.0)


class Piece(_Part):
    """A box of the field that moves as one body: the field inside it is queried at pose^-1 p."""

    name: Word
    low: Triple
    high: Triple
    mass: float = Field(default=1.0, gt=0)
    velocity: Triple = (0.0, 0.0, 0.0)


class Light(_Part):
    """An emitter inside the field, as `light` found it.

    Attributes
    ----------
    radius
        Of the sphere around it.
    extent
        Of its box, per axis: its shape.
    power
        Radiant power, RGB.
    """

    centre: Triple
    radius: float = Field(gt=0)
    extent: Triple
    power: Triple


class Scene(_Part):
    """What `scene.json` says; the folder has the rest."""

    version: Literal[1] = 1
    things: tuple[Thing, ...] = ()
    pieces: tuple[Piece, ...] = ()
    lights: tuple[Light, ...] | None = None
    frames_per_second: float | None = Field(default=None, gt=0)

    def names(self) -> list[str]:
        """Names of everything that can move, things first."""
        return [part.name for part in (*self.things, *self.pieces)]


def read(folder: Path) -> Scene:
    """Read a scene's `scene.json`; a capture without one is a scene with nothing in it.

    Raises
    ------
    MissingFile
        There is no such folder.
    BrokenArtefact
        `scene.json` is not JSON.
    InputError
        It has a value that cannot be used; the message names the key.
    """
    if not folder.is_dir():
        raise MissingFile(f"no scene at {folder}", hint="sulan radiance capture studio --out DIR makes one")
    try:
        document = json.loads((folder / NAME).read_text())
    except FileNotFoundError:
        return Scene()
    except ValueError as error:
        raise BrokenArtefact(f"{folder / NAME} is not JSON: {error}") from error
    try:
        scene = Scene.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "scene"
        raise InputError(f"{folder / NAME}: {key}: {first['msg']}") from error
    names = scene.names()
    if len(set(names)) != len(names):
        raise InputError(f"{folder / NAME}: two parts have the same name")
    for thing in scene.things:
        coordinates.checked(thing.pose, name=f"{folder / NAME}: {thing.name}")
        if not (folder / MESHES / thing.mesh).is_file():
            raise MissingFile(f"no mesh at {folder / MESHES / thing.mesh}")
    return scene


def write(scene: Scene, folder: Path) -> None:
    """Write `scene.json` into a scene's folder."""
    outputs.write_text(folder / NAME, json.dumps(scene.model_dump(mode="json"), indent=1) + "\n")


def carry(source: Path, target: Path, *, without: tuple[str, ...] = ()) -> None:
    """Bring a scene's files into a new scene's folder, except its record, report, scene.json and `without`."""
    left = {outputs.RECORD, "report.json", "report.html", NAME, *without}
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if path.is_dir() or relative.parts[0] in left:
            continue
        place = target / relative
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, place)
        except OSError:  # another file system, or one without links
            shutil.copyfile(path, place)


def need(folder: Path, name: str, *, hint: str) -> Path:
    """Return a scene's file.

    Raises
    ------
    MissingFile
        The scene has none; the hint is the verb that makes it.
    """
    if not folder.is_dir():
        raise MissingFile(f"no scene at {folder}", hint="sulan radiance capture studio --out DIR makes one")
    path = folder / name
    if not path.is_file():
        raise MissingFile(f"no {name} in {folder}", hint=hint)
    return path
