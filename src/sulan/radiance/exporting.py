"""A field's surface with its colours, and its distances, as files."""

from pathlib import Path

import numpy

from sulan.radiance import arrays, collider, coordinates, images, scenes
from sulan.radiance import field as fields


def field(scene: Path, folder: Path, *, formats: tuple[str, ...], resolution: int | None) -> None:
    """Write `field.glb`, `field.ply` and `sdf.npz` of a scene's field, as far as `formats` asks."""
    import trimesh

    loaded = fields.load(scene / scenes.FIELD)
    known = scene / scenes.COLLIDER
    if known.is_file() and resolution is None:
        found = collider.load(known)
    else:
        found = collider.collider(loaded, resolution=resolution)
    if "sdf" in formats:
        grid = found.grid
        arrays.write(
            folder / "sdf.npz",
            {"distances": grid.distances, "low": numpy.asarray(grid.low), "high": numpy.asarray(grid.high)},
        )
    if "mesh" in formats:
        vertices, faces = collider.surface(found.grid)
        colours = vertex_colours(loaded, vertices, collider_normals(found, vertices))
        for name, turn in (("field.ply", numpy.eye(3)), ("field.glb", coordinates.Z_FROM_Y_UP[:3, :3])):
            made = trimesh.Trimesh(
                vertices=vertices @ turn, faces=faces, vertex_colors=colours, process=False
            )
            (folder / name).write_bytes(made.export(file_type=name.rpartition(".")[2]))


def collider_normals(found: collider.Collider, vertices: numpy.ndarray) -> numpy.ndarray:
    """Return outward normals of the collider at points near its surface, `[n, 3]`."""
    return found.grid.query(vertices)[1]


def vertex_colours(loaded: fields.Field, vertices: numpy.ndarray, normals: numpy.ndarray) -> numpy.ndarray:
    """Return sRGB colours `[n, 4]` uint8 of the field at points, seen along the normal."""
    inside = numpy.clip(vertices, numpy.asarray(loaded.low), numpy.asarray(loaded.high))
    _, radiance = loaded.query(inside, -normals)
    encoded = numpy.round(images.to_srgb(radiance) * 255).astype(numpy.uint8)
    return numpy.concatenate([encoded, numpy.full((len(encoded), 1), 255, dtype=numpy.uint8)], axis=1)
