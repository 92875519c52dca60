"""Meshes in and out: glTF, OBJ, PLY and STL through trimesh; a few that are made here; what is wrong with one.

`bunny` is the Stanford bunny (Stanford University Computer Graphics Laboratory) as the public-domain npm package
`bunny` 1.0.1 has it; it lies in `shapes/` as a glTF.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
from numpy.typing import NDArray

from sulan.errors import BrokenArtefact, InputError, MissingExtra, MissingFile
from sulan.radiance import coordinates

if TYPE_CHECKING:
    import trimesh

NAMES = ("ball", "bunny", "cloth", "cube", "lowball")

LARGEST_FACES = 20_000_000

BUNNY = Path(__file__).parent / "shapes" / "bunny.glb"


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """Triangles.

    Attributes
    ----------
    vertices
        `[n, 3]`, z up.
    faces
        `[m, 3]`.
    normals
        `[n, 3]` where the surface is smooth; None: flat faces.
    coordinates
        Texture coordinates `[n, 2]`.
    appearance
        glTF's own material as a Mitsuba BSDF; None: it has none.
    """

    vertices: NDArray[numpy.float64]
    faces: NDArray[numpy.int64]
    normals: NDArray[numpy.float64] | None = None
    coordinates: NDArray[numpy.float64] | None = None
    appearance: dict[str, Any] | None = None


def load(source: str | Path) -> "tuple[Mesh, list[str]]":
    """Return a mesh by name (see `NAMES`) or from a file, and what is wrong with it.

    Raises
    ------
    MissingFile
        No such file.
    BrokenArtefact
        It cannot be read.
    InputError
        It has no triangle, or a vertex that is not finite.
    """
    if str(source) in NAMES:
        return made(str(source)), []
    path = Path(source)
    trimesh = _trimesh()
    if not path.is_file():
        raise MissingFile(
            f"no mesh at {path}", hint=f"a glb, obj, ply or stl file, or one of {', '.join(NAMES)}"
        )
    try:
        loaded = trimesh.load(path, force="mesh", process=False)
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        OSError,
        NotImplementedError,
        AttributeError,
    ) as error:
        raise BrokenArtefact(f"{path} cannot be read as a mesh: {error}") from error
    if not isinstance(loaded, trimesh.Trimesh) or len(loaded.faces) == 0:
        raise InputError(f"{path} has no triangles")
    return _checked(loaded, path)


def _checked(loaded: "trimesh.Trimesh", path: Path) -> tuple[Mesh, list[str]]:
    vertices = numpy.asarray(loaded.vertices, dtype=numpy.float64)
    faces = numpy.asarray(loaded.faces, dtype=numpy.int64)
    if len(faces) > LARGEST_FACES:
        raise InputError(f"{path} has {len(faces):,} triangles; at most {LARGEST_FACES:,} are read")
    if not numpy.isfinite(vertices).all():
        raise InputError(f"{path} has vertices that are not finite")
    turn = path.suffix.lower() in (".glb", ".gltf")
    if turn:
        vertices = vertices @ coordinates.Z_FROM_Y_UP[:3, :3].T
    problems = []
    areas = _areas(vertices, faces)
    flat = areas <= 1e-12 * max(float(areas.max()), 1e-300)
    if flat.all():
        raise InputError(f"{path} has no triangle with an area")
    if flat.any():
        problems.append(f"{int(flat.sum())} triangles without area were left out")
        faces = faces[~flat]
    if not loaded.is_watertight:
        problems.append("the mesh is open: it can be seen and collided with, but has no inside")
    texture = getattr(loaded.visual, "uv", None)
    return (
        Mesh(
            vertices=vertices,
            faces=faces,
            coordinates=None if texture is None else numpy.asarray(texture, dtype=numpy.float64),
            appearance=_appearance(loaded),
        ),
        problems,
    )


def _appearance(loaded: "trimesh.Trimesh") -> dict[str, Any] | None:
    """Metallic-roughness of glTF as Mitsuba's principled BSDF; textures are kept as arrays by `stage`."""
    found = getattr(loaded.visual, "material", None)
    if found is None or not hasattr(found, "metallicFactor"):
        return None
    factor = numpy.asarray(
        found.baseColorFactor if found.baseColorFactor is not None else [255, 255, 255, 255]
    )
    base = (factor[:3] / 255.0 if factor.max() > 1 else factor[:3].astype(float)).tolist()
    colour: Any = {"type": "rgb", "value": base}
    if found.baseColorTexture is not None and getattr(loaded.visual, "uv", None) is not None:
        from sulan.radiance.images import from_srgb

        pixels = from_srgb(numpy.asarray(found.baseColorTexture.convert("RGB"), dtype=numpy.float64) / 255)
        colour = {"type": "bitmap", "data": (pixels * base).astype(numpy.float32), "raw": True}
    return {
        "type": "twosided",
        "bsdf": {
            "type": "principled",
            "base_color": colour,
            "metallic": float(found.metallicFactor if found.metallicFactor is not None else 1.0),
            "roughness": max(
                0.05, float(found.roughnessFactor if found.roughnessFactor is not None else 1.0)
            ),
        },
    }


