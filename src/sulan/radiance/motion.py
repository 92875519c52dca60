"""How things move, frame by frame, as `simulate` caches it for the renderer.

poses      NAME -> [frames, 4, 4]     rigid bodies and pieces of the field
vertices   NAME -> [frames, n, 3]     cloth and soft bodies, world space
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy
from numpy.typing import NDArray

from sulan.errors import BrokenArtefact
from sulan.radiance import arrays


@dataclass(frozen=True, kw_only=True)
class Motion:
    """Poses and vertices by frame; both may be empty."""

    poses: Mapping[str, NDArray[numpy.float64]] = field(default_factory=dict)
    vertices: Mapping[str, NDArray[numpy.float32]] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return max((len(values) for values in (*self.poses.values(), *self.vertices.values())), default=0)

    def pose(self, name: str, frame: int) -> NDArray[numpy.float64] | None:
        """Return a body's pose; past the last frame it rests; None where it does not move as one."""
        if name not in self.poses:
            return None
        return self.poses[name][min(frame, len(self.poses[name]) - 1)]

    def shape(self, name: str, frame: int) -> NDArray[numpy.float32] | None:
        """Return a body's vertices; past the last frame it rests; None where they do not move."""
        if name not in self.vertices:
            return None
        return self.vertices[name][min(frame, len(self.vertices[name]) - 1)]


def save(motion: Motion, path: Path) -> None:
    """Write a motion as one npz file, the same bytes for the same arrays."""
    arrays.write(
        path,
        {f"poses.{name}": array for name, array in motion.poses.items()}
        | {f"vertices.{name}": array for name, array in motion.vertices.items()},
    )


def load(path: Path) -> Motion:
    """Read what `save` wrote; no file is no motion.

    Raises
    ------
    BrokenArtefact
        It is not a motion.
    """
    if not path.is_file():
        return Motion()
    read = arrays.read(path)
    poses = {name.removeprefix("poses."): array for name, array in read.items() if name.startswith("poses.")}
    vertices = {
        name.removeprefix("vertices."): array for name, array in read.items() if name.startswith("vertices.")
    }
    if len(poses) + len(vertices) != len(read):
        raise BrokenArtefact(f"{path} is not a motion: {', '.join(sorted(read))}")
    for name, array in read.items():
        wrong = array.ndim != 3 or (name.startswith("poses.") and array.shape[1:] != (4, 4))
        if wrong or not numpy.isfinite(array).all():
            raise BrokenArtefact(f"{path}: {name} has the shape {array.shape}, or values that are not finite")
    return Motion(poses=poses, vertices=vertices)
