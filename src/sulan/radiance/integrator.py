"""The paper's hybrid light transport as a Mitsuba integrator: meshes and a radiance field in one path.

Per bounce (algorithm 1, page 6): the nearest mesh hit; the field up to it, L += beta * radiance and beta *=
transmittance; then the surface, L += beta * Le and a new direction from the BSDF. Any number of bounces, any BSDF of
Mitsuba.

Beyond the paper:

- Emitters among the meshes are sampled as in Mitsuba's `path` (multiple importance sampling by the balance heuristic),
  dimmed by the field in between. Without a field this is `path`.
- Lights inside the field are aimed at: a direction comes from the BSDF or from a cone around a light with probability
  1/2 each, weighted by the mixture's density. One ray serves both, so many lights cost no more rays.
- Meshes cast shadows onto the field (`shadows`).

`sample` follows Mitsuba's interface, so the integrator works in `mitsuba.render`; layers come as AOVs.
"""

from functools import cache
from typing import Any

from sulan.radiance import marching

LAYERS = (
    "field.R",
    "field.G",
    "field.B",
    "mesh.R",
    "mesh.G",
    "mesh.B",
    "shaded.R",
    "shaded.G",
    "shaded.B",
    "depth.Z",
    "mesh.A",
)
"""AOVs in their order: the field as the camera sees it, without shadows; what comes by meshes; the field with shadows;
distance; the share of the pixel that meets a mesh. beauty = shaded + mesh."""

AIM = 0.5
"""Probability of aiming at a light instead of sampling the BSDF: neither density can be off by more than a factor 2."""


WIDER = 1.4
"""Radius of the cone that is aimed at over the light's: a field's lamp has no sharp edge, and what of it lies outside
the cone is only found by chance, as bright specks."""


@cache
def kind(mi: Any) -> Any:
    """Return the integrator's class for a variant of Mitsuba, registered as `sulan_hybrid`.

    Parameters
    ----------
    mi
        The module `mitsuba` with its variant set (see `backend.mitsuba`).
    """

    class Hybrid(mi.SamplingIntegrator):
        """See the module. Properties: `bounces` (8), `roulette` (5)."""

        def __init__(self, properties: Any) -> None:
            super().__init__(properties)
            self.bounces = properties.get("bounces", 8)
            self.roulette = properties.get("roulette", 5)
            self.volume: Any = None
            self.shadows: Any = None
            self.lights: tuple[Any, ...] = ()

        def aov_names(self) -> list[str]:
            return list(LAYERS)

        def sample(self, scene, sampler, ray, medium=None, active=True):
            state = _Path(mi, self, scene, sampler)
            return state.follow(ray, active)

    mi.register_integrator("sulan_hybrid", Hybrid)
    return Hybrid


def hybrid(
    mi: Any,
    *,
    volume: Any = None,
    shadows: Any = None,
    lights: tuple[Any, ...] = (),
    bounces: int = 8,
    roulette: int = 5,
) -> Any:
    """Return an integrator.

    Parameters
    ----------
    mi
        The module `mitsuba`.
    volume
        The field on the device; None: meshes alone.
    shadows
        `shadows.Shadows`; None: meshes cast none onto the field.
    lights
        Of `scenes.Light`: where the field shines.
    bounces
        Scatterings at surfaces; the segment after the last is still followed. 0 shows the field and emitters alone.
    roulette
        Scatterings after which a dim path may be ended at random.
    """
    kind(mi)
    result = mi.load_dict({"type": "sulan_hybrid", "bounces": bounces, "roulette": roulette})
    result.volume, result.shadows, result.lights = volume, shadows, lights
    return result


