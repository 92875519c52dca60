"""A radiance field from images: coarse to fine, with its gradient by replaying each ray.

The loss is RawNeRF's, which weighs dark and bright alike in HDR, and needs no tone mapping:

    mean((y - c)^2 / (sg(3/4 y + 1/4 c) + 0.05)^2)     y: rendered, c: image, sg: no gradient

RawNeRF has y alone in the weight, which gives more weight to the same error downwards than upwards: measured, lamps
come out 15 % too bright and held-out views 1.4 dB worse. The loss is helped by total variation between neighbouring
nodes, without which few views leave floaters, and by a push away from the camera (see `settings.TrainSettings`). A
ray is marched twice: first for its colour, then again to hand each sample its share of the gradient, so memory does
not grow with the number of steps. Adam is Dr.Jit's.

Everything random is a function of (seed, step). On the processor one thread trains, because sums over more threads
round differently; so a run that was stopped goes on bit by bit as if it had not been. Not covered: appearance codes,
camera optimisation, distortion loss.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from sulan.errors import BrokenArtefact, InputError
from sulan.radiance import checkpoints
from sulan.radiance import field as fields
from sulan.radiance.field import Field
from sulan.radiance.settings import TrainSettings
from sulan.radiance.volume import GridVolume
from sulan.runs import seeds

DARK = 0.05
"""Radiance below which errors count absolutely; RawNeRF uses 1e-3 for raw sensor noise, our captures are noisier."""

ESCAPED = 0.5
"""Where light that leaves the box counts as absorbed, as a share of the way through. Counted at the far end (1), floors
stay half empty and show the background instead; counted at the start (0), the sky is painted onto the box."""

OPAQUE = 1e-3

COLOUR = 4.0
"""Weight of the squared change of log radiance beside the absolute change of density in the total variation."""

COARSEST = 16
"""Nodes a side that training starts from at least: at 8 a lamp of a seventh of the room was put onto the wall."""

TIE_NODES = 16_384
"""Random nodes a step whose neighbours are compared: independent of the grid's size."""


