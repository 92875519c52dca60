"""A scene's meshes with their motion as USD (ASCII) and as binary glTF, which Blender, Omniverse and browsers open.

Rigid bodies become transforms by time, cloth and soft bodies points by time (USD) or one morph target a frame (glTF).
Written by hand: no library here writes either, and both are a page of text. Not covered: materials beyond a base
colour.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from sulan.radiance import coordinates
from sulan.radiance.meshes import Mesh
from sulan.radiance.motion import Motion
from sulan.radiance.scenes import Scene, Thing
from sulan.runs import outputs

Array = NDArray[numpy.floating]

_FLOAT, _UNSIGNED = 5126, 5125
"""glTF's numbers for 32-bit floats and unsigned integers."""


def write_usd(scene: Scene, meshes: dict[str, Mesh], motion: Motion, path: Path, *, rate: float) -> None:
    """Write the things of a scene as an ASCII USD stage, z up, one time code a frame."""
    last = max(0, motion.frames - 1)
    parts = [
        "#usda 1.0",
        f'(\n    defaultPrim = "scene"\n    upAxis = "Z"\n    metersPerUnit = 1\n    timeCodesPerSecond = {rate:g}'
        f"\n    startTimeCode = 0\n    endTimeCode = {last}\n)\n",
        'def Xform "scene"\n{',
    ]
    for thing in scene.things:
        mesh = meshes[thing.name]
        name = thing.name.replace("-", "_")
        name = name if not name[0].isdigit() else f"_{name}"
        colour = ", ".join(f"{value:g}" for value in thing.albedo)
        parts += [
            f'    def Mesh "{name}"\n    {{',
            f"        int[] faceVertexCounts = [{', '.join(['3'] * len(mesh.faces))}]",
            f"        int[] faceVertexIndices = [{', '.join(map(str, mesh.faces.ravel().tolist()))}]",
            f"        color3f[] primvars:displayColor = [({colour})]",
            '        uniform token subdivisionScheme = "none"',
        ]
        moved = motion.vertices.get(thing.name)
        if moved is not None:
            parts.append("        point3f[] points.timeSamples = {")
            parts += [f"            {frame}: [{_points(vertices)}]," for frame, vertices in enumerate(moved)]
            parts.append("        }")
        else:
            parts.append(f"        point3f[] points = [{_points(mesh.vertices)}]")
            poses = motion.poses.get(thing.name)
            if poses is None:
                parts.append(f"        matrix4d xformOp:transform = {_matrix(numpy.asarray(thing.pose))}")
            else:
                parts.append("        matrix4d xformOp:transform.timeSamples = {")
                parts += [f"            {frame}: {_matrix(pose)}," for frame, pose in enumerate(poses)]
                parts.append("        }")
            parts.append('        uniform token[] xformOpOrder = ["xformOp:transform"]')
        parts.append("    }")
    outputs.write_text(path, "\n".join([*parts, "}"]) + "\n")


def _points(vertices: Array) -> str:
    return ", ".join(f"({x:.6g}, {y:.6g}, {z:.6g})" for x, y, z in vertices)


def _matrix(pose: Array) -> str:
    # USD's row vectors: the transpose of ours.
    rows = (", ".join(f"{value:.9g}" for value in row) for row in numpy.asarray(pose).T)
    return f"( ({'), ('.join(rows)}) )"


class _Buffer:
    """Collects arrays of a glTF file."""

    def __init__(self) -> None:
        self.data, self.views, self.accessors = bytearray(), [], []

    def add(
        self, array: Array | NDArray[numpy.unsignedinteger], kind: str, *, target: int | None = None
    ) -> int:
        """Append an array and return its accessor's number."""
        whole = numpy.issubdtype(array.dtype, numpy.integer)
        flat = numpy.ascontiguousarray(array, dtype=numpy.uint32 if whole else numpy.float32)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": flat.nbytes}
        if target is not None:
            view["target"] = target
        self.data += flat.tobytes()
        self.views.append(view)
        rows = flat.reshape(len(flat), -1)
        self.accessors.append(
            {
                "bufferView": len(self.views) - 1,
                "componentType": _UNSIGNED if whole else _FLOAT,
                "count": len(rows),
                "type": kind,
                "min": rows.min(axis=0).tolist(),
                "max": rows.max(axis=0).tolist(),
            }
        )
        return len(self.accessors) - 1


