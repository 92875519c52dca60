"""What inserted meshes take away from the field's light: soft, coloured shadows of many lights, tested per sample.

The field's radiance r(p) has its light baked in. The share of it that came from light l, s_l(p) = E_l(p) / E(p), is
known from `light` (shares.npz); the rest came from all around. With a mesh in the way

    m(p) = sum_l s_l(p) V_l(p) + s_around(p) V_around(p)

where V is the visibility: of points drawn on the light, or of directions drawn about the surface's normal. One term
is drawn with probability s, so that one ray estimates m. Straight through glass V is its tint; where a mesh hides a
part of the surroundings, its albedo stands for the light that it gives back. The paper's m = 1 - r_src (page 5) is
the case of one light and opaque meshes. `floor` keeps m from going below a value.

Not covered: light that a mesh casts onto the field (caustics of glass, colour bleeding beyond the albedo).
"""

from dataclasses import dataclass
from typing import Any

import numpy

from sulan.radiance.scenes import Light

MOST_LAYERS = 4
"""Surfaces that a shadow ray passes: two hollow glasses one behind the other."""

_NEAR = 0.5
"""March steps that a shadow ray starts away from its place: less than the field's surfaces are thick, so that the mesh
that stands on one still darkens it."""


@dataclass(kw_only=True)
class Shadows:
    """The lights' shares on the device.

    Attributes
    ----------
    shares
        Flat `[z, y, x, lights + 1]`: every light's share, then that of the surroundings. Their sum is below 1 where
        the field shines by itself.
    floor
        Least value of m.
    """

    mi: Any
    volume: Any
    shares: Any
    nodes: tuple[int, int, int]
    lights: tuple[Light, ...]
    floor: float = 0.0

    @classmethod
    def of(
        cls, mi: Any, volume: Any, shares: numpy.ndarray, lights: tuple[Light, ...], *, floor: float = 0.0
    ) -> "Shadows":
        """Put shares `[z, y, x, lights + 1]` over the field's box onto the device."""
        z, y, x = shares.shape[:3]
        return cls(
            mi=mi,
            volume=volume,
            shares=mi.Float(shares.astype(numpy.float32).ravel()),
            nodes=(x, y, z),
            lights=lights,
            floor=floor,
        )

    def mask(self, scene: Any, point: Any, sampler: Any, active: Any) -> Any:
        """Return an unbiased estimate of m at points, RGB."""
        import drjit as dr

        mi = self.mi
        target = mi.Vector3f(0.0, 0.0, 1.0)
        pick = sampler.next_1d(active)
        uv = sampler.next_2d(active)
        shares = self._shares(point, active)
        sum_before = mi.Float(0.0)
        far = mi.Float(0.0)
        decided = mi.Bool(False)
        for share, light in zip(shares[:-1], self.lights, strict=True):
            here = ~decided & (pick < sum_before + share)
            centre = mi.Point3f(*light.centre)
            place = centre + light.radius * mi.warp.square_to_uniform_sphere(uv)
            away = place - point
            distance = dr.norm(away)
            target[here] = away / dr.maximum(distance, 1e-6)
            far[here] = distance - 1.05 * light.radius
            decided |= here
            sum_before += share
        around = ~decided & (pick < sum_before + shares[-1])
        normal = self.normal(point, active & around)
        local = mi.warp.square_to_cosine_hemisphere(uv)
        target[around] = mi.Frame3f(normal).to_world(local)
        far[around] = 1e6
        tested = active & (decided | around)
        seen = self._visible(scene, point, target, far, around, tested)
        return dr.maximum(dr.select(tested, seen, mi.Color3f(1.0)), self.floor)

    def normal(self, point: Any, active: Any) -> Any:
        """Return the outward normal of the field's surface: against the gradient of the density."""
        import drjit as dr

        mi = self.mi
        h = 2.0 * self.volume.step
        values = []
        for axis in range(3):
            offset = mi.Vector3f(*(h if k == axis else 0.0 for k in range(3)))
            values.append(
                self.volume.density(point - offset, active) - self.volume.density(point + offset, active)
            )
        gradient = mi.Vector3f(*values)
        length = dr.norm(gradient)
        return dr.select(length > 1e-6, gradient / dr.maximum(length, 1e-6), mi.Vector3f(0.0, 0.0, 1.0))

    def _visible(self, scene: Any, point: Any, direction: Any, far: Any, around: Any, active: Any) -> Any:
        import drjit as dr

        mi = self.mi
        volume = self.volume

        def going(seen, t, layer, alive):
            return alive

        def step(seen, t, layer, alive):
            ray = mi.Ray3f(point + direction * t, direction, far - t, 0.0, [])
            found = scene.ray_intersect(ray, alive)
            hit = alive & found.is_valid()
            tint = mi.Color3f(found.shape.eval_attribute_3("face_tint", found, hit))
            albedo = mi.Color3f(found.shape.eval_attribute_3("face_albedo", found, hit))
            # A ray to the surroundings meets the mesh and brings its light back; one to a lamp goes through.
            seen = dr.select(hit, dr.select(around, seen * albedo, seen * dr.sqrt(tint)), seen)
            alive = hit & ~around & (dr.max(seen) > 0) & (layer < MOST_LAYERS)
            return seen, t + found.t + 1e-4, layer + 1, alive

        seen, _, _, _ = dr.while_loop(
            (
                mi.Color3f(1.0),
                mi.Float(_NEAR * volume.step),
                mi.UInt32(0),
                mi.Bool(active),
            ),
            going,
            step,
            labels=("seen", "t", "layer", "alive"),
            label="shadow",
        )
        return seen

    def _shares(self, point: Any, active: Any) -> list[Any]:
        import drjit as dr

        mi, volume = self.mi, self.volume
        count = len(self.lights) + 1
        last = mi.Vector3f(*(float(n - 1) for n in self.nodes))
        place = dr.clip((point - volume.low) / (volume.high - volume.low), 0.0, 1.0) * last
        corner = dr.minimum(mi.Point3u(place), mi.Point3u(*(n - 2 for n in self.nodes)))
        f = place - mi.Point3f(corner)
        x, y, _ = self.nodes
        start = (corner.z * y + corner.y) * x + corner.x
        total = [mi.Float(0.0)] * count
        for dz, wz in ((0, 1 - f.z), (1, f.z)):
            for dy, wy in ((0, 1 - f.y), (1, f.y)):
                for dx, wx in ((0, 1 - f.x), (1, f.x)):
                    node = (start + ((dz * y + dy) * x + dx)) * count
                    for k in range(count):
                        total[k] = total[k] + wx * wy * wz * dr.gather(
                            mi.Float, self.shares, node + k, active
                        )
        return total