def made(name: str) -> Mesh:
    """Return a mesh that is made here, of about unit size around the origin.

    Raises
    ------
    InputError
        No such name.
    """
    trimesh = _trimesh()
    if name == "bunny":
        loaded = trimesh.load(BUNNY, force="mesh", process=False)
        upright = numpy.asarray(loaded.vertices) @ coordinates.Z_FROM_Y_UP[:3, :3].T
        return _smooth(upright, numpy.asarray(loaded.faces))
    if name in ("ball", "lowball"):
        ball = trimesh.creation.icosphere(subdivisions=4 if name == "ball" else 2, radius=0.5)
        return _smooth(numpy.asarray(ball.vertices), numpy.asarray(ball.faces))
    if name == "cube":
        cube = trimesh.creation.box(extents=(1.0, 1.0, 1.0))
        return Mesh(vertices=numpy.asarray(cube.vertices), faces=numpy.asarray(cube.faces))
    if name == "cloth":
        return sheet(24)
    raise InputError(f"no mesh is called {name!r}", hint=f"one of {', '.join(NAMES)}")


def sheet(cells: int) -> Mesh:
    """Return a square cloth of side 1 in the plane z = 0, with `cells` squares a side."""
    side = numpy.linspace(-0.5, 0.5, cells + 1)
    x, y = numpy.meshgrid(side, side)
    vertices = numpy.stack([x.ravel(), y.ravel(), numpy.zeros(x.size)], axis=1)
    corner = (numpy.arange(cells)[:, None] * (cells + 1) + numpy.arange(cells)).ravel()
    a, b, c, d = corner, corner + 1, corner + cells + 1, corner + cells + 2
    even = ((corner // (cells + 1) + corner % (cells + 1)) % 2 == 0)[:, None]
    one = numpy.where(even, numpy.stack([a, b, d], axis=1), numpy.stack([a, b, c], axis=1))
    two = numpy.where(even, numpy.stack([a, d, c], axis=1), numpy.stack([b, d, c], axis=1))
    return _smooth(vertices, numpy.concatenate([one, two]))


def transformed(mesh: Mesh, *, scale: float) -> Mesh:
    """Return the mesh with its box's centre at the origin and multiplied by `scale` over its longest side."""
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    factor = scale / float((high - low).max())
    return Mesh(
        vertices=(mesh.vertices - (low + high) / 2) * factor,
        faces=mesh.faces,
        normals=mesh.normals,
        coordinates=mesh.coordinates,
        appearance=mesh.appearance,
    )


def vertex_normals(vertices: NDArray[numpy.float64], faces: NDArray[numpy.int64]) -> NDArray[numpy.float64]:
    """Return unit normals at vertices `[n, 3]`, the mean of the faces' weighted by area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normals = numpy.zeros_like(vertices)
    face = numpy.cross(b - a, c - a)
    for k in range(3):
        numpy.add.at(normals, faces[:, k], face)
    return normals / numpy.maximum(numpy.linalg.norm(normals, axis=1, keepdims=True), 1e-20)


def write_glb(mesh: Mesh, path: Path) -> None:
    """Write a mesh as binary glTF, y up as the format has it."""
    trimesh = _trimesh()
    back = mesh.vertices @ coordinates.Z_FROM_Y_UP[:3, :3]
    visual = None
    if mesh.coordinates is not None:
        visual = trimesh.visual.TextureVisuals(uv=mesh.coordinates)
    made = trimesh.Trimesh(vertices=back, faces=mesh.faces, process=False, visual=visual)
    if mesh.normals is not None:
        made.vertex_normals = mesh.normals @ coordinates.Z_FROM_Y_UP[:3, :3]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.export(file_type="glb", include_normals=mesh.normals is not None))


def read_glb(path: Path, *, smooth: bool) -> Mesh:
    """Read a mesh of a scene, which `write_glb` wrote, with smooth normals where asked for."""
    mesh, _ = load(path)
    if not smooth:
        return mesh
    made = _smooth(mesh.vertices, mesh.faces)
    return Mesh(
        vertices=made.vertices,
        faces=made.faces,
        normals=made.normals,
        coordinates=mesh.coordinates,
        appearance=mesh.appearance,
    )


def is_smooth(mesh: Mesh) -> bool:
    """Tell whether most neighbouring faces meet at less than 40 degrees: then normals are shared."""
    trimesh = _trimesh()
    angles = trimesh.Trimesh(vertices=mesh.vertices, faces=mesh.faces, process=False).face_adjacency_angles
    return len(angles) > 0 and float(numpy.median(angles)) < numpy.radians(40) and len(mesh.faces) > 100


def _smooth(vertices: NDArray[numpy.float64], faces: NDArray[numpy.int64]) -> Mesh:
    vertices, faces = numpy.asarray(vertices, dtype=numpy.float64), numpy.asarray(faces, dtype=numpy.int64)
    return Mesh(vertices=vertices, faces=faces, normals=vertex_normals(vertices, faces))


def _areas(vertices: NDArray[numpy.float64], faces: NDArray[numpy.int64]) -> NDArray[numpy.float64]:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return 0.5 * numpy.linalg.norm(numpy.cross(b - a, c - a), axis=1)


def _trimesh() -> Any:
    try:
        import trimesh
        import trimesh.visual
    except ImportError as error:
        raise MissingExtra("trimesh", extra="radiance") from error
    return trimesh