def write_glb(scene: Scene, meshes: dict[str, Mesh], motion: Motion, path: Path, *, rate: float) -> None:
    """Write the things of a scene as binary glTF with one animation, y up as the format has it."""
    buffer = _Buffer()
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "sulan"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(scene.things)))}],
        "nodes": [],
        "meshes": [],
        "materials": [],
    }
    channels: list[dict[str, Any]] = []
    samplers: list[dict[str, Any]] = []
    times = buffer.add(numpy.arange(max(1, motion.frames)) / rate, "SCALAR") if motion.frames else None
    for number, thing in enumerate(scene.things):
        node = _node(document, buffer, thing, meshes[thing.name], motion)
        document["nodes"].append(node)
        for name, values, kind in _tracks(thing, motion):
            samplers.append({"input": times, "output": buffer.add(values, kind), "interpolation": "LINEAR"})
            channels.append({"sampler": len(samplers) - 1, "target": {"node": number, "path": name}})
    if channels:
        document["animations"] = [{"name": "motion", "channels": channels, "samplers": samplers}]
    document |= {
        "buffers": [{"byteLength": len(buffer.data)}],
        "bufferViews": buffer.views,
        "accessors": buffer.accessors,
    }
    outputs.write_bytes(path, _glb(document, bytes(buffer.data)))


def _node(
    document: dict[str, Any], buffer: _Buffer, thing: Thing, mesh: Mesh, motion: Motion
) -> dict[str, Any]:
    moved = motion.vertices.get(thing.name)
    vertices = mesh.vertices if moved is None else moved[0]
    primitive: dict[str, Any] = {
        "attributes": {"POSITION": buffer.add(_up(vertices), "VEC3", target=34962)},
        "indices": buffer.add(mesh.faces.astype(numpy.uint32).ravel(), "SCALAR", target=34963),
        "material": len(document["materials"]),
    }
    described: dict[str, Any] = {"name": thing.name, "primitives": [primitive]}
    if moved is not None and len(moved) > 1:
        primitive["targets"] = [
            {"POSITION": buffer.add(_up(frame.astype(float) - moved[0]), "VEC3")} for frame in moved[1:]
        ]
        described["weights"] = [0.0] * (len(moved) - 1)
    factor = [*map(float, thing.albedo), 1.0]
    document["materials"].append(
        {"name": thing.name, "doubleSided": True, "pbrMetallicRoughness": {"baseColorFactor": factor}}
    )
    document["meshes"].append(described)
    node: dict[str, Any] = {"name": thing.name, "mesh": len(document["meshes"]) - 1}
    if moved is None:
        translation, rotation = _placed(numpy.asarray(thing.pose))
        node |= {"translation": translation, "rotation": rotation}
    return node


def _tracks(thing: Thing, motion: Motion) -> list[tuple[str, Array, str]]:
    poses, moved = motion.poses.get(thing.name), motion.vertices.get(thing.name)
    if poses is not None:
        placed = [_placed(pose) for pose in poses]
        return [
            ("translation", numpy.asarray([translation for translation, _ in placed]), "VEC3"),
            ("rotation", numpy.asarray([rotation for _, rotation in placed]), "VEC4"),
        ]
    if moved is not None and len(moved) > 1:
        return [("weights", numpy.eye(len(moved))[:, 1:].reshape(-1, 1), "SCALAR")]
    return []


def _up(vertices: Array) -> Array:
    return numpy.asarray(vertices, dtype=numpy.float64) @ coordinates.Z_FROM_Y_UP[:3, :3]


def _placed(pose: Array) -> tuple[list[float], list[float]]:
    """Return translation and quaternion (x, y, z, w) of a pose in a y-up world."""
    turn = coordinates.Z_FROM_Y_UP
    y_up = turn.T @ pose @ turn
    w, x, y, z = coordinates.quaternion(y_up[:3, :3]).tolist()
    return y_up[:3, 3].tolist(), [x, y, z, w]


def _glb(document: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    data += b"\0" * (-len(data) % 4)
    length = 12 + 8 + len(text) + 8 + len(data)
    return (
        struct.pack("<4sII", b"glTF", 2, length)
        + struct.pack("<I4s", len(text), b"JSON")
        + text
        + struct.pack("<I4s", len(data), b"BIN\0")
        + data
    )
