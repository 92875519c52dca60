"""The paper's field: a hash grid with a small network (instant-ngp), on Dr.Jit's neural building blocks.

Levels and sizes are those of the official configuration (`configs/nerf/base.json`): 16 levels of 2 features, tables
of 2^19 entries, base resolution 16; density from a hidden layer of 64, colour from two more, directions as spherical
harmonics. One network gives density and a radiance that depends on direction through its harmonics' coefficients, as
the dense grid's does, so that a direction costs no second network. Radiance is exp, for HDR.

Made for CUDA. On a processor it runs, slowly, for tests: 2 million lookups a CPU-second forward (8 levels). Trained on
samples at equal steps with automatic differentiation; no checkpoints, no occupancy within training.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from sulan.errors import BrokenArtefact
from sulan.radiance import field as fields
from sulan.radiance import harmonics
from sulan.radiance.settings import TrainSettings
from sulan.radiance.training import DARK, Rays
from sulan.radiance.volume import GridVolume, softplus
from sulan.runs import seeds

LEVELS, FEATURES, TABLE, BASE, WIDTH = 16, 2, 1 << 19, 16, 64
"""Official configuration: base.json."""

SAMPLES = 64
"""Samples along a training ray: an eighth of a room's cell of 1/512 would need more; occupancy is not used here."""

RATE = 1e-2
"""Adam's rate, eps 1e-15, as the official configuration has it."""

BACKGROUND = (16, 32)

START = -3.0
"""Added to the network's raw density, which starts at 0: training begins nearly empty."""

CHANNELS = 16
"""Outputs of the network: raw density and 4 x 3 coefficients of degree 1, padded to what tensor cores like."""


@dataclass(frozen=True, kw_only=True)
class HashSize:
    """Sizes of a hash grid; the defaults are the official ones.

    Attributes
    ----------
    levels, table, base, finest
        Levels; entries a level; nodes a side of the coarsest and of the finest level.
    """

    levels: int = LEVELS
    table: int = TABLE
    base: int = BASE
    finest: int = 512


