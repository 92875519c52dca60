"""Pieces of a field that move: a box of it, queried where it was before it moved (paper, page 6).

A point p is in a moved piece when pose^-1 p lies in the piece's box; there the field at pose^-1 p counts, seen along
the direction turned back. The piece's old place is empty. What was never seen under it stays what training made of
it.
"""

from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

from sulan.radiance import coordinates
from sulan.radiance.scenes import Piece
from sulan.radiance.volume import GridVolume


@dataclass(kw_only=True)
class PiecedVolume:
    """A volume whose pieces stand at other poses; the interface of `volume.GridVolume` that marching needs."""

    whole: Any
    boxes: list[tuple[Any, Any]]
    back: list[Any]
    low: Any
    high: Any

    @classmethod
    def of(
        cls, volume: GridVolume, pieces: tuple[Piece, ...], poses: list[NDArray[numpy.float64]]
    ) -> "PiecedVolume":
        """Move pieces of a volume to rigid poses `[4, 4]`."""
        mi = volume.mi
        corners = [numpy.array([float(v[0]) for v in corner]) for corner in (volume.low, volume.high)]
        for piece, pose in zip(pieces, poses, strict=True):
            low, high = numpy.asarray(piece.low), numpy.asarray(piece.high)
            cube = numpy.stack(numpy.meshgrid(*zip(low, high, strict=True), indexing="ij"), axis=-1).reshape(
                -1, 3
            )
            moved = cube @ pose[:3, :3].T + pose[:3, 3]
            corners = [
                numpy.minimum(corners[0], moved.min(axis=0)),
                numpy.maximum(corners[1], moved.max(axis=0)),
            ]
        return cls(
            whole=volume,
            boxes=[(mi.Point3f(*piece.low), mi.Point3f(*piece.high)) for piece in pieces],
            back=[mi.Transform4f(mi.ScalarTransform4f(coordinates.inverted(pose))) for pose in poses],
            low=mi.Point3f(*corners[0].tolist()),
            high=mi.Point3f(*corners[1].tolist()),
        )

    @property
    def mi(self) -> Any:
        """The module `mitsuba`."""
        return self.whole.mi

    @property
    def step(self) -> float:
        """Length of a march's step."""
        return self.whole.step

    def crossing(self, origin: Any, direction: Any) -> tuple[Any, Any]:
        """Return where a ray enters and leaves the box around everything."""
        from sulan.radiance.volume import box

        return box(self.mi, self.low, self.high, origin, direction)

    def leave(self, point: Any, direction: Any, active: Any) -> tuple[Any, Any]:
        """Tell whether the coarse cell at `point` is empty; nothing is skipped near a moved piece."""
        import drjit as dr

        from sulan.radiance.volume import box

        # A point plus a vector is a Vector3f to Dr.Jit, which a transform would only turn.
        point = self.mi.Point3f(point)
        empty, far = self.whole.leave(point, direction, active)
        outside = ~_inside(self.whole.low, self.whole.high, point)
        empty |= outside
        # Outside the field's own box only moved pieces matter: go a step.
        far = dr.select(outside, self.step, far)
        for (low, high), back in zip(self.boxes, self.back, strict=True):
            near, end = box(self.mi, low, high, back @ point, back @ direction)
            ahead = (near < far) & (end > near)
            empty &= ~(ahead & (near <= 1e-6))
            far = dr.select(ahead, dr.minimum(far, dr.maximum(near, 1e-4)), far)
        return empty, far

    def query(self, point: Any, direction: Any, active: Any) -> tuple[Any, Any]:
        """Return density and radiance; see `volume.GridVolume.query`."""
        import drjit as dr

        where, along, solid = self._place(point, direction)
        density, colour = self.whole.query(where, along, active & solid)
        return dr.select(solid, density, 0.0), colour

    def density(self, point: Any, active: Any) -> Any:
        """Return the density alone."""
        import drjit as dr

        where, _, solid = self._place(point, self.mi.Vector3f(0.0, 0.0, 1.0))
        return dr.select(solid, self.whole.density(where, active & solid), 0.0)

    def background(self, direction: Any, active: Any) -> Any:
        """Return what comes from behind everything."""
        return self.whole.background(direction, active)

    def _place(self, point: Any, direction: Any) -> tuple[Any, Any, Any]:
        """Return where and along what the field is asked instead, and whether there is anything."""
        import drjit as dr

        mi = self.mi
        where, along = mi.Point3f(point), mi.Vector3f(direction)
        solid = _inside(self.whole.low, self.whole.high, point)
        for low, high in self.boxes:
            solid &= ~_inside(low, high, point)
        for (low, high), back in zip(self.boxes, self.back, strict=True):
            old = back @ mi.Point3f(point)
            here = _inside(low, high, old)
            where = dr.select(here, old, where)
            along = dr.select(here, back @ direction, along)
            solid |= here
        return where, along, solid


def _inside(low: Any, high: Any, point: Any) -> Any:
    import drjit as dr

    return dr.all((point >= low) & (point <= high))
