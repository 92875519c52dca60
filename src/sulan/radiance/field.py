"""A radiance field as data: a dense grid of density and directional radiance, and an environment behind it.

Values stand on the nodes of a regular grid over a box in world space and are interpolated trilinearly *before* the
activations, so that surfaces can be sharper than a cell:

    sigma(p)    = scale * log(1 + exp(a_0(p)))                              density, 1 / world unit
    r(p, d)     = exp(min(12, sum_k a_(1 + 3 k + c)(p) Y_k(d)))             linear RGB, HDR
    background  = exp(environment(d))                                       where the ray leaves the box

A closed room has a `shell`: within it everything is solid, so walls can be no thin, bright mist and nothing shines
through them; only their radiance is learnt.

Arrays are `[z, y, x, channel]`. Nothing here needs Mitsuba: this is also what the oracle reads. Not covered: the hash
grid, whose parameters only Dr.Jit evaluates (`hashing`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
from numpy.typing import NDArray

from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.radiance import harmonics

if TYPE_CHECKING:
    from sulan.radiance.volume import GridVolume

FORMAT = "sulan radiance field 1"

LARGEST_LOG_RADIANCE = 12.0
"""exp(12) is 160,000 times white: more than a lamp in a photograph, less than what overflows a half float's sum."""

LARGEST_RESOLUTION = 1024

SOLID = 1e4
"""Density of a shell: even a step of a thousandth of a unit takes all light."""

Array = NDArray[numpy.float32]


