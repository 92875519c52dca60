"""A scene's folder on the device: meshes at a frame as a Mitsuba scene, the field with its pieces, the shadows."""

import copy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy

from sulan.errors import InputError, MissingFile
from sulan.radiance import arrays, field, integrator, meshes, motion, scenes
from sulan.radiance.pieces import PiecedVolume
from sulan.radiance.shadows import Shadows
from sulan.radiance.volume import GridVolume

Shadow = Literal["on", "off"]


@dataclass(kw_only=True)
class Stage:
    """A loaded scene; `at` sets it to a frame."""

    mi: Any
    folder: Path
    scene: scenes.Scene
    field: field.Field | None
    volume: GridVolume | None
    shares: numpy.ndarray | None
    motion: motion.Motion
    loaded: dict[str, meshes.Mesh]

    @classmethod
    def load(cls, mi: Any, folder: Path, *, step: float = 0.5) -> "Stage":
        """Read a scene's folder.

        Parameters
        ----------
        mi
            The module `mitsuba`.
        folder
            The scene.
        step
            Length of a march's step in voxels.

        Raises
        ------
        MissingFile, BrokenArtefact, InputError
            As the parts' readers do; also where a mesh cannot be shown.
        """
        scene = scenes.read(folder)
        path = folder / scenes.FIELD
        found = field.load(path) if path.is_file() else None
        shares = None
        if scene.lights and (folder / scenes.SHARES).is_file():
            shares = arrays.read(folder / scenes.SHARES)["shares"]
            if shares.ndim != 4 or shares.shape[3] != len(scene.lights) + 1:
                raise InputError(
                    f"{folder / scenes.SHARES} is not of these lights", hint="sulan radiance light"
                )
        elif scene.lights == () and (folder / scenes.SHARES).is_file():
            shares = arrays.read(folder / scenes.SHARES)["shares"]
        return cls(
            mi=mi,
            folder=folder,
            scene=scene,
            field=found,
            volume=GridVolume.of(mi, found, step=step) if found is not None else None,
            shares=shares,
            motion=motion.load(folder / scenes.MOTION),
            loaded={thing.name: _mesh(folder / scenes.MESHES / thing.mesh, thing) for thing in scene.things},
        )

    def at(self, frame: int) -> tuple[Any, Any]:
        """Return Mitsuba's scene of the meshes, and the volume, at a frame."""
        mi = self.mi
        parts: dict[str, Any] = {"type": "scene", **self.shapes(frame)}
        volume: Any = self.volume
        if self.scene.pieces and self.volume is not None:
            poses = [self.motion.pose(piece.name, frame) for piece in self.scene.pieces]
            poses = [numpy.eye(4) if pose is None else pose for pose in poses]
            if any(not numpy.allclose(pose, numpy.eye(4)) for pose in poses):
                volume = PiecedVolume.of(self.volume, self.scene.pieces, poses)
        return mi.load_dict(parts), volume

    def shapes(self, frame: int) -> dict[str, Any]:
        """Return the inserted meshes as Mitsuba's shapes at a frame, by name."""
        return {f"inserted-{thing.name}": self._shape(thing, frame) for thing in self.scene.things}

    def integrator(
        self, volume: Any, *, bounces: int, shadow: Shadow = "on", floor: float = 0.0, aim: bool = True
    ) -> Any:
        """Return the hybrid integrator for a volume that `at` gave."""
        lights = self.scene.lights or ()
        shadows = None
        if shadow == "on" and self.shares is not None and volume is not None and self.scene.things:
            shadows = Shadows.of(self.mi, volume, self.shares, lights, floor=floor)
        return integrator.hybrid(
            self.mi,
            volume=volume,
            shadows=shadows,
            lights=lights if aim and volume is not None else (),
            bounces=bounces,
        )

    def vertices(self, thing: scenes.Thing, frame: int) -> numpy.ndarray:
        """Return a thing's vertices in the world at a frame, `[n, 3]`."""
        moved = self.motion.shape(thing.name, frame)
        if moved is not None:
            return moved.astype(numpy.float64)
        pose = self.motion.pose(thing.name, frame)
        pose = numpy.asarray(thing.pose) if pose is None else pose
        return self.loaded[thing.name].vertices @ pose[:3, :3].T + pose[:3, 3]

    def _shape(self, thing: scenes.Thing, frame: int) -> Any:
        mi, mesh = self.mi, self.loaded[thing.name]
        vertices = self.vertices(thing, frame)
        if len(vertices) != len(mesh.vertices):
            raise InputError(
                f"the motion of {thing.name} has {len(vertices)} vertices, its mesh {len(mesh.vertices)}"
            )
        properties = mi.Properties()
        properties["bsdf"] = bsdf(mi, thing, mesh)
        if max(thing.emission) > 0:
            radiance = {"type": "rgb", "value": list(thing.emission)}
            properties["emitter"] = mi.load_dict({"type": "area", "radiance": radiance})
        shape = mi.Mesh(
            thing.name,
            len(vertices),
            len(mesh.faces),
            props=properties,
            has_vertex_normals=mesh.normals is not None,
            has_vertex_texcoords=mesh.coordinates is not None,
        )
        values = mi.traverse(shape)
        values["vertex_positions"] = vertices.astype(numpy.float32).ravel()
        values["faces"] = mesh.faces.astype(numpy.uint32).ravel()
        if mesh.normals is not None:
            normals = meshes.vertex_normals(vertices, mesh.faces)
            values["vertex_normals"] = normals.astype(numpy.float32).ravel()
        if mesh.coordinates is not None:
            values["vertex_texcoords"] = mesh.coordinates.astype(numpy.float32).ravel()
        for name, colour in (("face_tint", thing.tint), ("face_albedo", thing.albedo)):
            shape.add_attribute(
                name, 3, numpy.tile(numpy.asarray(colour, dtype=numpy.float32), len(mesh.faces))
            )
        values.update()
        return shape