@dataclass(frozen=True, kw_only=True)
class Rays:
    """Training data: origins, unit directions and linear colours, `[n, 3]` float32 each."""

    origins: NDArray[numpy.float32]
    directions: NDArray[numpy.float32]
    colours: NDArray[numpy.float32]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Steps at one resolution."""

    resolution: int
    steps: int


def stages(resolution: int, steps: int) -> list[Stage]:
    """Return the schedule: half of the steps at the full resolution, the rest at a half and a quarter of it.

    Examples
    --------
    >>> [(stage.resolution, stage.steps) for stage in stages(64, 400)]
    [(16, 80), (32, 120), (64, 200)]
    >>> [(stage.resolution, stage.steps) for stage in stages(24, 400)]  # coarser than 16 misplaces small things
    [(16, 200), (24, 200)]
    """
    shares = {resolution // 4: 0.2, resolution // 2: 0.3}
    result: list[Stage] = []
    for nodes, share in shares.items():
        if nodes >= COARSEST:
            result.append(Stage(resolution=nodes, steps=round(share * steps)))
    rest = steps - sum(stage.steps for stage in result)
    if not result and resolution > COARSEST:
        result.append(Stage(resolution=COARSEST, steps=rest // 2))
        rest -= rest // 2
    return [*result, Stage(resolution=resolution, steps=rest)]


def train(
    mi: Any,
    rays: Rays,
    *,
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    schedule: list[Stage],
    seed: int,
    settings: TrainSettings,
    shell: float = 0.0,
    work: Path | None = None,
    watch: Callable[[int], None] | None = None,
) -> tuple[Field, list[float]]:
    """Train a dense-grid field; return it with the loss of every step.

    Parameters
    ----------
    mi
        The module `mitsuba`.
    rays
        What the field should show.
    low, high
        Corners of its box.
    schedule
        See `stages`.
    seed
        Of the batches.
    settings
        See `TrainSettings`.
    shell
        See `field.Field.shell`.
    work
        Folder of the checkpoint; with one in it, training goes on from there. None: no checkpoints.
    watch
        Called after every step with its number.
    """
    import drjit as dr

    threads = dr.thread_count()
    if mi.variant().startswith("llvm"):
        dr.set_thread_count(1)
    try:
        done, state = checkpoints.restore(work)
        losses = [] if state is None else state.pop("losses").tolist()
        total = sum(stage.steps for stage in schedule)
        data = _Data(mi, rays)
        mean = float(numpy.exp(numpy.mean(numpy.log(rays.colours + 1e-2))))
        field = fields.empty(
            low=low,
            high=high,
            resolution=schedule[0].resolution,
            degree=settings.degree,
            radiance=mean,
            scale=settings.scale,
            raw_density=settings.start,
            shell=shell,
        )
        begun = 0
        for stage in schedule:
            nodes = fields.shape(low=low, high=high, resolution=stage.resolution)
            field = replace(field, values=fields.resampled(field.values, nodes))
            if done >= begun + stage.steps and done < total:
                begun += stage.steps  # the checkpoint is of a later stage
                continue
            trainer = _Trainer(mi, field, data, settings=settings, seed=seed)
            first = begun
            if state is not None and begun <= done < begun + stage.steps:
                trainer.load(state)
                first = done
            for step in range(first, begun + stage.steps):
                rate = settings.rate * settings.rate_last ** (step / max(1, total - 1))
                losses.append(trainer.step(step, rate, clearing=settings.clearing * (1 - step / total)))
                if watch is not None:
                    watch(step)
                if work is not None and (step + 1) % settings.checkpoint == 0 and step + 1 < total:
                    checkpoints.keep(
                        work, step + 1, trainer.state() | {"losses": numpy.asarray(losses, numpy.float64)}
                    )
            begun += stage.steps
            field = trainer.field()
            if not (numpy.isfinite(field.values).all()):
                raise InputError(
                    "training diverged: the field is not finite",
                    hint="lower settings.rate, or look for odd images",
                )
        return field, losses
    finally:
        if mi.variant().startswith("llvm"):
            dr.set_thread_count(threads)


class _Data:
    def __init__(self, mi: Any, rays: Rays) -> None:
        self.count = len(rays.colours)
        self.origins = mi.Float(rays.origins.ravel())
        self.directions = mi.Float(rays.directions.ravel())
        self.colours = mi.Float(rays.colours.ravel())


class _Trainer:
    """One stage: a volume, its optimiser, and the step."""

    def __init__(self, mi: Any, field: Field, data: _Data, *, settings: TrainSettings, seed: int) -> None:
        self.mi, self.data, self.settings = mi, data, settings
        self.volume = GridVolume.of(mi, field, step=settings.step)
        self.optimiser = mi.ad.Adam(
            lr=settings.rate, params={"values": self.volume.values, "environment": self.volume.environment}
        )
        self.side = max(h - low for low, h in zip(field.low, field.high, strict=True))
        self.seed = seeds.key(seed, "radiance train") & 0xFFFFFFFF

    def field(self) -> Field:
        import drjit as dr

        self.volume.values = dr.detach(self.optimiser["values"])
        self.volume.environment = dr.detach(self.optimiser["environment"])
        return self.volume.field()

    def state(self) -> dict[str, NDArray[numpy.float32]]:
        """Parameters and Adam's moments."""
        result = {}
        for name in ("values", "environment"):
            value, _, _, (count, first, second, *_) = self.optimiser.state[name]
            result |= {
                f"{name}": value.numpy().ravel(),
                f"{name}.first": first.numpy().ravel(),
                f"{name}.second": second.numpy().ravel(),
                f"{name}.count": numpy.asarray([count[0]], dtype=numpy.float32),
            }
        return {name: array.astype(numpy.float32) for name, array in result.items()}

    def load(self, state: dict[str, NDArray[numpy.float32]]) -> None:
        import drjit as dr

        mi = self.mi
        for name in ("values", "environment"):
            old = self.optimiser.state[name]
            if len(state[name]) != dr.width(old[0]):
                raise BrokenArtefact(
                    "the checkpoint is of another grid", hint="remove the work folder beside --out"
                )
            value = mi.Float(state[name])
            dr.enable_grad(value)
            moments = (
                mi.UInt32(int(state[f"{name}.count"][0])),
                mi.Float(state[f"{name}.first"]),
                mi.Float(state[f"{name}.second"]),
                *old[3][3:],
            )
            self.optimiser.state[name] = (value, old[1], old[2], moments)

    def step(self, number: int, rate: float, *, clearing: float) -> float:
        import drjit as dr

        mi, volume, settings = self.mi, self.volume, self.settings
        volume.values, volume.environment = self.optimiser["values"], self.optimiser["environment"]
        dr.enable_grad(volume.values, volume.environment)
        lane = dr.arange(mi.UInt32, settings.rays)
        key = dr.opaque(mi.UInt32, (self.seed + number * 4) & 0xFFFFFFFF)
        pick, _ = mi.sample_tea_32(lane, key)
        pixel = pick % dr.opaque(mi.UInt32, self.data.count)
        origin = dr.gather(mi.Point3f, self.data.origins, pixel)
        direction = dr.gather(mi.Vector3f, self.data.directions, pixel)
        colour = dr.gather(mi.Color3f, self.data.colours, pixel)
        near, far = volume.crossing(origin, direction)
        first = volume.step * (1.0 - mi.sample_tea_float32(lane, key + 1))
        with dr.suspend_grad():
            light, left, depth = self._forward(origin, direction, near, far, first)
        behind = volume.background(direction, left > OPAQUE)
        with dr.suspend_grad():
            colour_now = light + left * dr.select(left > OPAQUE, behind, mi.Color3f(0.0))
            weight = 1.0 / dr.square(0.75 * colour_now + 0.25 * colour + DARK)
            error = colour_now - colour
            gradient = 2.0 * error * weight / (3.0 * settings.rays)
            loss = dr.mean(error.x**2 * weight.x + error.y**2 * weight.y + error.z**2 * weight.z) / 3.0
        dr.backward(dr.sum(dr.dot(mi.Vector3f(behind), mi.Vector3f(dr.detach(gradient * left)))))
        dr.eval(colour_now, left, depth, gradient, loss)
        with dr.suspend_grad():
            push = dr.opaque(mi.Float, clearing / (settings.rays * self.side))
            self._backward(origin, direction, near, far, first, colour_now, depth, gradient, push)
        if settings.smoothness > 0:
            self._smooth(key + 2)
        self.optimiser.set_learning_rate(rate)
        self.optimiser.step()
        return float(loss[0])

    def _forward(self, origin: Any, direction: Any, near: Any, far: Any, first: Any) -> tuple[Any, Any, Any]:
        import drjit as dr

        mi, volume = self.mi, self.volume

        def step(t, left, light, depth, length):
            t_next, middle, here, is_empty = self._next(origin, direction, t, far, length)
            density, radiance = volume.query(origin + direction * middle, direction, ~is_empty)
            alpha = dr.select(is_empty, 0.0, 1.0 - dr.exp(-density * here))
            part = left * alpha
            return t_next, left - part, light + part * radiance, depth + part * middle, mi.Float(volume.step)

        _, left, light, depth, _ = dr.while_loop(
            (mi.Float(near), mi.Float(1.0), mi.Color3f(0.0), mi.Float(0.0), mi.Float(first)),
            lambda t, left, *_: (t < far) & (left > OPAQUE),
            step,
            label="forward",
        )
        return light, left, depth + ESCAPED * left * far

    def _backward(
        self,
        origin: Any,
        direction: Any,
        near: Any,
        far: Any,
        first: Any,
        colour: Any,
        depth: Any,
        gradient: Any,
        clearing: Any,
    ) -> None:
        """Walk the rays again. With `rest` the light that samples from here on still bring,

        dC / dr_i = T_i a_i,     dC / dsigma_i = dt_i (T_(i + 1) r_i - rest_(i + 1))
        """
        import drjit as dr

        mi, volume = self.mi, self.volume

        def step(t, left, rest, rest_depth, length):
            t_next, middle, here, is_empty = self._next(origin, direction, t, far, length)
            with dr.resume_grad():
                density, radiance = volume.query(origin + direction * middle, direction, ~is_empty)
                fixed = dr.detach(radiance)
                alpha = dr.select(is_empty, 0.0, 1.0 - dr.exp(-dr.detach(density) * here))
                rest_next = rest - left * alpha * fixed
                left_next = left * (1.0 - alpha)
                by_density = here * dr.dot(mi.Vector3f(gradient), mi.Vector3f(left_next * fixed - rest_next))
                rest_depth_next = rest_depth - left * alpha * middle
                by_density -= here * clearing * (left_next * middle - rest_depth_next)
                by_radiance = mi.Vector3f(gradient) * (left * alpha)
                share = dr.select(is_empty, 0.0, by_density * density)
                dr.backward(share + dr.dot(by_radiance, mi.Vector3f(radiance)))
            return t_next, left_next, rest_next, rest_depth_next, mi.Float(volume.step)

        dr.while_loop(
            (mi.Float(near), mi.Float(1.0), mi.Color3f(colour), mi.Float(depth), mi.Float(first)),
            lambda t, left, *_: (t < far) & (left > OPAQUE),
            step,
            label="backward",
        )

    def _next(self, origin: Any, direction: Any, t: Any, far: Any, length: Any) -> tuple[Any, Any, Any, Any]:
        import drjit as dr

        volume = self.volume
        is_empty, exit_ = volume.leave(origin + direction * t, direction, True)
        here = dr.minimum(length, far - t)
        jump = t + dr.maximum(exit_, 0.02 * volume.step) + 1e-5
        t_next = dr.select(here < 1e-6, far, dr.select(is_empty, jump, t + here))
        return t_next, t + 0.5 * here, here, is_empty

    def _smooth(self, key: Any) -> None:
        """Total variation between random nodes and their next neighbours along each axis."""
        import drjit as dr

        from sulan.radiance.volume import packets

        mi, volume = self.mi, self.volume
        lane = dr.arange(mi.UInt32, TIE_NODES)
        x, y, z = volume.nodes
        a, b = mi.sample_tea_32(lane, key)
        c, _ = mi.sample_tea_32(lane, key + 1)
        size = [dr.opaque(mi.UInt32, n - 1) for n in (x, y, z)]
        node = ((c % size[2]) * y + b % size[1]) * x + a % size[0]
        groups = packets(volume.field_channels)
        total = mi.Float(0.0)
        for group in range(groups):
            here = dr.gather(mi.Vector4f, volume.values, node * groups + group)
            if group > 0:  # what directions nobody looked along should show: what the others do
                total += self.settings.isotropy * dr.squared_norm(here)
            for step in (1, x, x * y):
                there = dr.gather(mi.Vector4f, volume.values, (node + step) * groups + group)
                square = dr.square(here - there)
                if group == 0:  # density: its absolute change, so that surfaces may be steps
                    total += dr.sqrt(square[0] + 1e-4) + COLOUR * (square[1] + square[2] + square[3])
                else:
                    total += COLOUR * dr.sum(square)
        dr.backward(dr.mean(total) * self.settings.smoothness)
