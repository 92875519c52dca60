"""A simulator's bodies in Newton, on a CUDA card or this processor: somebody else's solver for the same scene.

Rigid bodies alone go through Newton's XPBD, which gives back the speed that restitution asks for. With cloth or a soft
body in the scene everything goes through its vertex block descent (VBD): its XPBD adds up what all springs of a
particle want at once, which diverges where they are as stiff as cloth's (measured: a weight of 0.2 kg on 121 particles
and 20 substeps allows no less than 0.06 m/N, and soft bodies never come to rest).

What differs from `xpbd.substeps`: float32; what things fall onto is the zero level of the distance grids as a mesh,
because Newton makes its textures of distances on CUDA cards alone; a rigid body touches by the convex hull of its
points; what is stiffer than a substep resolves is softened (`STIFFEST`); damping is taken once a frame; between two
rigid bodies that move momentum is not kept where they touch a third thing (docs/radiance.md has figures). So it is not
for the field's pieces, which `simulating.assemble` refuses.
"""

from collections.abc import Sequence
from typing import Any

import newton
import numpy
import scipy.spatial
import warp
from numpy.typing import NDArray

from sulan.radiance import collider, coordinates, distances
from sulan.radiance.bodies import Loose, Rigid
from sulan.radiance.collider import DistanceGrid
from sulan.radiance.mesh_distances import triple
from sulan.radiance.settings import SimulateSettings

Array = NDArray[numpy.float64]

STIFFEST = 1.0
"""Stiffness of springs, at most, in a particle's masses a squared substep. Measured on a cloth of 121 particles over a
ball, two seconds after it fell: at 1 its mean height is that of numba's to 0.0001 and it moves by 0.001 a second, at 3
and 10 it still moves by 0.05 and 0.17 and lies 0.005 and 0.015 higher, folded otherwise."""

TURNS_RIGID = 8
"""XPBD's iterations a substep. Measured on a ball, a cube and a bunny for three seconds: with 2, Newton's default, a
cube keeps sliding by 0.003 a second, with 8 by 0.0007; where a ball stands on a corner of the mesh it wobbles by 0.15
with 4 and with 16."""

TURNS_LOOSE = 5
"""VBD's iterations a substep. Measured on that cloth: with 10 it takes twice as long and rests no better."""

TURNS_TOGETHER = 20
"""The same where rigid bodies move beside cloth or a soft body. Measured on a ball of 1 kg that hits a soft body as
heavy: with 5 an eighth of the momentum is lost, with 20 a thousandth, with 40 none."""


