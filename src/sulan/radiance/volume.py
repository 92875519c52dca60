"""A dense-grid field in Dr.Jit: looked up, differentiated, and skipped where it is empty.

The same interpolation as `field.Field.query`, in single precision. Channels lie four by four, padded, so that one
packet gather brings four of them: for degree 1 that is four packets for each of the eight corners. A coarse grid says
where density can be above a threshold; a march jumps over the rest.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy

from sulan.radiance import harmonics
from sulan.radiance.field import LARGEST_LOG_RADIANCE, SOLID, Field, triple

EMPTY_DENSITY = 0.02
"""Density below which a cell counts as empty, relative to one over the box's longest side: crossing the whole box
there would take 2 % of the light, and no ray crosses it all in such cells."""

CELLS = 4
"""Nodes of the grid that one cell of the occupancy grid spans along each side at most: a jump must be worth its
test, and surfaces fill few cells of this size."""


def packets(channels: int) -> int:
    """Return how many packets of four hold `channels`."""
    return (channels + 3) // 4


def packed(values: numpy.ndarray) -> numpy.ndarray:
    """Return grid values `[z, y, x, c]` flat, with channels padded to whole packets."""
    missing = 4 * packets(values.shape[3]) - values.shape[3]
    return numpy.pad(values, [(0, 0)] * 3 + [(0, missing)]).astype(numpy.float32).ravel()


def unpacked(flat: numpy.ndarray, nodes: tuple[int, int, int], channels: int) -> numpy.ndarray:
    """Return what `packed` was given; `nodes` are (x, y, z)."""
    return numpy.ascontiguousarray(flat.reshape(*nodes[::-1], 4 * packets(channels))[..., :channels])


def occupancy(field: Field, *, threshold: float | None = None) -> numpy.ndarray:
    """Return which cells of the coarse grid are occupied, `[z, y, x]` bool.

    A cell is occupied when a node in it or on its border is denser than the threshold: interpolation cannot exceed
    its nodes, so nothing above it is skipped.

    Parameters
    ----------
    field
        The field.
    threshold
        Density; None: `EMPTY_DENSITY` over the box's longest side.
    """
    if threshold is None:
        threshold = EMPTY_DENSITY / max(h - low for low, h in zip(field.low, field.high, strict=True))
    dense = field.density_nodes() > threshold
    for axis in range(3):
        cells = max(1, -(-(dense.shape[axis] - 1) // CELLS))
        edges = numpy.linspace(0, dense.shape[axis] - 1, cells + 1)
        slabs = [
            dense.take(range(int(numpy.floor(a)), int(numpy.ceil(b)) + 1), axis=axis).any(axis=axis)
            for a, b in itertools.pairwise(edges)
        ]
        dense = numpy.stack(slabs, axis=axis)
    return dense


@dataclass(kw_only=True)
class GridVolume:
    """A field's arrays on the device, with the lookups.

    Attributes
    ----------
    mi
        The module `mitsuba`, its variant set.
    values, environment, occupied
        Flat arrays; the first two are what training optimises.
    """

    mi: Any
    low: Any
    high: Any
    nodes: tuple[int, int, int]
    cells: tuple[int, int, int]
    degree: int
    scale: float
    values: Any
    environment: Any
    environment_size: tuple[int, int]
    occupied: Any
    step: float
    shell: float = 0.0

    @classmethod
    def of(cls, mi: Any, field: Field, *, step: float = 0.5, threshold: float | None = None) -> "GridVolume":
        """Put a field onto the device.

        Parameters
        ----------
        mi
            The module `mitsuba`.
        field
            The field.
        step
            Length of a march's step in voxels.
        threshold
            See `occupancy`.
        """
        cells = occupancy(field, threshold=threshold)
        return cls(
            mi=mi,
            low=mi.Point3f(*field.low),
            high=mi.Point3f(*field.high),
            nodes=field.resolution,
            cells=(cells.shape[2], cells.shape[1], cells.shape[0]),
            degree=field.degree,
            scale=field.scale,
            values=mi.Float(packed(field.values)),
            environment=mi.Float(field.environment.astype(numpy.float32).ravel()),
            environment_size=(field.environment.shape[1], field.environment.shape[0]),
            occupied=mi.UInt32(cells.astype(numpy.uint32).ravel()),
            step=step * field.voxel,
            shell=field.shell,
        )

    @property
    def field_channels(self) -> int:
        """Channels of a node: density and radiance coefficients."""
        return 1 + 3 * harmonics.count(self.degree)

    def field(self) -> Field:
        """Bring the field back."""
        width, height = self.environment_size
        return Field(
            low=triple([v[0] for v in self.low]),
            high=triple([v[0] for v in self.high]),
            values=unpacked(self.values.numpy(), self.nodes, self.field_channels),
            environment=self.environment.numpy().reshape(height, width, 3).copy(),
            scale=self.scale,
            degree=self.degree,
            shell=self.shell,
        )

    def crossing(self, origin: Any, direction: Any) -> tuple[Any, Any]:
        """Return where a ray enters and leaves the box."""
        return box(self.mi, self.low, self.high, origin, direction)

    def leave(self, point: Any, direction: Any, active: Any) -> tuple[Any, Any]:
        """Tell whether the coarse cell at `point` is empty, and how far it is to its border along `direction`."""
        import drjit as dr

        mi = self.mi
        count = mi.Vector3f(*map(float, self.cells))
        side = (self.high - self.low) / count
        cell = dr.clip((point - self.low) / side, 0.0, count - 0.5)
        low = mi.Point3u(cell)
        index = (low.z * self.cells[1] + low.y) * self.cells[0] + low.x
        is_empty = dr.gather(mi.UInt32, self.occupied, index, active) == 0
        corner = self.low + mi.Vector3f(low) * side
        _, far = box(mi, corner, corner + side, point, direction)
        return is_empty, far

    def query(self, point: Any, direction: Any, active: Any) -> tuple[Any, Any]:
        """Return density and radiance at a point inside the box, seen along a unit direction."""
        import drjit as dr

        mi = self.mi
        raw = self._interpolate(point, active)
        density = self._walled(self.scale * softplus(raw[0]), point)
        functions = harmonics.basis(direction.x, direction.y, direction.z, self.degree)
        colour = []
        for channel in range(3):
            logarithm = functions[0] * raw[1 + channel]
            for k in range(1, len(functions)):
                logarithm = dr.fma(functions[k], raw[1 + 3 * k + channel], logarithm)
            colour.append(dr.exp(dr.minimum(logarithm, LARGEST_LOG_RADIANCE)))
        return density, mi.Color3f(*colour)

    def density(self, point: Any, active: Any) -> Any:
        """Return the density alone: a quarter of the lookups."""
        return self._walled(self.scale * softplus(self._interpolate(point, active, count=1)[0]), point)

    def _walled(self, density: Any, point: Any) -> Any:
        import drjit as dr

        if self.shell == 0:
            return density
        border = dr.min(dr.minimum(point - self.low, self.high - point))
        return dr.select(border <= self.shell, SOLID, density)

    def background(self, direction: Any, active: Any) -> Any:
        """Return the radiance that comes from behind the box along a unit direction."""
        import drjit as dr

        mi = self.mi
        width, height = self.environment_size
        u = dr.atan2(direction.y, direction.x) / (2 * dr.pi) + 0.5
        v = dr.acos(dr.clip(direction.z, -1.0, 1.0)) / dr.pi
        x, y = u * width - 0.5, v * height - 0.5
        left, top = dr.floor(x), dr.floor(y)
        fx, fy = x - left, y - top
        column = mi.Int32(left)
        columns = [(column + width) % width, (column + 1 + width) % width]
        rows = [dr.clip(mi.Int32(top) + i, 0, height - 1) for i in (0, 1)]
        total = mi.Color3f(0.0)
        for j, wy in ((0, 1 - fy), (1, fy)):
            for i, wx in ((0, 1 - fx), (1, fx)):
                index = mi.UInt32(rows[j] * width + columns[i])
                total += wx * wy * dr.gather(mi.Color3f, self.environment, index, active)
        return dr.exp(dr.minimum(total, LARGEST_LOG_RADIANCE))

    def _interpolate(self, point: Any, active: Any, count: int | None = None) -> list[Any]:
        import drjit as dr

        mi = self.mi
        groups = packets(self.field_channels)
        last = mi.Vector3f(*(float(n - 1) for n in self.nodes))
        place = dr.clip((point - self.low) / (self.high - self.low), 0.0, 1.0) * last
        corner = dr.minimum(mi.Point3u(place), mi.Point3u(*(n - 2 for n in self.nodes)))
        f = place - mi.Point3f(corner)
        x, y, _ = self.nodes
        start = (corner.z * y + corner.y) * x + corner.x
        total = [mi.Float(0.0) for _ in range(4 * (groups if count is None else packets(count)))]

        for dz, wz in ((0, 1 - f.z), (1, f.z)):
            for dy, wy in ((0, 1 - f.y), (1, f.y)):
                for dx, wx in ((0, 1 - f.x), (1, f.x)):
                    weight = wx * wy * wz
                    node = start + ((dz * y + dy) * x + dx)
                    for group in range(len(total) // 4):
                        four = dr.gather(mi.Vector4f, self.values, node * groups + group, active)
                        for k in range(4):
                            total[4 * group + k] = dr.fma(weight, four[k], total[4 * group + k])
        return total


def softplus(raw: Any) -> Any:
    """Return log(1 + exp(raw)) without overflow."""
    import drjit as dr

    return dr.maximum(raw, 0.0) + dr.log(1.0 + dr.exp(-dr.abs(raw)))


def box(mi: Any, low: Any, high: Any, origin: Any, direction: Any) -> tuple[Any, Any]:
    """Return where rays enter (not before 0) and leave a box; the end lies before the start on a miss."""
    import drjit as dr

    # A component of exactly 0 would give 0 * inf; 1e-12 moves the ray by less than single precision shows.
    safe = dr.select(dr.abs(direction) < 1e-12, 1e-12, direction)
    first, second = (low - origin) / safe, (high - origin) / safe
    near, far = dr.minimum(first, second), dr.maximum(first, second)
    return dr.maximum(dr.max(near), 0.0), dr.min(far)