@dataclass(kw_only=True)
class HashField:
    """A trained hash grid as arrays.

    Attributes
    ----------
    grid
        The tables, flat.
    network
        The network's weights by name.
    environment
        As in `field.Field`.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    size: HashSize
    grid: NDArray[numpy.float32]
    network: dict[str, NDArray[numpy.float32]]
    environment: NDArray[numpy.float32]
    scale: float
    shell: float = 0.0

    def save(self, path: Path) -> None:
        """Write the field as one safetensors file."""
        tensors = {"grid": self.grid, "environment": self.environment}
        tensors |= {f"network.{name}": value for name, value in self.network.items()}
        words = {
            "kind": "hash",
            "low": list(map(float, self.low)),
            "high": list(map(float, self.high)),
            "scale": self.scale,
            "shell": self.shell,
            **vars(self.size),
        }
        fields.write_tensors(path, tensors, words)

    def baked(self, mi: Any, *, most: int = 256) -> fields.Field:
        """Return the field on a dense grid of its finest level's nodes, at most `most` a side.

        Rendering marches that: one lookup instead of 16 levels and a network at every sample.
        """
        model = _Model(mi, self.size, seed=0)
        model.load(self.grid, self.network)
        made = fields.empty(
            low=self.low,
            high=self.high,
            resolution=min(most, self.size.finest),
            scale=self.scale,
            shell=self.shell,
        )
        x, y, z = made.resolution
        axes = [numpy.linspace(0.0, 1.0, count, dtype=numpy.float32) for count in (z, y, x)]
        values = made.values.reshape(-1, made.values.shape[3])
        points = numpy.stack(numpy.meshgrid(*axes, indexing="ij"), axis=-1)[..., ::-1].reshape(-1, 3)
        for start in range(0, len(points), 1 << 20):
            part = points[start : start + (1 << 20)]
            outputs = model(mi.Point3f(numpy.ascontiguousarray(part.T)))
            values[start : start + len(part)] = numpy.stack(
                [numpy.array(mi.Float(o)) for o in outputs[: values.shape[1]]], axis=1
            )
        made.environment[:] = self.environment
        return made


class _Model:
    """Encoding and network."""

    def __init__(self, mi: Any, size: HashSize, *, seed: int) -> None:
        import drjit as dr
        import drjit.nn as nn

        self.mi = mi
        generator = dr.rng(seed=seeds.key(seed, "radiance hash") & 0xFFFFFFFF)
        growth = (size.finest / size.base) ** (1 / max(1, size.levels - 1))
        self.encoding = nn.HashGridEncoding(
            mi.TensorXf16,
            3,
            n_levels=size.levels,
            n_features_per_level=FEATURES,
            hashmap_size=size.table,
            base_resolution=size.base,
            per_level_scale=growth,
            rng=generator,
        )
        network = nn.Sequential(
            nn.Linear(-1, WIDTH), nn.ReLU(), nn.Linear(-1, WIDTH), nn.ReLU(), nn.Linear(-1, CHANNELS)
        )
        network = network.alloc(mi.TensorXf16, self.encoding.n_output_features, rng=generator)
        self.network = nn.pack(network, layout="training")

    def parameters(self) -> dict[str, Any]:
        """Single-precision copies of all parameters, for the optimiser."""
        mi = self.mi
        return {
            "grid": mi.Float(self.encoding.params),
            **{n: mi.Float(self.network[n]) for n in self.network},
        }

    def assign(self, values: Any) -> None:
        """Take parameters, with their derivatives."""
        half = type(self.encoding.params)
        self.encoding.params[:] = half(values["grid"])
        for name in self.network:
            self.network[name] = half(values[name])  # packed: one flat buffer, written in place

    def load(self, grid: NDArray[numpy.float32], network: dict[str, NDArray[numpy.float32]]) -> None:
        mi = self.mi
        self.assign({"grid": mi.Float(grid), **{name: mi.Float(value) for name, value in network.items()}})

    def __call__(self, unit: Any) -> list[Any]:
        """Return raw density and coefficients at points of the unit cube."""
        import drjit.nn as nn

        raw = [self.mi.Float(value) for value in self.network(nn.CoopVec(self.encoding(unit)))]
        return [raw[0] + START, *raw[1:]]


def train(
    mi: Any,
    rays: Rays,
    *,
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    resolution: int,
    steps: int,
    seed: int,
    settings: TrainSettings,
    shell: float = 0.0,
    size: HashSize | None = None,
    watch: Callable[[int], None] | None = None,
) -> tuple[HashField, list[float]]:
    """Train a hash-grid field; see `training.train`."""
    import drjit as dr

    size = size or (HashSize(finest=resolution) if mi.variant().startswith("cuda") else _small(resolution))
    model = _Model(mi, size, seed=seed)
    start = fields.empty(low=low, high=high, resolution=2, degree=1, scale=settings.scale)
    environment = mi.Float(start.environment.ravel())
    optimiser = mi.ad.Adam(lr=RATE, epsilon=1e-15, params={**model.parameters(), "environment": environment})
    data = [mi.Float(part.ravel()) for part in (rays.origins, rays.directions, rays.colours)]
    # Only the box, the shell and the background are asked of it; its grid stays as it is.
    volume = GridVolume.of(mi, start)
    corner, side = volume.low, volume.high - volume.low
    count, key = settings.rays // 4, seeds.key(seed, "radiance hash train") & 0xFFFFFFFF
    losses = []
    for step in range(steps):
        model.assign(optimiser)
        volume.environment = optimiser["environment"]
        lane = dr.arange(mi.UInt32, count)
        token = dr.opaque(mi.UInt32, (key + 2 * step) & 0xFFFFFFFF)
        pick = mi.sample_tea_32(lane, token)[0] % dr.opaque(mi.UInt32, len(rays.colours))
        shift = mi.sample_tea_float32(lane, token + 1)
        each = dr.arange(mi.UInt32, count * SAMPLES) // SAMPLES
        order = dr.arange(mi.UInt32, count * SAMPLES) % SAMPLES
        origin, direction = dr.gather(mi.Point3f, data[0], pick), dr.gather(mi.Vector3f, data[1], pick)
        colour = dr.gather(mi.Color3f, data[2], pick)
        near, far = volume.crossing(origin, direction)
        length = dr.maximum(far - near, 0.0) / SAMPLES
        t = dr.gather(mi.Float, near, each) + (order + dr.gather(mi.Float, shift, each)) * dr.gather(
            mi.Float, length, each
        )
        along = dr.gather(mi.Vector3f, direction, each)
        point = dr.gather(mi.Point3f, origin, each) + along * t
        raw = model(mi.Point3f((point - corner) / side))
        density = settings.scale * softplus(raw[0])
        if shell > 0:
            border = dr.min(dr.minimum(point - volume.low, volume.high - point))
            density = dr.select(border <= shell, fields.SOLID, density)
        radiance = _radiance(mi, raw, along)
        depth = density * dr.gather(mi.Float, length, each)
        before = dr.block_prefix_sum(depth, SAMPLES, exclusive=True)
        weight = dr.exp(-before) * (1.0 - dr.exp(-depth))
        light = mi.Color3f(*(dr.block_sum(weight * channel, SAMPLES) for channel in radiance))
        left = dr.exp(-dr.block_sum(depth, SAMPLES))
        shown = light + left * volume.background(direction, True)
        scale = dr.detach(0.75 * shown + 0.25 * colour) + DARK
        loss = dr.mean(dr.mean(dr.square((shown - colour) / scale)))
        dr.backward(loss)
        optimiser.step()
        losses.append(float(numpy.asarray(loss).ravel()[0]))
        if watch is not None:
            watch(step)
    model.assign(optimiser)
    found = model.parameters()
    grid = numpy.array(found.pop("grid"))
    network = {name: numpy.array(value) for name, value in found.items()}
    return (
        HashField(
            low=low,
            high=high,
            size=size,
            grid=grid,
            network=network,
            environment=numpy.array(optimiser["environment"]).reshape(*BACKGROUND, 3),
            scale=settings.scale,
            shell=shell,
        ),
        losses,
    )


def _radiance(mi: Any, raw: list[Any], along: Any) -> Any:
    import drjit as dr

    functions = harmonics.basis(along.x, along.y, along.z, 1)
    channels = []
    for channel in range(3):
        logarithm = raw[1 + channel]
        for k in range(1, len(functions)):
            logarithm = logarithm + functions[k] * raw[1 + 3 * k + channel]
        channels.append(dr.exp(dr.minimum(logarithm, fields.LARGEST_LOG_RADIANCE)))
    return mi.Color3f(*channels)


def _small(resolution: int) -> HashSize:
    """Sizes for a processor: enough to test the path."""
    return HashSize(levels=8, table=1 << 15, base=8, finest=max(16, resolution))


def load(path: Path) -> HashField:
    """Read what `HashField.save` wrote.

    Raises
    ------
    BrokenArtefact
        It is not a hash grid of this format.
    """
    tensors, words = fields.read_tensors(path)
    if words.get("kind") != "hash":
        raise BrokenArtefact(f"{path} holds a field of kind {words.get('kind')}, not a hash grid")
    try:
        return HashField(
            low=fields.triple(words["low"]),
            high=fields.triple(words["high"]),
            size=HashSize(**{name: int(words[name]) for name in ("levels", "table", "base", "finest")}),
            grid=tensors["grid"],
            network={
                name.removeprefix("network."): value
                for name, value in tensors.items()
                if name.startswith("network.")
            },
            environment=tensors["environment"],
            scale=float(words["scale"]),
            shell=float(words["shell"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenArtefact(f"{path} is not a hash grid: {error!r}") from error
