"""One segment of a ray through the field: emitted radiance, transmittance, and one place to test a shadow at.

    L = sum_i T_i a_i r_i,   a_i = 1 - exp(-sigma_i dt_i),   T_i = prod_(j < i) (1 - a_j)

by the midpoint rule with steps of half a voxel, the first one of random length so that steps do not show as rings.
Cells that are empty are jumped over; a ray whose transmittance is used up stops. Both work on any volume that has
`crossing`, `leave` and `query` (`volume.GridVolume`, `hashing.HashVolume`).

For shadows one sample of the segment is kept, chosen with probability proportional to its share of the emitted light
(reservoir sampling: sample i replaces the kept one with probability w_i / sum_(j <= i) w_j). Testing that one tests all
in expectation, at the price of one shadow ray a segment.
"""

from dataclasses import dataclass
from typing import Any

OPAQUE = 1e-4
"""Transmittance below which a march stops: a lamp of radiance 20 behind it would still add 0.002."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """What a march found.

    Attributes
    ----------
    radiance
        Emitted towards the ray's origin, RGB.
    transmittance
        Left at the segment's end.
    depth
        Mean distance of the light, weighted by T a; 0 where nothing was met.
    chosen
        Distance of the kept sample.
    colour
        Its radiance.
    """

    radiance: Any
    transmittance: Any
    depth: Any
    chosen: Any
    colour: Any


def march(volume: Any, origin: Any, direction: Any, end: Any, sampler: Any, active: Any) -> Segment:
    """Follow rays through a volume up to a distance.

    Parameters
    ----------
    volume
        The field on the device.
    origin, direction
        Rays; directions of unit length.
    end
        Distance where each segment ends; may be infinite.
    sampler
        A Mitsuba sampler: the first step's length and the kept sample are drawn from it.
    active
        Rays that are followed.
    """
    import drjit as dr

    mi = volume.mi
    near, far = volume.crossing(origin, direction)
    far = dr.minimum(far, end)
    first = volume.step * (1.0 - sampler.next_1d(active))
    # A stream of its own for the kept sample: the sampler's state cannot go through the loop.
    random = mi.PCG32(initstate=mi.UInt64(dr.reinterpret_array(mi.UInt32, sampler.next_1d(active))))

    def going(t, left, *_: Any) -> Any:
        return active & (t < far) & (left > OPAQUE)

    def step(t, left, light, depth, weight, chosen, colour, length, random):
        point = origin + direction * t
        is_empty, exit_ = volume.leave(point, direction, True)
        length_here = dr.minimum(length, far - t)
        middle = t + 0.5 * length_here
        density, radiance = volume.query(origin + direction * middle, direction, ~is_empty)
        alpha = dr.select(is_empty, 0.0, 1.0 - dr.exp(-density * length_here))
        part = left * alpha
        share = part * mi.luminance(radiance)
        weight += share
        replace = (random.next_float32() * weight < share) & (share > 0)
        chosen = dr.select(replace, middle, chosen)
        colour = dr.select(replace, radiance, colour)
        light = light + part * radiance
        depth += part * middle
        left *= 1.0 - alpha
        t = dr.select(is_empty, t + dr.maximum(exit_, 0.02 * volume.step) + 1e-5, t + length_here)
        # At the end of the box rounding may leave a step of nothing: it must still be the last one.
        t = dr.select(length_here < 1e-6, far, t)
        return t, left, light, depth, weight, chosen, colour, mi.Float(volume.step), random

    return _run(dr, mi, going, step, near, first, random)


def _run(dr: Any, mi: Any, going: Any, step: Any, near: Any, first: Any, random: Any) -> Segment:
    _, left, light, depth, _, chosen, colour, _, _ = dr.while_loop(
        (
            mi.Float(near),
            mi.Float(1.0),
            mi.Color3f(0.0),
            mi.Float(0.0),
            mi.Float(0.0),
            mi.Float(0.0),
            mi.Color3f(0.0),
            mi.Float(first),
            random,
        ),
        going,
        step,
        labels=("t", "left", "light", "depth", "weight", "chosen", "colour", "length", "random"),
        label="field",
    )
    return Segment(
        radiance=light,
        transmittance=left,
        depth=depth / dr.maximum(1.0 - left, 1e-6),
        chosen=chosen,
        colour=colour,
    )


def transmittance(volume: Any, origin: Any, direction: Any, end: Any, active: Any) -> Any:
    """Return how much of the light passes the field along `[0, end)`: density alone, whole steps."""
    import drjit as dr

    mi = volume.mi
    near, far = volume.crossing(origin, direction)
    far = dr.minimum(far, end)

    def step(t, left):
        is_empty, exit_ = volume.leave(origin + direction * t, direction, True)
        length = dr.minimum(volume.step, far - t)
        density = volume.density(origin + direction * (t + 0.5 * length), ~is_empty)
        left = dr.select(is_empty, left, left * dr.exp(-density * length))
        jump = t + dr.maximum(exit_, 0.02 * volume.step) + 1e-5
        return dr.select(length < 1e-6, far, dr.select(is_empty, jump, t + length)), left

    _, left = dr.while_loop(
        (mi.Float(near), mi.Float(1.0)),
        lambda t, left: active & (t < far) & (left > OPAQUE),
        step,
        labels=("t", "left"),
        label="transmittance",
    )
    return left
