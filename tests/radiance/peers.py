"""What the room is measured beside: a field trained with torch's `grid_sample`, plain delta tracking, mesh queries.

Each is what a person would write first, with the same parameters, loss and schedule as ours where it has them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch.nn import functional

from sulan.radiance import field as fields
from sulan.radiance import harmonics
from sulan.radiance.field import Field
from sulan.radiance.settings import TrainSettings
from sulan.radiance.training import COLOUR, DARK, Rays

SAMPLES = 64
"""Stratified samples a ray: the box's diagonal in steps of some 0.06, near our step of a voxel."""


@dataclass(kw_only=True)
class TorchField:
    """A dense grid of density and degree-1 radiance with `grid_sample`, autograd and Adam."""

    start: Field
    settings: TrainSettings

    def __post_init__(self) -> None:
        values = numpy.moveaxis(self.start.values, 3, 0)[None]
        self.values = torch.tensor(values, requires_grad=True)
        self.environment = torch.tensor(
            numpy.moveaxis(self.start.environment, 2, 0)[None].copy(), requires_grad=True
        )
        self.low, self.high = torch.tensor(self.start.low), torch.tensor(self.start.high)
        self.optimiser = torch.optim.Adam([self.values, self.environment], lr=self.settings.rate)

    def field(self) -> Field:
        """Return it as ours, to be rendered and tested alike."""
        made = fields.empty(
            low=self.start.low,
            high=self.start.high,
            resolution=max(self.start.resolution),
            scale=self.start.scale,
            shell=self.start.shell,
        )
        made.values[:] = numpy.moveaxis(self.values.detach().numpy()[0], 0, 3)
        made.environment[:] = numpy.moveaxis(self.environment.detach().numpy()[0], 0, 2)
        return made

    def shown(self, origin: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        """Return the colours `[n, 3]` of rays."""
        safe = torch.where(direction.abs() < 1e-9, torch.full_like(direction, 1e-9), direction)
        one, two = (self.low - origin) / safe, (self.high - origin) / safe
        near = torch.minimum(one, two).amax(1).clamp(min=0)
        far = torch.maximum(one, two).amin(1)
        length = (far - near).clamp(min=0)[:, None] / SAMPLES
        t = near[:, None] + (torch.arange(SAMPLES) + torch.rand(len(origin), SAMPLES)) * length
        points = origin[:, None] + t[..., None] * direction[:, None]
        unit = 2 * (points - self.low) / (self.high - self.low) - 1
        raw = functional.grid_sample(
            self.values, unit[None, :, :, None], align_corners=True, padding_mode="border"
        )[0, ..., 0]
        density = self.start.scale * functional.softplus(raw[0])
        if self.start.shell:
            border = torch.minimum(points - self.low, self.high - points).amin(2)
            density = torch.where(border <= self.start.shell, torch.full_like(density, fields.SOLID), density)
        basis = harmonics.basis(direction[:, 0], direction[:, 1], direction[:, 2], 1)
        logarithm = torch.zeros_like(raw[1:4])
        for k, value in enumerate(basis):
            logarithm = logarithm + raw[1 + 3 * k : 4 + 3 * k] * value[None, :, None]
        radiance = torch.exp(torch.clamp(logarithm, max=12.0))
        depth = density * length
        through = torch.exp(-(torch.cumsum(depth, 1) - depth))
        weight = through * (1 - torch.exp(-depth))
        light = (weight[None] * radiance).sum(2).T
        u = torch.atan2(direction[:, 1], direction[:, 0]) / torch.pi
        v = 2 * torch.acos(direction[:, 2].clamp(-1, 1)) / torch.pi - 1
        sky = functional.grid_sample(
            self.environment,
            torch.stack([u, v], 1)[None, :, None],
            align_corners=False,
            padding_mode="border",
        )[0, ..., 0].T
        return light + torch.exp(-depth.sum(1))[:, None] * torch.exp(sky)

    def step(self, rays: Rays, number: int, total: int) -> None:
        """Take one step of the same loss, total variation and schedule as ours."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate * self.settings.rate_last ** (number / max(1, total - 1))
        pick = torch.randint(len(rays.colours), (self.settings.rays,))
        colour = torch.from_numpy(rays.colours)[pick]
        shown = self.shown(torch.from_numpy(rays.origins)[pick], torch.from_numpy(rays.directions)[pick])
        scale = (0.75 * shown + 0.25 * colour).detach() + DARK
        loss = (((shown - colour) / scale) ** 2).mean()
        tie = (self.values[:, 4:] ** 2).sum(1).mean() * self.settings.isotropy
        for axis in (2, 3, 4):
            apart = self.values.diff(dim=axis)
            tie = (
                tie + torch.sqrt(apart[:, 0] ** 2 + 1e-4).mean() + COLOUR * (apart[:, 1:] ** 2).sum(1).mean()
            )
        self.optimiser.zero_grad()
        (loss + self.settings.smoothness * tie).backward()
        self.optimiser.step()


def train_with_torch(
    start: Field,
    rays: Rays,
    *,
    steps: int,
    most_seconds: float,
    every: int,
    quality: Callable[[Field], float],
    wanted: float,
) -> list[tuple[int, float, float]]:
    """Train until a quality, a number of steps or of CPU seconds; return steps, CPU seconds and quality."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    trained, seconds, course = TorchField(start=start, settings=TrainSettings()), 0.0, []
    for number in range(steps):
        begun = time.process_time()
        trained.step(rays, number, steps)
        seconds += time.process_time() - begun
        if (number + 1) % every == 0:
            course.append((number + 1, seconds, quality(trained.field())))
            if course[-1][2] >= wanted or seconds > most_seconds:
                break
    return course


@dataclass(frozen=True, kw_only=True)
class DeltaTracking:
    """Plain delta tracking with one majorant for the box, as `frames.picture` wants an integrator."""

    mi: Any
    volume: Any
    majorant: float
    bounces: int

    def sample(self, scene: Any, sampler: Any, ray: Any) -> tuple[Any, Any, list[Any]]:
        """Follow paths: a real collision gives the field's radiance there and ends the path."""
        import drjit as dr

        mi, volume, majorant, bounces = self.mi, self.volume, self.majorant, self.bounces

        def bounce(ray, light, beta, depth, active, sampler):
            found = scene.ray_intersect(ray, active)
            hit = active & found.is_valid()
            near, far = volume.crossing(ray.o, ray.d)
            end = dr.minimum(far, dr.select(hit, found.t, dr.inf))

            def flight(t, absorbed, sampler):
                t = t - dr.log(1.0 - sampler.next_1d()) / majorant
                density = volume.density(ray.o + ray.d * t, t < end)
                return t, (t < end) & (sampler.next_1d() * majorant < density), sampler

            t, absorbed, sampler = dr.while_loop(
                (mi.Float(near), mi.Bool(False), sampler),
                lambda t, absorbed, _: active & ~absorbed & (t < end),
                flight,
                label="flight",
            )
            _, radiance = volume.query(ray.o + ray.d * t, ray.d, absorbed)
            light = light + beta * dr.select(active & absorbed, radiance, mi.Color3f(0.0))
            escaped = active & ~absorbed & ~hit
            behind = volume.background(ray.d, escaped)
            light = light + beta * dr.select(escaped, behind, mi.Color3f(0.0))
            going = hit & ~absorbed & (depth < bounces)
            bsdf = found.bsdf(mi.RayDifferential3f(ray))
            chosen, weight = bsdf.sample(mi.BSDFContext(), found, sampler.next_1d(), sampler.next_2d(), going)
            beta = beta * dr.select(going, weight, mi.Color3f(1.0))
            return found.spawn_ray(found.to_world(chosen.wo)), light, beta, depth + 1, going, sampler

        _, light, _, _, _, _ = dr.while_loop(
            (mi.Ray3f(ray), mi.Color3f(0.0), mi.Color3f(1.0), mi.UInt32(0), mi.Bool(True), sampler),
            lambda ray, light, beta, depth, active, sampler: active,
            bounce,
            label="bounces",
        )
        none = light.x * 0.0
        return light, mi.Bool(True), [none] * 6 + list(light) + [none, none]