def bsdf(mi: Any, thing: scenes.Thing, mesh: meshes.Mesh) -> Any:
    """Return a thing's BSDF.

    Raises
    ------
    InputError
        Mitsuba does not know it, or its parameters are wrong.
    """
    described = copy.deepcopy(thing.material)
    if described.get("type") == "mesh":
        if mesh.appearance is None:
            raise InputError(
                f"{thing.mesh} has no material of its own", hint="insert it with --material diffuse"
            )
        described = copy.deepcopy(mesh.appearance)
        colour = described["bsdf"]["base_color"]
        if "data" in colour:
            colour["bitmap"] = mi.Bitmap(colour.pop("data"))
    try:
        return mi.load_dict(described)
    except (RuntimeError, TypeError, ValueError) as error:
        first = " ".join(str(error).split())[:200]
        raise InputError(f"the material of {thing.name} is not a BSDF of Mitsuba: {first}") from error


@lru_cache(maxsize=1)
def cached(variant: str, folder: Path, stamp: str, step: float) -> Stage:
    """Return `Stage.load` of a folder; the last one is kept, for workers that render frame after frame.

    Parameters
    ----------
    variant
        Of Mitsuba: `llvm_ad_rgb` or `cuda_ad_rgb`.
    folder
        The scene.
    stamp
        Anything that changes with the scene's content.
    step
        See `Stage.load`.
    """
    import mitsuba

    if mitsuba.variant() != variant:
        raise InputError(f"Mitsuba runs as {mitsuba.variant()}, not as {variant}")
    return Stage.load(mitsuba, folder, step=step)


def _mesh(path: Path, thing: scenes.Thing) -> meshes.Mesh:
    if not path.is_file():
        raise MissingFile(f"no mesh at {path}")
    mesh, _ = meshes.load(path)
    smooth = thing.body in ("cloth", "soft") or meshes.is_smooth(mesh)
    return meshes.read_glb(path, smooth=smooth)
