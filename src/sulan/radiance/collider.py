"""What of a field is solid: a collider and its signed distances, without floaters.

Raw density is too noisy to collide with (paper, page 6). So: where a voxel takes a third of the light it is solid; the
largest connected parts are kept and the rest reported as floaters; holes inside are filled; distances come from an
exact Euclidean transform and are smoothed by less than a voxel, so that their gradient is a usable normal.

    d(p) > 0 outside, < 0 inside, in world units; |grad d| = 1 almost everywhere
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy
from numpy.typing import NDArray

from sulan.errors import BrokenArtefact, InputError
from sulan.radiance.field import Field, resampled

SOLID_ALPHA = 0.3
"""A voxel that takes a third of the light that crosses it is solid, 1 - exp(-sigma * voxel) > 0.3: surfaces are spread
over two or three. Measured on the studio at 40 nodes: at 0.5 the sphere on its floor is lost, at 0.3 all is there."""

SMALLEST_PART = 0.01
"""Share of the largest part's volume that another part must have to be kept: smaller ones are floaters."""

SMOOTHING = 0.7
"""Standard deviation of the Gaussian on distances, in voxels: takes away the stairs, moves no surface by half a
voxel."""

SHINING = 1.0
"""Times the light of most of the scene's surfaces (their 90th percentile) that a thin place must give out to count.
Measured on seven fields of a room with two lamps, 150 to 400 steps: at 3 both lamps are found in two of them, at 1 in
six; in a room without lamps none at either."""

Array = NDArray[numpy.float32]


