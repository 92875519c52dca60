"""The solver's state between frames: bodies in, frames out, with what is conserved."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy
from numpy.typing import NDArray

from sulan.errors import InputError, MissingExtra
from sulan.radiance import backend, coordinates, xpbd
from sulan.radiance.bodies import Loose, Rigid
from sulan.radiance.collider import DistanceGrid
from sulan.radiance.coloured import coloured
from sulan.radiance.settings import SimulateSettings

if TYPE_CHECKING:
    from sulan.radiance.newton_engine import Bodies
    from sulan.radiance.xpbd_warp import Particles

Array = NDArray[numpy.float64]

MOST_CONTACTS = 65_536


@dataclass(frozen=True, kw_only=True)
class State:
    """What a frame left: for reports and tests.

    Attributes
    ----------
    momentum, spin
        Linear and angular (about the origin) momentum of everything that moves, `[3]`.
    energy
        Kinetic plus potential.
    speed
        Largest speed of a particle or centre.
    penetration
        Deepest that anything was in anything during the frame, world units; 0 where nothing was.
    """

    momentum: Array
    spin: Array
    energy: float
    speed: float
    penetration: float


class Simulator:
    """Bodies in a world of signed distances.

    Parameters
    ----------
    world
        What nothing moves; None: empty space.
    rigids, looses
        The bodies.
    settings
        See `SimulateSettings`.

    Raises
    ------
    InputError
        Warp is asked for and something rigid is in the scene; or Newton, and restitution of cloth or soft bodies.
    MissingExtra
        Warp or Newton is asked for and not installed.
    """

    def __init__(
        self,
        world: DistanceGrid | None,
        rigids: Sequence[Rigid],
        looses: Sequence[Loose],
        *,
        settings: SimulateSettings,
    ) -> None:
        self.settings, self.rigids, self.looses = settings, list(rigids), list(looses)
        grids = [body.grid for body in self.rigids] + ([world] if world is not None else [])
        self._grids, self._meta, self._shape = packed(grids)
        self._grid_of = numpy.asarray(
            [*range(len(self.rigids)), len(self.rigids) if world is not None else -1], dtype=numpy.int64
        )
        voxel = world.voxel if world is not None else min((g.voxel for g in grids), default=0.0)
        self.margin = settings.margin * voxel
        self._bodies()
        self._particles()
        self._gravity = numpy.asarray([0.0, 0.0, settings.gravity])
        self._on_device = self._particles_on_device(world)
        self._in_newton = self._bodies_in_newton(world) if settings.engine == "newton" else None

    def _bodies_in_newton(self, world: DistanceGrid | None) -> "Bodies":
        """Return everything in Newton."""
        if importlib.util.find_spec("newton") is None:
            raise MissingExtra("newton", extra="newton")
        if self.looses and self.settings.restitution > 0:
            raise InputError(
                "Newton gives no speed back where there is cloth or a soft body, and settings.restitution is"
                f" {self.settings.restitution}",
                hint="leave settings.engine out: numba does",
            )
        from sulan.radiance import xpbd_warp

        device = (
            "cuda" if xpbd_warp.has_card() else "cpu"
        )  # asked first: Newton would wake Warp with a greeting
        from sulan.radiance import newton_engine

        return newton_engine.Bodies(
            device=device,
            world=world,
            rigids=self.rigids,
            looses=self.looses,
            packed=(self._grids, self._meta, self._shape),
            margin=self.margin,
            settings=self.settings,
        )

    def _particles_on_device(self, world: DistanceGrid | None) -> "Particles | None":
        """Return the particles in Warp, or None where the solver is another."""
        engine = self.settings.engine
        if engine in ("numba", "newton"):
            return None
        installed = importlib.util.find_spec("warp") is not None
        if engine == "auto" and (self.rigids or not self.looses or not installed or not backend.has_driver()):
            return None
        if not installed:
            raise MissingExtra("warp-lang", extra="warp")
        if self.rigids:
            raise InputError(
                "Warp moves cloth and soft bodies alone, and this scene has something rigid or fixed",
                hint="leave settings.engine out: numba moves everything",
            )
        from sulan.radiance import xpbd_warp

        if engine == "auto" and not xpbd_warp.has_card():
            return None
        return xpbd_warp.Particles(
            device="cuda" if xpbd_warp.has_card() else "cpu",
            world=None
            if world is None
            else (self._grids, self._shape[0, 1:], self._meta[0, :3], self._meta[0, 3:]),
            w=self._w,
            edges=self._edges,
            rest=self._rest,
            compliance=self._compliance,
            edge_colours=self._edge_colours,
            tetrahedra=self._tetrahedra,
            volume=self._volume,
            tetrahedron_colours=self._tetrahedron_colours,
        )

    def _bodies(self) -> None:
        bodies = self.rigids
        self.position = numpy.asarray([body.centre for body in bodies], dtype=numpy.float64).reshape(-1, 3)
        self.rotation = numpy.asarray([body.rotation for body in bodies], dtype=numpy.float64).reshape(-1, 4)
        self.velocity = numpy.asarray([body.velocity for body in bodies], dtype=numpy.float64).reshape(-1, 3)
        self.omega = numpy.zeros_like(self.velocity)
        mass = numpy.asarray([body.mass for body in bodies], dtype=numpy.float64)
        self._weight = numpy.where(mass > 0, 1 / numpy.maximum(mass, 1e-300), 0.0)
        inertia = numpy.asarray([body.inertia for body in bodies], dtype=numpy.float64).reshape(-1, 3)
        self._inertia = numpy.where(self._weight[:, None] > 0, 1 / numpy.maximum(inertia, 1e-300), 0.0)
        self._points = numpy.concatenate([numpy.zeros((0, 3)), *(body.points for body in bodies)])
        self._owner = numpy.repeat(numpy.arange(len(bodies)), [len(body.points) for body in bodies])

    def _particles(self) -> None:
        starts = numpy.cumsum([0, *(len(loose.positions) for loose in self.looses)])
        self._starts = starts
        empty = numpy.zeros((0, 3))
        self.x = numpy.concatenate([empty, *(loose.positions for loose in self.looses)])
        self.v = numpy.concatenate(
            [empty, *(numpy.broadcast_to(loose.velocity, loose.positions.shape) for loose in self.looses)]
        ).copy()
        masses = numpy.concatenate([numpy.zeros(0), *(loose.masses for loose in self.looses)])
        self._w = numpy.where(masses > 0, 1 / numpy.maximum(masses, 1e-300), 0.0)
        parts = list(zip(starts, self.looses, strict=False))
        self._edges = numpy.concatenate(
            [numpy.zeros((0, 2), numpy.int64), *(loose.edges + start for start, loose in parts)]
        )
        compliance = numpy.concatenate([numpy.zeros(0), *(loose.compliance for loose in self.looses)])
        order, self._edge_colours = coloured(self._edges)
        self._edges, self._compliance = self._edges[order], compliance[order]
        ends = self.x[self._edges]
        self._rest = numpy.linalg.norm(ends[:, 0] - ends[:, 1], axis=1) if len(ends) else numpy.zeros(0)
        self._tetrahedra = numpy.concatenate(
            [numpy.zeros((0, 4), numpy.int64), *(loose.tetrahedra + start for start, loose in parts)]
        )
        order, self._tetrahedron_colours = coloured(self._tetrahedra)
        self._tetrahedra = self._tetrahedra[order]
        corners = self.x[self._tetrahedra]
        self._volume = (
            numpy.einsum(
                "ij,ij->i",
                corners[:, 1] - corners[:, 0],
                numpy.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 0]),
            )
            / 6
        )

    def advance(self, seconds: float) -> State:
        """Move everything by one frame of `seconds`.

        Raises
        ------
        InputError
            Something left all bounds: the settings are unstable.
        """
        deepest = self._substeps(seconds / self.settings.substeps)
        if not (numpy.isfinite(self.x).all() and numpy.isfinite(self.position).all()):
            raise InputError(
                "the simulation left all bounds", hint="more settings.substeps, or softer settings.stretch"
            )
        return self.state(penetration=float(deepest))

    def _substeps(self, h: float) -> float:
        settings = self.settings
        if self._in_newton is not None:
            return self._in_newton.substeps(
                settings.substeps,
                h,
                x=self.x,
                v=self.v,
                position=self.position,
                rotation=self.rotation,
                velocity=self.velocity,
                omega=self.omega,
            )
        if self._on_device is not None:
            return self._on_device.substeps(
                settings.substeps,
                h,
                gravity=self._gravity,
                damping=settings.damping,
                friction=settings.friction,
                restitution=settings.restitution,
                margin=self.margin,
                x=self.x,
                v=self.v,
            )
        return xpbd.substeps(
            settings.substeps,
            h,
            self._gravity,
            settings.damping,
            settings.friction,
            settings.restitution,
            self.margin,
            self.x,
            self.v,
            self._w,
            self._edges,
            self._rest,
            self._compliance,
            self._tetrahedra,
            self._volume,
            self.position,
            self.rotation,
            self.velocity,
            self.omega,
            self._weight,
            self._inertia,
            self._points,
            self._owner,
            self._grids,
            self._meta,
            self._shape,
            self._grid_of,
            MOST_CONTACTS,
        )

    def state(self, *, penetration: float = 0.0) -> State:
        """Return what is conserved, now."""
        masses = numpy.where(self._w > 0, 1 / numpy.maximum(self._w, 1e-300), 0.0)
        heavy = numpy.where(self._weight > 0, 1 / numpy.maximum(self._weight, 1e-300), 0.0)
        moments = numpy.where(self._inertia > 0, 1 / numpy.maximum(self._inertia, 1e-300), 0.0)
        momentum = (masses[:, None] * self.v).sum(axis=0) + (heavy[:, None] * self.velocity).sum(axis=0)
        spin = (masses[:, None] * numpy.cross(self.x, self.v)).sum(axis=0)
        spin = spin + (heavy[:, None] * numpy.cross(self.position, self.velocity)).sum(axis=0)
        kinetic = 0.5 * float(
            (masses * (self.v**2).sum(axis=1)).sum() + (heavy * (self.velocity**2).sum(axis=1)).sum()
        )
        for number, body in enumerate(self.rigids):
            if body.mass > 0:
                turn = coordinates.rotation(self.rotation[number])
                local = turn.T @ self.omega[number]
                spin = spin + turn @ (moments[number] * local)
                kinetic += 0.5 * float((moments[number] * local**2).sum())
        potential = -self.settings.gravity * float(
            (masses * self.x[:, 2]).sum() + (heavy * self.position[:, 2]).sum()
        )
        speeds = [*numpy.linalg.norm(self.v, axis=1)]
        speeds += [*numpy.linalg.norm(self.velocity[self._weight > 0], axis=1)]
        return State(
            momentum=momentum,
            spin=spin,
            energy=kinetic + potential,
            speed=float(max(speeds, default=0.0)),
            penetration=penetration,
        )

    def pose(self, number: int) -> Array:
        """Return where rigid body `number` has taken its mesh: mesh-to-world, `[4, 4]`."""
        body = self.rigids[number]
        start, now = numpy.eye(4), numpy.eye(4)
        start[:3, :3], start[:3, 3] = coordinates.rotation(body.rotation), body.centre
        now[:3, :3], now[:3, 3] = coordinates.rotation(self.rotation[number]), self.position[number]
        return now @ coordinates.inverted(start) @ body.pose

    def vertices(self, number: int) -> Array:
        """Return the vertices of loose body `number`, world, `[n, 3]`."""
        return self.looses[number].skin(self.x[self._starts[number] : self._starts[number + 1]])


def packed(grids: Sequence[DistanceGrid]) -> tuple[NDArray[numpy.float64], Array, NDArray[numpy.int64]]:
    """Return grids as `xpbd.distance` reads them."""
    flat = [numpy.zeros(0)] + [grid.distances.astype(numpy.float64).ravel() for grid in grids]
    meta, shape, start = numpy.zeros((len(grids), 6)), numpy.zeros((len(grids), 4), numpy.int64), 0
    for number, grid in enumerate(grids):
        counts = numpy.asarray(grid.distances.shape[::-1])
        meta[number, :3] = grid.low
        meta[number, 3:] = (numpy.asarray(grid.high) - numpy.asarray(grid.low)) / (counts - 1)
        shape[number] = [start, *counts]
        start += int(counts.prod())
    return numpy.concatenate(flat), meta, shape
