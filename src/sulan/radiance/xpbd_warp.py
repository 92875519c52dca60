"""The solver's particles in Warp, for a CUDA card: cloth and soft bodies on one distance grid that nothing moves.

The same steps in float64 as `xpbd.substeps`, which says what they are. Constraints go colour by colour (`coloured`),
and a particle's contact with the world is its own affair, so that all of a kernel may run at once and still give what
the sequential solver gives. Not covered: rigid bodies and the field's pieces, whose contacts wait for each other.
"""

import itertools
from typing import Any

import numpy
import warp
from numpy.typing import NDArray

# Its greeting would stand among results.
warp.config.log_level = warp.LOG_ERROR

Array = NDArray[numpy.float64]
Vectors, Numbers = warp.array(dtype=warp.vec3d), warp.array(dtype=warp.float64)
Pairs, Fours = warp.array(dtype=warp.vec2i), warp.array(dtype=warp.vec4i)


@warp.struct
class World:
    """A distance grid: flat `[z, y, x]`, nodes, low corner, nodes a unit of length."""

    distances: Numbers
    nodes: warp.vec3i
    low: warp.vec3d
    rate: warp.vec3d


@warp.kernel
def _predict(
    h: warp.float64,
    gravity: warp.vec3d,
    keep: warp.float64,
    w: Numbers,
    x: Vectors,
    v: Vectors,
    before: Vectors,
):
    i = warp.tid()
    before[i] = x[i]
    if w[i] > warp.float64(0.0):
        v[i] = (v[i] + gravity * h) * keep
        x[i] = x[i] + v[i] * h


@warp.kernel
def _edges(
    first: int,
    h: warp.float64,
    w: Numbers,
    edges: Pairs,
    rest: Numbers,
    compliance: Numbers,
    multiplier: Numbers,
    x: Vectors,
):
    e = first + warp.tid()
    i = edges[e][0]
    j = edges[e][1]
    total = w[i] + w[j]
    apart = x[i] - x[j]
    length = warp.length(apart)
    if total > warp.float64(0.0) and length >= warp.float64(1e-12):
        alpha = compliance[e] / (h * h)
        change = (rest[e] - length - alpha * multiplier[e]) / (total + alpha)
        multiplier[e] = multiplier[e] + change
        x[i] = x[i] + apart * (w[i] * change / length)
        x[j] = x[j] - apart * (w[j] * change / length)


@warp.kernel
def _volumes(first: int, w: Numbers, tetrahedra: Fours, volume: Numbers, x: Vectors):
    t = first + warp.tid()
    i = tetrahedra[t][0]
    j = tetrahedra[t][1]
    k = tetrahedra[t][2]
    m = tetrahedra[t][3]
    of_j = warp.cross(x[k] - x[i], x[m] - x[i])
    of_k = warp.cross(x[m] - x[i], x[j] - x[i])
    of_m = warp.cross(x[j] - x[i], x[k] - x[i])
    of_i = -(of_j + of_k + of_m)
    now = warp.dot(x[j] - x[i], of_j) / warp.float64(6.0)
    total = (
        w[i] * warp.dot(of_i, of_i)
        + w[j] * warp.dot(of_j, of_j)
        + w[k] * warp.dot(of_k, of_k)
        + w[m] * warp.dot(of_m, of_m)
    ) / warp.float64(36.0)
    if total >= warp.float64(1e-18):
        change = (volume[t] - now) / total / warp.float64(6.0)
        x[i] = x[i] + of_i * (w[i] * change)
        x[j] = x[j] + of_j * (w[j] * change)
        x[k] = x[k] + of_k * (w[k] * change)
        x[m] = x[m] + of_m * (w[m] * change)


@warp.func
def _distance(world: World, at: warp.vec3d):
    """Distance and unit gradient in one; see `distances.interpolated`."""
    place = warp.cw_mul(at - world.low, world.rate)
    last = warp.vec3d(
        warp.float64(world.nodes[0] - 1), warp.float64(world.nodes[1] - 1), warp.float64(world.nodes[2] - 1)
    )
    inside = warp.min(warp.max(place, warp.vec3d()), last)
    ix = warp.min(int(inside[0]), world.nodes[0] - 2)
    iy = warp.min(int(inside[1]), world.nodes[1] - 2)
    iz = warp.min(int(inside[2]), world.nodes[2] - 2)
    fx = inside[0] - warp.float64(ix)
    fy = inside[1] - warp.float64(iy)
    fz = inside[2] - warp.float64(iz)
    row = world.nodes[0]
    layer = row * world.nodes[1]
    first = iz * layer + iy * row + ix
    grid = world.distances
    d000 = grid[first]
    d010 = grid[first + row]
    d100 = grid[first + layer]
    d110 = grid[first + layer + row]
    x00 = grid[first + 1] - d000
    x01 = grid[first + row + 1] - d010
    x10 = grid[first + layer + 1] - d100
    x11 = grid[first + layer + row + 1] - d110
    e00 = d000 + fx * x00
    e10 = d100 + fx * x10
    y0 = d010 + fx * x01 - e00
    y1 = d110 + fx * x11 - e10
    below = e00 + fy * y0
    up = e10 + fy * y1 - below
    value = below + fz * up
    slope = x00 + fy * (x01 - x00)
    gradient = warp.cw_mul(
        warp.vec3d(slope + fz * (x10 + fy * (x11 - x10) - slope), y0 + fz * (y1 - y0), up), world.rate
    )
    away = warp.length(warp.cw_div(place - inside, world.rate))
    if value > warp.float64(0.0):
        value = value + away
    else:
        value = value - away
    normal = gradient / warp.max(warp.length(gradient), warp.float64(1e-12))
    return warp.vec4d(normal[0], normal[1], normal[2], value)


