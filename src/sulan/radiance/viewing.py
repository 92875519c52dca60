"""The browser's view: viser's server with the scene's parts, and a slider where something moves."""

import contextlib
import logging
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from sulan.errors import InputError, MissingExtra, MissingFile
from sulan.radiance import cameras, collider, coordinates, exporting, meshes, motion, scenes
from sulan.radiance import field as fields

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a view had."""

    url: str
    vertices: int
    frames: int


def show(folder: Path, scene: scenes.Scene, *, port: int, host: str, seconds: float | None) -> Shown:
    """Serve a scene until Ctrl-C, or for some seconds; see `sulan radiance view`."""
    try:
        import viser
    except ImportError as error:
        raise MissingExtra("viser", extra="radiance") from error
    has_field = (folder / scenes.FIELD).is_file()
    if not has_field and not scene.things:
        raise InputError(f"{folder} has neither a field nor a mesh to show")
    port = _free(host, port)
    # viser greets on stdout, where only the result belongs.
    with contextlib.redirect_stdout(sys.stderr):
        server = viser.ViserServer(host=host, port=port, verbose=False)
    try:
        vertices = _field(server, folder) if has_field else 0
        moves = motion.load(folder / scenes.MOTION)
        handles = {thing.name: _thing(server, folder, thing) for thing in scene.things}
        _lights(server, scene)
        _cameras(server, folder)
        if moves.frames > 1:
            slider = server.gui.add_slider("frame", min=0, max=moves.frames - 1, step=1, initial_value=0)
            slider.on_update(lambda _: _move(scene, handles, moves, int(slider.value)))
        _log.info("open http://%s:%d in a browser; Ctrl-C ends", host, port)
        _wait(seconds)
    finally:
        with contextlib.redirect_stdout(sys.stderr):
            server.stop()
    return Shown(url=f"http://{host}:{port}", vertices=vertices, frames=moves.frames)


def _wait(seconds: float | None) -> None:
    end = None if seconds is None else time.monotonic() + seconds
    try:
        while end is None or time.monotonic() < end:
            time.sleep(0.2 if end is None else max(0.0, min(0.2, end - time.monotonic())))
    except KeyboardInterrupt:
        _log.info("ended")


def _free(host: str, port: int) -> int:
    """Return the port, or any free one for 0: viser itself would silently take another."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise InputError(f"cannot listen at {host}:{port}: {error}", hint="--port 0 takes any") from error
        return int(probe.getsockname()[1])


def _field(server: Any, folder: Path) -> int:
    loaded = fields.load(folder / scenes.FIELD)
    known = folder / scenes.COLLIDER
    found = collider.load(known) if known.is_file() else collider.collider(loaded)
    vertices, faces = collider.surface(found.grid)
    colours = exporting.vertex_colours(loaded, vertices, exporting.collider_normals(found, vertices))
    import trimesh

    # One side only: a room is looked into from outside.
    made = trimesh.Trimesh(vertices=vertices, faces=faces, vertex_colors=colours, process=False)
    server.scene.add_mesh_trimesh("/field", made)
    return len(vertices)


def _thing(server: Any, folder: Path, thing: scenes.Thing) -> Any:
    mesh, _ = meshes.load(folder / scenes.MESHES / thing.mesh)
    pose = numpy.asarray(thing.pose)
    colour = tuple(int(255 * min(1.0, value)) for value in thing.albedo)
    return server.scene.add_mesh_simple(
        f"/things/{thing.name}",
        vertices=mesh.vertices.astype(numpy.float32),
        faces=mesh.faces.astype(numpy.uint32),
        color=colour,
        side="double",
        wxyz=coordinates.quaternion(pose[:3, :3]),
        position=pose[:3, 3],
    )


def _move(scene: scenes.Scene, handles: dict[str, Any], moves: motion.Motion, frame: int) -> None:
    for thing in scene.things:
        pose, shape = moves.pose(thing.name, frame), moves.shape(thing.name, frame)
        handle = handles[thing.name]
        if pose is not None:
            handle.wxyz, handle.position = coordinates.quaternion(pose[:3, :3]), pose[:3, 3]
        if shape is not None:
            handle.wxyz, handle.position = (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
            handle.vertices = shape.astype(numpy.float32)


def _lights(server: Any, scene: scenes.Scene) -> None:
    for number, light in enumerate(scene.lights or ()):
        strongest = max(light.power)
        colour = tuple(int(255 * value / strongest) for value in light.power)
        server.scene.add_icosphere(
            f"/lights/{number}", radius=light.radius, color=colour, position=light.centre
        )


def _cameras(server: Any, folder: Path) -> None:
    try:
        views = cameras.read(folder)
    except MissingFile:
        return
    for view in views[:200]:
        pose = coordinates.converted(view.pose, source="opengl", target="opencv")
        server.scene.add_camera_frustum(
            f"/cameras/{view.name}",
            fov=float(2 * numpy.arctan(0.5 * view.height / view.focal[1])),
            aspect=view.width / view.height,
            scale=0.05,
            wxyz=coordinates.quaternion(pose[:3, :3]),
            position=pose[:3, 3],
            visible=False,
        )