@dataclass(frozen=True, kw_only=True)
class DistanceGrid:
    """Signed distances on a regular grid.

    Attributes
    ----------
    low, high
        Corners of the box that the outer nodes stand on.
    distances
        `[z, y, x]`, world units.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    distances: Array

    @property
    def voxel(self) -> float:
        """Distance of two nodes along x."""
        return (self.high[0] - self.low[0]) / (self.distances.shape[2] - 1)

    def query(self, points: NDArray[numpy.float64]) -> tuple[NDArray[numpy.float64], NDArray[numpy.float64]]:
        """Return signed distances `[n]` and unit gradients `[n, 3]` at points `[n, 3]`.

        Outside the box the nearest value of the box is taken and the way to it counts on: what slipped through a
        wall at the border is deep inside, not free.
        """
        low, high = numpy.asarray(self.low), numpy.asarray(self.high)
        nodes = numpy.asarray(self.distances.shape[::-1])
        inside = numpy.clip(points, low, high)
        place = (inside - low) / (high - low) * (nodes - 1)
        corner = numpy.minimum(place.astype(int), nodes - 2)
        f = place - corner
        value, gradient = numpy.zeros(len(points)), numpy.zeros((len(points), 3))
        for dz in (0, 1):
            for dy in (0, 1):
                for dx in (0, 1):
                    at = self.distances[corner[:, 2] + dz, corner[:, 1] + dy, corner[:, 0] + dx]
                    wx = f[:, 0] if dx else 1 - f[:, 0]
                    wy = f[:, 1] if dy else 1 - f[:, 1]
                    wz = f[:, 2] if dz else 1 - f[:, 2]
                    value += at * wx * wy * wz
                    gradient[:, 0] += at * (1 if dx else -1) * wy * wz
                    gradient[:, 1] += at * (1 if dy else -1) * wx * wz
                    gradient[:, 2] += at * (1 if dz else -1) * wx * wy
        gradient *= (nodes - 1) / (high - low)
        length = numpy.maximum(numpy.linalg.norm(gradient, axis=1, keepdims=True), 1e-9)
        away = numpy.linalg.norm(points - inside, axis=1)
        return value + numpy.where(value > 0, away, -away), gradient / length


@dataclass(frozen=True, kw_only=True)
class Collider:
    """A field's solid part.

    Attributes
    ----------
    grid
        Its signed distances.
    solid
        `[z, y, x]`, the same nodes.
    parts
        Volumes of the kept parts, world units cubed, largest first.
    floaters
        Volumes of what was left out.
    filled
        Volume of holes that were filled.
    """

    grid: DistanceGrid
    solid: NDArray[numpy.bool_]
    parts: tuple[float, ...]
    floaters: tuple[float, ...]
    filled: float


def collider(
    field: Field,
    *,
    resolution: int | None = None,
    alpha: float = SOLID_ALPHA,
    smallest: float = SMALLEST_PART,
    fill: bool = True,
    bright: bool = False,
) -> Collider:
    """Find the solid part of a field.

    Parameters
    ----------
    field
        The field.
    resolution
        Nodes along its longest side; None: the field's own.
    alpha
        See `SOLID_ALPHA`.
    smallest
        See `SMALLEST_PART`.
    fill
        Fill holes that nothing outside reaches. In a closed room that is the room itself, so only holes that are
        smaller than the part around them are filled.
    bright
        What shines through half-empty voxels counts as solid too: a lamp may be trained as a thin, very bright mist.

    Raises
    ------
    InputError
        Nothing in the field is solid.
    """
    import scipy.ndimage

    if not 0 < alpha < 1:
        raise InputError(f"alpha must be within 0 and 1, not {alpha}")
    voxel = field.voxel  # the threshold is about the field's own voxel, whatever the collider's
    if resolution is not None:
        x, y, z = (max(2, round(n * resolution / max(field.resolution))) for n in field.resolution)
        field = replace(field, values=resampled(field.values, (x, y, z)))
    density = field.density_nodes()
    counts = numpy.asarray(density.shape[::-1])
    spacing = (numpy.asarray(field.high) - numpy.asarray(field.low)) / (counts - 1)
    solid = density * voxel > -numpy.log1p(-alpha)
    if bright:
        solid |= _shining(1 - numpy.exp(-density * voxel), field.values[..., 1:4], solid)
    volume = float(spacing.prod())
    solid, parts, floaters = _largest(solid, smallest)
    if not parts:
        raise InputError("nothing in the field is solid", hint="train longer, or lower --alpha")
    filled = 0
    if fill:
        holes, count = scipy.ndimage.label(~solid)
        sizes = numpy.bincount(holes.ravel())
        for label in range(1, count + 1):
            hole = holes == label
            if sizes[label] < sum(parts) and not _touches_border(hole):
                solid |= hole
                filled += int(sizes[label])
    grid = DistanceGrid(low=field.low, high=field.high, distances=signed_distances(solid, spacing))
    return Collider(
        grid=grid,
        solid=solid,
        parts=tuple(part * volume for part in parts),
        floaters=tuple(part * volume for part in floaters),
        filled=filled * volume,
    )


def signed_distances(solid: NDArray[numpy.bool_], spacing: NDArray[numpy.float64]) -> Array:
    """Return signed distances to the border of `solid` `[z, y, x]`, positive outside.

    Parameters
    ----------
    solid
        At least one node, and not all.
    spacing
        Between nodes along x, y and z.

    Examples
    --------
    >>> line = numpy.asarray([[[True, False, False, False]]])
    >>> [round(float(d), 1) for d in signed_distances(line, numpy.ones(3))[0, 0]]  # smoothed by 0.7 of a voxel
    [-0.3, 0.5, 1.5, 2.3]
    """
    import scipy.ndimage

    sampling = spacing[::-1]
    outside, inside = (
        numpy.asarray(scipy.ndimage.distance_transform_edt(part, sampling=sampling))
        for part in (~solid, solid)
    )
    # The border lies half-way between a solid and a free node.
    half = 0.5 * float(spacing.min())
    distances = numpy.where(solid, -(inside - half), outside - half)
    return scipy.ndimage.gaussian_filter(distances, SMOOTHING, mode="nearest").astype(numpy.float32)


def surface(grid: DistanceGrid) -> tuple[NDArray[numpy.float64], NDArray[numpy.int64]]:
    """Return vertices `[n, 3]` and faces `[m, 3]` of the zero level, facing outwards (marching cubes).

    Raises
    ------
    InputError
        The grid has no zero level.
    """
    import skimage.measure

    if grid.distances.min() >= 0 or grid.distances.max() <= 0:
        raise InputError("the distance grid has no surface")
    vertices, faces, _, _ = skimage.measure.marching_cubes(grid.distances, 0.0, gradient_direction="ascent")
    counts = numpy.asarray(grid.distances.shape[::-1])
    spacing = (numpy.asarray(grid.high) - numpy.asarray(grid.low)) / (counts - 1)
    return vertices[:, ::-1] * spacing + numpy.asarray(grid.low), faces.astype(numpy.int64)


def save(found: Collider, path: Path) -> None:
    """Write a collider as one npz file, the same bytes for the same arrays."""
    from sulan.radiance import arrays

    arrays.write(
        path,
        {
            "distances": found.grid.distances,
            "solid": found.solid,
            "low": numpy.asarray(found.grid.low),
            "high": numpy.asarray(found.grid.high),
            "parts": numpy.asarray(found.parts),
            "floaters": numpy.asarray(found.floaters),
            "filled": numpy.asarray([found.filled]),
        },
    )


def load(path: Path) -> Collider:
    """Read what `save` wrote.

    Raises
    ------
    BrokenArtefact
        It is not a collider.
    """
    from sulan.radiance import arrays

    read = arrays.read(path)
    try:
        low, high = (tuple(map(float, read[name])) for name in ("low", "high"))
        return Collider(
            grid=DistanceGrid(
                low=(low[0], low[1], low[2]), high=(high[0], high[1], high[2]), distances=read["distances"]
            ),
            solid=read["solid"],
            parts=tuple(map(float, read["parts"])),
            floaters=tuple(map(float, read["floaters"])),
            filled=float(read["filled"][0]),
        )
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise BrokenArtefact(f"{path} is not a collider: {error!r}") from error


def _shining(
    alpha: NDArray[numpy.floating], logarithm: NDArray[numpy.floating], solid: NDArray[numpy.bool_]
) -> NDArray[numpy.bool_]:
    """Tell which nodes give out more than `SHINING` times what most solid ones do, `[z, y, x]`."""
    given = alpha * numpy.exp(numpy.minimum(logarithm, 12.0)).mean(axis=-1)
    usual = numpy.percentile(given[solid], 90) if solid.any() else 0.0
    return given > SHINING * max(float(usual), 1e-6)


def _largest(
    solid: NDArray[numpy.bool_], smallest: float
) -> tuple[NDArray[numpy.bool_], list[int], list[int]]:
    import scipy.ndimage

    labels, count = scipy.ndimage.label(solid, structure=numpy.ones((3, 3, 3)))
    if not count:
        return solid, [], []
    sizes = numpy.bincount(labels.ravel())
    sizes[0] = 0
    kept = sizes >= smallest * sizes.max()
    kept[0] = False
    return (
        kept[labels],
        sorted((int(size) for size in sizes[kept]), reverse=True),
        sorted((int(size) for size in sizes[~kept] if size), reverse=True),
    )


def _touches_border(part: NDArray[numpy.bool_]) -> bool:
    return any(bool(part.take(place, axis=axis).any()) for axis in range(3) for place in (0, -1))