@warp.kernel
def _finish(
    h: warp.float64,
    margin: warp.float64,
    friction: warp.float64,
    restitution: warp.float64,
    still: warp.float64,
    world: World,
    w: Numbers,
    before: Vectors,
    x: Vectors,
    v: Vectors,
    deepest: Numbers,
):
    i = warp.tid()
    if w[i] > warp.float64(0.0):
        found = _distance(world, x[i])
        normal = warp.vec3d(found[0], found[1], found[2])
        out = margin - found[3]
        touches = out > warp.float64(0.0)
        approach = warp.dot(v[i], normal)
        if touches:
            deepest[i] = warp.max(deepest[i], -found[3])
            x[i] = x[i] + normal * out
        now = (x[i] - before[i]) / h
        if touches:
            along = warp.dot(now, normal)
            side = now - normal * along
            across = warp.length(side)
            slow = warp.float64(0.0)
            if across > warp.float64(1e-12):
                slow = warp.min(friction * out / h, across) / across
            back = warp.float64(0.0)
            if approach < -still:
                back = -restitution * approach
            now = now + normal * (warp.max(back, warp.float64(0.0)) - along) - side * slow
        v[i] = now


class Particles:
    """A simulator's particles and constraints on a device, between frames.

    Parameters
    ----------
    device
        Warp's name of it: `cuda` or `cpu`.
    world
        Flat distances `[n]`, nodes along x, y, z, low corner and spacing; None: empty space.
    w
        Inverse masses `[n]`.
    edges, rest, compliance, edge_colours
        Distance constraints in the order of `coloured`, and where each colour begins.
    tetrahedra, volume, tetrahedron_colours
        Volume constraints likewise.
    """

    def __init__(
        self,
        *,
        device: str,
        world: tuple[Array, Any, Any, Any] | None,
        w: Array,
        edges: NDArray[numpy.int64],
        rest: Array,
        compliance: Array,
        edge_colours: NDArray[numpy.int64],
        tetrahedra: NDArray[numpy.int64],
        volume: Array,
        tetrahedron_colours: NDArray[numpy.int64],
    ) -> None:
        self.device = device
        self._world = World()
        # Empty space is a grid that is far from everything.
        distances, nodes, low, spacing = world or (numpy.full(8, 1e30), (2, 2, 2), (0, 0, 0), (1, 1, 1))
        self._world.distances = self._numbers(distances)
        self._world.nodes = warp.vec3i(*map(int, nodes))
        self._world.low = warp.vec3d(*map(float, low))
        self._world.rate = warp.vec3d(*(1.0 / float(each) for each in spacing))
        self._w, self._rest, self._volume = self._numbers(w), self._numbers(rest), self._numbers(volume)
        self._compliance = self._numbers(compliance)
        self._edges = warp.array(edges.astype(numpy.int32), dtype=warp.vec2i, device=device)
        self._tetrahedra = warp.array(tetrahedra.astype(numpy.int32), dtype=warp.vec4i, device=device)
        self._edge_colours = edge_colours.tolist()
        self._tetrahedron_colours = tetrahedron_colours.tolist()
        self._multiplier, self._deepest = self._numbers(0 * rest), self._numbers(0 * w)
        self._before = self._vectors(numpy.zeros((len(w), 3)))

    def _numbers(self, values: Array) -> Any:
        return warp.array(numpy.ascontiguousarray(values), dtype=warp.float64, device=self.device)

    def _vectors(self, values: Array) -> Any:
        return warp.array(numpy.ascontiguousarray(values), dtype=warp.vec3d, device=self.device)

    def substeps(
        self,
        count: int,
        h: float,
        *,
        gravity: Array,
        damping: float,
        friction: float,
        restitution: float,
        margin: float,
        x: Array,
        v: Array,
    ) -> float:
        """Advance positions and velocities `[n, 3]` in place; return the deepest penetration. See `xpbd.substeps`."""
        xs, vs = self._vectors(x), self._vectors(v)
        pull, keep = warp.vec3d(*map(float, gravity)), max(0.0, 1.0 - damping * h)
        still = 2.0 * h * float(numpy.linalg.norm(gravity))
        self._deepest.zero_()
        for _ in range(count):
            self._multiplier.zero_()
            self._launch(_predict, len(x), [h, pull, keep, self._w, xs, vs, self._before])
            for first, end in itertools.pairwise(self._edge_colours):
                constants = [self._w, self._edges, self._rest, self._compliance]
                self._launch(_edges, end - first, [first, h, *constants, self._multiplier, xs])
            for first, end in itertools.pairwise(self._tetrahedron_colours):
                self._launch(_volumes, end - first, [first, self._w, self._tetrahedra, self._volume, xs])
            contact = [h, margin, friction, restitution, still, self._world]
            self._launch(_finish, len(x), [*contact, self._w, self._before, xs, vs, self._deepest])
        x[:], v[:] = xs.numpy(), vs.numpy()
        return float(self._deepest.numpy().max(initial=0.0))

    def _launch(self, kernel: Any, count: int, inputs: list[Any]) -> None:
        warp.launch(kernel, dim=count, inputs=inputs, device=self.device)


def has_card() -> bool:
    """Tell whether Warp can use a CUDA card."""
    return bool(warp.is_cuda_available())