@dataclass(frozen=True, kw_only=True)
class Field:
    """A dense-grid radiance field.

    Attributes
    ----------
    low, high
        Corners of its box in world space, `[3]`.
    values
        `[z, y, x, 1 + 3 * (degree + 1)**2]`: raw density, then radiance coefficients with RGB fastest.
    environment
        `[height, width, 3]`: log radiance by direction, latitude (+z first) by longitude.
    scale
        Density at softplus(raw) = 1, per world unit.
    degree
        Of the spherical harmonics.
    shell
        Thickness of the solid layer inside the box's faces, world units; 0: none.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    values: Array
    environment: Array
    scale: float
    degree: int
    shell: float = 0.0

    @property
    def resolution(self) -> tuple[int, int, int]:
        """Nodes along x, y and z."""
        z, y, x = self.values.shape[:3]
        return x, y, z

    @property
    def voxel(self) -> float:
        """Smallest distance of two nodes, in world units."""
        return min(
            (high - low) / (nodes - 1)
            for low, high, nodes in zip(self.low, self.high, self.resolution, strict=True)
        )

    def density_nodes(self) -> Array:
        """Return the density on the nodes, `[z, y, x]`."""
        density = (self.scale * _softplus(self.values[..., 0])).astype(numpy.float32)
        if self.shell > 0:
            for axis, (low, high) in enumerate(zip(self.low[::-1], self.high[::-1], strict=True)):
                place = numpy.linspace(0.0, high - low, density.shape[axis])
                outer = numpy.flatnonzero(numpy.minimum(place, high - low - place) <= self.shell)
                index: list[Any] = [slice(None)] * 3
                index[axis] = outer
                density[tuple(index)] = SOLID
        return density

    def save(self, path: Path) -> None:
        """Write the field as one safetensors file; see `load`."""
        save(self, path)

    def on_device(self, mi: Any, *, step: float = 0.5) -> "GridVolume":
        """Put the field onto Mitsuba's device; see `volume.GridVolume.of`."""
        from sulan.radiance.volume import GridVolume

        return GridVolume.of(mi, self, step=step)

    def query(
        self, points: NDArray[numpy.float64], directions: NDArray[numpy.float64]
    ) -> tuple[NDArray[numpy.float64], NDArray[numpy.float64]]:
        """Return density `[n]` and radiance `[n, 3]` at points `[n, 3]` seen along unit directions `[n, 3]`.

        Outside the box both are 0. All in float64.
        """
        inside, raw = self._interpolate(points)
        density = numpy.where(inside, self.scale * _softplus(raw[:, 0]), 0.0)
        if self.shell > 0:
            border = numpy.minimum(points - self.low, self.high - points).min(axis=1)
            density = numpy.where(inside & (border <= self.shell), SOLID, density)
        functions = numpy.stack(
            harmonics.basis(directions[:, 0], directions[:, 1], directions[:, 2], self.degree), axis=1
        )
        coefficients = raw[:, 1:].reshape(len(points), -1, 3)
        logarithm = numpy.einsum("nk,nkc->nc", functions, coefficients)
        radiance = numpy.exp(numpy.minimum(logarithm, LARGEST_LOG_RADIANCE))
        return density, numpy.where(inside[:, None], radiance, 0.0)

    def background(self, directions: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
        """Return the radiance `[n, 3]` that comes from behind the box along unit directions `[n, 3]`."""
        height, width = self.environment.shape[:2]
        u, v = longitude_latitude(directions)
        x, y = u * width - 0.5, v * height - 0.5
        left, top = numpy.floor(x).astype(int), numpy.floor(y).astype(int)
        fx, fy = (x - left)[:, None], (y - top)[:, None]
        rows = [numpy.clip(top, 0, height - 1), numpy.clip(top + 1, 0, height - 1)]
        columns = [left % width, (left + 1) % width]
        texture = self.environment.astype(numpy.float64)
        upper = texture[rows[0], columns[0]] * (1 - fx) + texture[rows[0], columns[1]] * fx
        lower = texture[rows[1], columns[0]] * (1 - fx) + texture[rows[1], columns[1]] * fx
        return numpy.exp(upper * (1 - fy) + lower * fy)

    def _interpolate(
        self, points: NDArray[numpy.float64]
    ) -> tuple[NDArray[numpy.bool_], NDArray[numpy.float64]]:
        low, high = numpy.asarray(self.low), numpy.asarray(self.high)
        nodes = numpy.asarray(self.resolution)
        unit = (points - low) / (high - low)
        inside = numpy.all((unit >= 0) & (unit <= 1), axis=1)
        place = numpy.clip(unit, 0, 1) * (nodes - 1)
        corner = numpy.minimum(place.astype(int), nodes - 2)
        fraction = place - corner
        raw = numpy.zeros((len(points), self.values.shape[3]))
        for dz in (0, 1):
            for dy in (0, 1):
                for dx in (0, 1):
                    offset = numpy.asarray([dx, dy, dz])
                    weight = numpy.prod(numpy.where(offset, fraction, 1 - fraction), axis=1)
                    x, y, z = (corner + offset).T
                    raw += weight[:, None] * self.values[z, y, x]
        return inside, raw


def longitude_latitude(
    directions: NDArray[numpy.float64],
) -> tuple[NDArray[numpy.float64], NDArray[numpy.float64]]:
    """Return where directions `[n, 3]` fall on the environment: u around +z from +x, v from +z down; both in [0, 1].

    Examples
    --------
    >>> u, v = longitude_latitude(numpy.asarray([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    >>> u.tolist(), v.tolist()
    ([0.5, 0.5], [0.5, 0.0])
    """
    u = numpy.arctan2(directions[:, 1], directions[:, 0]) / (2 * numpy.pi) + 0.5
    v = numpy.arccos(numpy.clip(directions[:, 2], -1, 1)) / numpy.pi
    return u, v


def empty(
    *,
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    resolution: int,
    degree: int = 1,
    raw_density: float = -4.0,
    radiance: float = 0.5,
    scale: float = 40.0,
    environment: tuple[int, int] = (16, 32),
    shell: float = 0.0,
) -> Field:
    """Return a field of constant value: where training starts, and what tests fill.

    Parameters
    ----------
    low, high
        Corners of the box.
    resolution
        Nodes along the longest side; the others have cells of about the same size.
    degree
        Of the spherical harmonics.
    raw_density
        Before softplus; -4 is an optical depth of about 1 through a room-sized box at the default scale.
    radiance
        Of box and environment, every channel.
    scale
        See `Field.scale`.
    environment
        Height and width.
    shell
        See `Field.shell`.

    Raises
    ------
    InputError
        The box is empty, or the resolution is not within 2 and 1,024.
    """
    sides = numpy.asarray(high) - numpy.asarray(low)
    if not (numpy.all(numpy.isfinite(sides)) and numpy.all(sides > 0)):
        raise InputError(f"the field's box from {low} to {high} is empty")
    if not 2 <= resolution <= LARGEST_RESOLUTION:
        raise InputError(f"a grid has 2 to {LARGEST_RESOLUTION} nodes a side, not {resolution}")
    nodes = shape(low=low, high=high, resolution=resolution)
    values = numpy.zeros((*nodes[::-1], 1 + 3 * harmonics.count(degree)), dtype=numpy.float32)
    values[..., 0] = raw_density
    values[..., 1:4] = numpy.log(radiance)
    around = numpy.full((*environment, 3), numpy.log(radiance), dtype=numpy.float32)
    return Field(
        low=low, high=high, values=values, environment=around, scale=scale, degree=degree, shell=shell
    )


def shape(
    *, low: tuple[float, float, float], high: tuple[float, float, float], resolution: int
) -> tuple[int, int, int]:
    """Return the nodes along x, y and z when the longest side has `resolution`."""
    sides = numpy.asarray(high) - numpy.asarray(low)
    x, y, z = (max(2, round((resolution - 1) * side / sides.max()) + 1) for side in sides)
    return x, y, z


def resampled(values: Array, nodes: tuple[int, int, int]) -> Array:
    """Return grid values `[z, y, x, c]` interpolated trilinearly onto a grid of other nodes (x, y, z)."""
    result = values
    for axis, count in zip((2, 1, 0), nodes, strict=True):
        old = result.shape[axis]
        place = numpy.linspace(0, old - 1, count)
        left = numpy.minimum(place.astype(int), old - 2)
        weight = (place - left).astype(numpy.float32)
        weight = weight.reshape([-1 if a == axis else 1 for a in range(result.ndim)])
        result = result.take(left, axis=axis) * (1 - weight) + result.take(left + 1, axis=axis) * weight
    return numpy.ascontiguousarray(result, dtype=numpy.float32)


def save(field: Field, path: Path) -> None:
    """Write a field as one safetensors file."""
    words = {
        "kind": "grid",
        "low": list(map(float, field.low)),
        "high": list(map(float, field.high)),
        "scale": float(field.scale),
        "degree": field.degree,
        "shell": float(field.shell),
    }
    write_tensors(path, {"values": field.values, "environment": field.environment}, words)


def write_tensors(path: Path, tensors: Mapping[str, Array], words: Mapping[str, Any]) -> None:
    """Write arrays with a few words as one safetensors file; the same bytes for the same content."""
    import safetensors.numpy

    # One entry: the library writes several in any order.
    metadata = {FORMAT: json.dumps(words, sort_keys=True)}
    path.write_bytes(safetensors.numpy.save(dict(tensors), metadata))


def load(path: Path) -> Field:
    """Read what `save` wrote.

    Raises
    ------
    MissingFile
        There is no such file.
    BrokenArtefact
        It is not a dense-grid field of this format, or holds values that are not finite.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("kind") != "grid":
        raise BrokenArtefact(f"{path} holds a field of kind {metadata.get('kind')}, not a grid")
    try:
        field = Field(
            low=triple(metadata["low"]),
            high=triple(metadata["high"]),
            values=tensors["values"],
            environment=tensors["environment"],
            scale=float(metadata["scale"]),
            degree=int(metadata["degree"]),
            shell=float(metadata["shell"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BrokenArtefact(f"{path} is not a field: {error}") from error
    if field.degree not in harmonics.DEGREES or field.values.ndim != 4:
        raise BrokenArtefact(f"{path} is not a field: degree {field.degree}, shape {field.values.shape}")
    if field.values.shape[3] != 1 + 3 * harmonics.count(field.degree) or min(field.values.shape[:3]) < 2:
        raise BrokenArtefact(f"{path} is not a field: its grid is {field.values.shape}")
    if not (numpy.isfinite(field.values).all() and numpy.isfinite(field.environment).all()):
        raise BrokenArtefact(f"{path} holds values that are not finite")
    return field


def read_tensors(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the words of a field's file, whatever its kind."""
    import safetensors
    import safetensors.numpy

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    except FileNotFoundError as error:
        raise MissingFile(f"no field at {path}", hint="sulan radiance train SCENE --out DIR") from error
    except (safetensors.SafetensorError, OSError) as error:
        raise BrokenArtefact(f"{path} is not a safetensors file: {error}") from error
    try:
        words = json.loads(metadata[FORMAT])
    except (KeyError, ValueError) as error:
        raise BrokenArtefact(f"{path} is not a field of ours, {FORMAT!r}") from error
    return tensors, words


def triple(values: Sequence[float]) -> tuple[float, float, float]:
    """Return three numbers as a tuple of floats."""
    x, y, z = map(float, values)
    return x, y, z


def _softplus(raw: NDArray[numpy.floating]) -> NDArray[numpy.floating]:
    return numpy.logaddexp(0.0, raw)