class _Path:
    """One call of `sample`: the loop over bounces."""

    def __init__(self, mi: Any, settings: Any, scene: Any, sampler: Any) -> None:
        self.mi, self.settings, self.scene, self.sampler = mi, settings, scene, sampler
        self.volume, self.shadows = settings.volume, settings.shadows
        self.emitters = bool(scene.emitters())
        self.environment = scene.environment() is not None

    def follow(self, ray: Any, active: Any) -> Any:
        import drjit as dr

        mi = self.mi
        zero = mi.Color3f(0.0)
        state = (
            mi.Ray3f(dr.detach(ray)),
            mi.Color3f(zero),  # light
            mi.Color3f(1.0),  # beta
            mi.Float(1.0),  # eta
            mi.UInt32(0),  # depth
            mi.Bool(active),
            mi.Float(1.0),  # density of the last direction
            mi.Bool(True),  # the last direction was certain
            dr.zeros(mi.Interaction3f),
            mi.Color3f(zero),  # field
            mi.Color3f(zero),  # shadow
            mi.Float(0.0),  # distance
            mi.Float(0.0),  # coverage
            self.sampler,
        )
        names = ("ray", "light", "beta", "eta", "depth", "active", "density", "certain", "before")
        layers = ("field", "shadow", "distance", "coverage", "sampler")
        found = dr.while_loop(
            state,
            lambda *s: s[5],
            self._bounce,
            labels=names + layers,
            label="bounces",
            max_iterations=self.settings.bounces + 1,
        )
        light, field, shadow, distance, coverage = found[1], found[9], found[10], found[11], found[12]
        mesh = light - shadow
        aovs = [*field, *mesh, *shadow, distance, coverage]
        return light, mi.Bool(active), aovs

    def _bounce(
        self,
        ray,
        light,
        beta,
        eta,
        depth,
        active,
        density,
        certain,
        before,
        field,
        shadow,
        distance,
        coverage,
        sampler,
    ):
        import drjit as dr

        mi, scene = self.mi, self.scene
        self.sampler = sampler
        found = scene.ray_intersect(ray, active)
        hit = active & found.is_valid()
        escaped = active & ~hit
        first = depth == 0
        through, emitted, shaded = mi.Float(1.0), mi.Color3f(0.0), mi.Color3f(0.0)
        distance[first] = dr.select(hit, found.t, 0.0)
        if self.volume is not None:
            end = dr.select(hit, found.t, dr.inf)
            segment = marching.march(self.volume, ray.o, ray.d, end, sampler, active)
            through = dr.select(active, segment.transmittance, 1.0)
            emitted = dr.select(active, segment.radiance, mi.Color3f(0.0))
            distance[first] = distance * through + segment.depth * (1.0 - through)
            shaded = self._shaded(ray, segment, emitted, sampler, active)
            if not self.environment:
                behind = dr.select(escaped, through * self.volume.background(ray.d, escaped), mi.Color3f(0.0))
                emitted, shaded = emitted + behind, shaded + behind
        light += beta * shaded
        field[first] = emitted
        shadow[first] = shaded
        coverage[first] = dr.select(hit, through, 0.0)
        beta *= through
        if self.emitters:
            direct = mi.DirectionSample3f(scene, si=found, ref=before)
            known = scene.pdf_emitter_direction(before, direct, ~certain)
            weight = dr.select(certain, 1.0, _balance(density, known))
            light += beta * weight * direct.emitter.eval(found, active)

        # The surface.
        going = hit & (depth < self.settings.bounces)
        bsdf = found.bsdf(ray)
        context = mi.BSDFContext()
        smooth = going & mi.has_flag(bsdf.flags(), mi.BSDFFlags.Smooth)
        if self.emitters:
            light += beta * self._emitter(found, bsdf, context, sampler, smooth)
        sampled, weight = bsdf.sample(context, found, sampler.next_1d(going), sampler.next_2d(going), going)
        outward = sampled.wo
        density = mi.Float(sampled.pdf)
        certain = mi.has_flag(sampled.sampled_type, mi.BSDFFlags.Delta)
        change = mi.Float(sampled.eta)
        if self.settings.lights:
            aimed, cone = self._aim(found, sampler, smooth)
            use = smooth & aimed[1]
            outward = dr.select(use, found.to_local(aimed[0]), outward)
            certain &= ~use
            change = dr.select(use, 1.0, change)
            value, pdf = bsdf.eval_pdf(context, found, outward, smooth & ~certain)
            mixed = (1.0 - AIM) * pdf + AIM * cone(found.to_world(outward))
            weight = dr.select(
                smooth,
                dr.select(
                    certain, weight / (1.0 - AIM), dr.select(mixed > 0, value / dr.maximum(mixed, 1e-12), 0.0)
                ),
                weight,
            )
            density = dr.select(smooth & ~certain, mixed, density)
        beta *= weight
        eta *= change
        ray = found.spawn_ray(found.to_world(outward))
        before = mi.Interaction3f(found)
        largest = dr.max(beta)
        going &= largest > 0
        keep = dr.minimum(largest * dr.square(eta), 0.95)
        played = depth >= self.settings.roulette
        chance = sampler.next_1d(going)
        beta[played] = beta / dr.maximum(keep, 1e-6)
        going &= ~played | (chance < keep)
        depth[hit] += 1
        return (
            ray,
            light,
            beta,
            eta,
            depth,
            going,
            density,
            certain,
            before,
            field,
            shadow,
            distance,
            coverage,
            sampler,
        )

    def _shaded(self, ray: Any, segment: Any, emitted: Any, sampler: Any, active: Any) -> Any:
        """Return a segment's radiance with the shadows of meshes on it."""
        import drjit as dr

        mi = self.mi
        if self.shadows is None:
            return emitted
        bright = mi.luminance(emitted)
        seen = active & (bright > 1e-6)
        mask = self.shadows.mask(self.scene, ray.o + ray.d * segment.chosen, sampler, seen)
        # The kept sample stands for the whole segment: its colour at the segment's brightness.
        kept = segment.colour * (bright / dr.maximum(mi.luminance(segment.colour), 1e-6))
        return dr.select(seen, emitted - kept * (1.0 - mask), emitted)

    def _emitter(self, found: Any, bsdf: Any, context: Any, sampler: Any, active: Any) -> Any:
        """Light straight from an emitter among the meshes, dimmed by the field on the way."""
        import drjit as dr

        mi, scene = self.mi, self.scene
        direct, weight = scene.sample_emitter_direction(found, sampler.next_2d(active), True, active)
        use = active & (direct.pdf != 0)
        outward = found.to_local(direct.d)
        value, pdf = bsdf.eval_pdf(context, found, outward, use)
        if self.settings.lights:
            _, cone = self._aim(found, None, use)
            pdf = (1.0 - AIM) * pdf + AIM * cone(direct.d)
        mis = dr.select(direct.delta, 1.0, _balance(direct.pdf, pdf))
        if self.volume is not None:
            weight *= marching.transmittance(self.volume, found.p, direct.d, direct.dist, use)
        return dr.select(use, mis * value * weight, mi.Color3f(0.0))

    def _aim(self, found: Any, sampler: Any, active: Any) -> Any:
        """Return ((direction at a light, whether to take it), the density of that choice for any direction)."""
        import drjit as dr

        mi, lights = self.mi, self.settings.lights
        total = sum(sum(light.power) for light in lights)
        cones = []
        for light in lights:
            away = mi.Point3f(*light.centre) - found.p
            distance = dr.norm(away)
            axis = away / dr.maximum(distance, 1e-6)
            sine = dr.minimum(WIDER * light.radius / dr.maximum(distance, 1e-6), 1.0)
            # Inside the light's sphere every direction leads to it.
            cosine = dr.select(distance > WIDER * light.radius, dr.safe_sqrt(1.0 - dr.square(sine)), -1.0)
            cones.append((sum(light.power) / total, axis, cosine))

        def density(direction: Any) -> Any:
            value = mi.Float(0.0)
            for share, axis, cosine in cones:
                inside = dr.dot(direction, axis) >= cosine
                value += dr.select(inside, share / (dr.two_pi * dr.maximum(1.0 - cosine, 1e-7)), 0.0)
            return value

        if sampler is None:
            return None, density
        pick, uv = sampler.next_1d(active), sampler.next_2d(active)
        take = pick < AIM
        pick = pick / AIM
        direction, below = mi.Vector3f(0.0, 0.0, 1.0), 0.0
        for share, axis, cosine in cones:
            local = mi.warp.square_to_uniform_cone(uv, cosine)
            # A uniform cone wider than a hemisphere is not what the warp is for: it is exact up to -1.
            direction = dr.select(pick >= below, mi.Frame3f(axis).to_world(local), direction)
            below += share
        return (direction, take), density


def _balance(a: Any, b: Any) -> Any:
    """Return a / (a + b), the balance heuristic."""
    import drjit as dr

    total = a + b
    return dr.select((total > 0) & dr.isfinite(total), a / dr.maximum(total, 1e-20), 0.0)