class Bodies:
    """A simulator's bodies in Newton between frames.

    Parameters
    ----------
    device
        Warp's name of it: `cuda` or `cpu`.
    world
        What nothing moves; None: empty space.
    rigids, looses
        As the simulator has them.
    packed
        The grids of `rigids`, then the world's, as `simulator.packed` gives them.
    margin
        Distance that particles keep from surfaces.
    settings
        See `SimulateSettings`.
    """

    def __init__(
        self,
        *,
        device: str,
        world: DistanceGrid | None,
        rigids: Sequence[Rigid],
        looses: Sequence[Loose],
        packed: tuple[NDArray[numpy.float64], Array, NDArray[numpy.int64]],
        margin: float,
        settings: SimulateSettings,
    ) -> None:
        self._device, self._world, self._packed = device, world, packed
        self._rigids, self._looses, self._margin, self._settings = rigids, looses, margin, settings
        self._moving = numpy.asarray([n for n, body in enumerate(rigids) if body.mass > 0], dtype=int)
        self._h = 0.0

    def substeps(
        self,
        count: int,
        h: float,
        *,
        x: Array,
        v: Array,
        position: Array,
        rotation: Array,
        velocity: Array,
        omega: Array,
    ) -> float:
        """Advance everything in place by `count` substeps of `h` seconds; see `xpbd.substeps`.

        Returns
        -------
        float
            The deepest that a particle or a rigid body's point was in anything that does not move.
        """
        if h != self._h:
            self._build(h)
        keep = max(0.0, 1.0 - self._settings.damping * h) ** count
        moving, now = self._moving, self._states[0]
        if len(x):
            _assign(now.particle_q, x)
            _assign(now.particle_qd, keep * v)
        if len(moving):
            places = numpy.concatenate([position[moving], rotation[moving][:, [1, 2, 3, 0]]], axis=1)
            _assign(now.body_q, places)
            _assign(now.body_qd, keep * numpy.concatenate([velocity[moving], omega[moving]], axis=1))
        deepest = 0.0
        for _ in range(count):
            now, after = self._states
            self._pipeline.collide(now, self._contacts)
            self._solver.step(now, after, self._control, self._contacts, h)
            self._states = after, now
            if len(x):
                x[:] = after.particle_q.numpy()
            if len(moving):
                places = after.body_q.numpy()
                position[moving], rotation[moving] = places[:, :3], places[:, [6, 3, 4, 5]]
            deepest = max(deepest, self._depth(x, position, rotation))
        now = self._states[0]
        if len(x):
            v[:] = now.particle_qd.numpy()
        if len(moving):
            speeds = now.body_qd.numpy()
            velocity[moving], omega[moving] = speeds[:, :3], speeds[:, 3:]
        return deepest

    def _build(self, h: float) -> None:
        """Make the model: what is stiff is so in proportion to the substep."""
        settings, self._h = self._settings, h
        # VBD's contacts are springs: as soft as the lighter partner wants between two that move, so that both take
        # the same momentum from it; as hard as the heavier one wants at what stands still.
        particles = [float(loose.masses.mean()) for loose in self._looses]
        heaviest = max([body.mass for body in self._rigids] + particles)
        soft, hard = min(particles, default=heaviest) / h**2, heaviest / h**2
        builder = newton.ModelBuilder(up_axis=newton.Axis.Z, gravity=(0.0, 0.0, settings.gravity))
        moving, still = (
            newton.ModelBuilder.ShapeConfig(
                density=0.0, mu=settings.friction, restitution=settings.restitution, ke=stiffness, kd=0.0
            )
            for stiffness in (soft, hard)
        )
        if self._world is not None:
            builder.add_shape_mesh(-1, mesh=_surface(self._world), cfg=still)
        for body in self._rigids:
            w, *xyz = body.rotation
            pose = warp.transform(warp.vec3(*body.centre), warp.quat(*xyz, w))
            if body.mass > 0:
                number = builder.add_body(
                    xform=pose,
                    mass=body.mass,
                    inertia=warp.mat33(*numpy.diag(body.inertia).ravel()),
                    lock_inertia=True,
                )
                hull = scipy.spatial.ConvexHull(body.points).simplices
                builder.add_shape_convex_hull(number, mesh=_mesh(body.points, hull), cfg=moving)
            else:
                builder.add_shape_mesh(-1, xform=pose, mesh=_surface(body.grid), cfg=still)
        for loose in self._looses:
            self._add(builder, loose)
        builder.color()
        if self._looses:
            builder.set_coloring(_groups(self._looses))
        model = builder.finalize(device=self._device)
        model.soft_contact_ke, model.soft_contact_kd = soft, 0.0
        model.soft_contact_mu = settings.friction
        self._pipeline = newton.CollisionPipeline(model, soft_contact_gap=self._margin)
        self._contacts, self._control = self._pipeline.contacts(), model.control()
        self._solver: Any = (
            newton.solvers.SolverVBD(model, iterations=TURNS_TOGETHER if len(self._moving) else TURNS_LOOSE)
            if self._looses
            else newton.solvers.SolverXPBD(
                model, iterations=TURNS_RIGID, enable_restitution=settings.restitution > 0
            )
        )
        self._states = model.state(), model.state()

    def _add(self, builder: Any, loose: Loose) -> None:
        """Add particles with springs for cloth, with elastic tetrahedra for a soft body."""
        first, count = builder.particle_count, len(loose.positions)
        builder.add_particles(
            pos=loose.positions.tolist(),
            vel=[loose.velocity] * count,
            mass=loose.masses.tolist(),
            radius=[self._margin] * count,
        )
        most = STIFFEST * float(loose.masses.mean()) / self._h**2
        stiffness = numpy.minimum(1 / numpy.maximum(loose.compliance, 1e-30), most)
        if len(loose.tetrahedra):
            ends = loose.positions[loose.edges]
            length = float(numpy.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).mean())
            modulus = float(stiffness.mean()) / length
            for corners in (loose.tetrahedra + first).tolist():
                builder.add_tetrahedron(*corners, k_mu=modulus, k_lambda=modulus, k_damp=0.0)
        else:
            for (i, j), k in zip((loose.edges + first).tolist(), stiffness.tolist(), strict=True):
                builder.add_spring(i, j, k, 0.0, 0.0)

    def _depth(self, x: Array, position: Array, rotation: Array) -> float:
        """Return how deep the deepest particle or point of a moving body is in what does not move."""
        turns = [coordinates.rotation(rotation[n]) for n in range(len(self._rigids))]
        points = [x]
        points += [self._rigids[n].points @ turns[n].T + position[n] for n in self._moving]
        places, deepest = numpy.concatenate(points), 0.0
        if not numpy.isfinite(places).all():
            return deepest  # the simulator says that it left all bounds
        values, normals = numpy.empty(len(places)), numpy.empty((len(places), 3))
        for number in range(len(self._packed[2])):
            local = places
            if number < len(self._rigids):
                if self._rigids[number].mass > 0:
                    continue
                local = (places - position[number]) @ turns[number]
            distances.distances(*self._packed, number, local, values, normals)
            deepest = max(deepest, -float(values.min(initial=0.0)))
        return deepest


def _assign(array: Any, values: Array) -> None:
    array.assign(numpy.ascontiguousarray(values, dtype=numpy.float32))


def _groups(looses: Sequence[Loose]) -> Any:
    """Return the particles in groups without a constraint within one: Newton's own count no springs."""
    starts = numpy.cumsum([0, *(len(loose.positions) for loose in looses)])
    pairs = numpy.concatenate([loose.edges + start for loose, start in zip(looses, starts, strict=False)])
    return newton.utils.color_graph(int(starts[-1]), warp.array(pairs.astype(numpy.int32), device="cpu"))


def _mesh(vertices: Array, faces: NDArray[numpy.integer]) -> Any:
    return newton.Mesh(vertices, faces.ravel(), compute_inertia=False)


def _surface(grid: DistanceGrid) -> Any:
    """Return the zero level of a grid as a closed mesh: what is solid at the box's border ends there."""
    low, high = numpy.asarray(grid.low), numpy.asarray(grid.high)
    spacing = (high - low) / (numpy.asarray(grid.distances.shape[::-1]) - 1)
    outside = numpy.pad(grid.distances, 1, constant_values=grid.voxel)
    return _mesh(
        *collider.surface(
            DistanceGrid(low=triple(low - spacing), high=triple(high + spacing), distances=outside)
        )
    )
