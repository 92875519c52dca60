"""Extended position-based dynamics in numba: particles (cloth, soft bodies), rigid bodies and distance grids, two-way.

One substep of length h (Macklin et al. 2016; for rigid bodies Mueller et al. 2020):

    predict       v += h g,   x += h v;                       q += h/2 (omega, 0) q
    constraints   dlambda = (-C - alpha lambda) / (sum_i w_i |grad_i C|^2 + alpha / h^2),   dx_i = w_i grad_i C dlambda
    contacts      a point with d(p) < margin is pushed out along the gradient; what it lies in is pushed the other way,
                  both by their generalised inverse masses w = 1/m + (r x n)^T I^-1 (r x n)
    velocities    v = (x - x_before) / h;  then friction and restitution change v along and across the normal

Both partners of a contact get opposite impulses, so momentum is kept whatever the order. Everything is sequential and
in float64: the same input gives the same bits. Not covered: cloth against itself, contacts between two cloths.
"""

import numpy

from sulan.radiance.contacts import contacts, velocities
from sulan.radiance.rigid import angular, compiled, cross, tumble


@compiled
def substeps(
    count,
    h,
    gravity,
    damping,
    friction,
    restitution,
    margin,
    x,
    v,
    w,
    edges,
    rest,
    compliance,
    tetrahedra,
    volume,
    position,
    rotation,
    velocity,
    omega,
    weight,
    inertia,
    points,
    owner,
    grids,
    meta,
    shape,
    grid_of,
    limit,
):
    """Advance everything by `count` substeps of `h` seconds, in place; return the deepest penetration met.

    Parameters
    ----------
    gravity
        `[3]`.
    damping
        Share of the velocity lost a second.
    friction, restitution
        Coulomb's coefficient, and the share of the normal velocity that comes back.
    margin
        Distance that particles keep from surfaces.
    x, v, w
        Particles: positions, velocities `[n, 3]`, inverse masses `[n]`.
    edges, rest, compliance
        Distance constraints: `[m, 2]`, `[m]`, `[m]` (0: rigid, in m/N).
    tetrahedra, volume
        Volume constraints, without compliance: `[t, 4]`, `[t]`.
    position, rotation, velocity, omega, weight, inertia
        Rigid bodies: centres `[b, 3]`, quaternions `[b, 4]` of their principal frames, velocities, inverse masses
        `[b]`, inverse principal inertias `[b, 3]`.
    points, owner
        Surface points of the rigid bodies in their frames `[p, 3]`, and whose they are `[p]`.
    grids, meta, shape, grid_of
        Distance grids (see `distance`); `grid_of[b]` is the grid of body b, `grid_of[bodies]` the world's, -1: none.
    limit
        Most contacts a substep.
    """
    particles, bodies = len(x), len(position)
    before, turned = numpy.empty_like(x), numpy.empty_like(rotation)
    centre, drift = numpy.empty_like(position), numpy.zeros_like(position)
    a, b = (
        numpy.empty(limit, numpy.int64),
        numpy.empty(limit, numpy.int64),
    )  # who touches what; particles from bodies on
    normal, arm_a, arm_b = numpy.empty((limit, 3)), numpy.empty((limit, 3)), numpy.empty((limit, 3))
    approach, force = numpy.empty(limit), numpy.empty(limit)
    deepest = 0.0
    multiplier = numpy.zeros(len(edges))
    keep = max(0.0, 1.0 - damping * h)
    for _ in range(count):
        for i in range(particles):
            for k in range(3):
                before[i, k] = x[i, k]
                if w[i] > 0.0:
                    v[i, k] = (v[i, k] + h * gravity[k]) * keep
                    x[i, k] += h * v[i, k]
        for i in range(bodies):
            centre[i], turned[i] = position[i], rotation[i]
            if weight[i] > 0.0:
                for k in range(3):
                    velocity[i, k] = (velocity[i, k] + h * gravity[k]) * keep
                    omega[i, k] *= keep
                    position[i, k] += h * velocity[i, k]
                tumble(rotation[i], omega[i], inertia[i], h, drift[i])
        multiplier[:] = 0.0
        _solve_edges(x, w, edges, rest, compliance, multiplier, h)
        _solve_volumes(x, w, tetrahedra, volume)
        found, depth = contacts(
            x,
            w,
            position,
            rotation,
            weight,
            inertia,
            points,
            owner,
            grids,
            meta,
            shape,
            grid_of,
            margin,
            a,
            b,
            normal,
            arm_a,
            arm_b,
            force,
            v,
            velocity,
            omega,
            approach,
            limit,
        )
        deepest = max(deepest, depth)
        for i in range(particles):
            if w[i] > 0.0:
                for k in range(3):
                    v[i, k] = (x[i, k] - before[i, k]) / h
        for i in range(bodies):
            if weight[i] > 0.0:
                for k in range(3):
                    velocity[i, k] = (position[i, k] - centre[i, k]) / h
                angular(turned[i], rotation[i], omega[i], h)
                omega[i] += drift[i]
        velocities(
            found,
            a,
            b,
            normal,
            arm_a,
            arm_b,
            force,
            approach,
            x,
            v,
            w,
            velocity,
            omega,
            rotation,
            weight,
            inertia,
            friction,
            restitution,
            h,
            gravity,
        )
    return deepest


@compiled
def _solve_edges(x, w, edges, rest, compliance, multiplier, h):
    for e in range(len(edges)):
        i, j = edges[e, 0], edges[e, 1]
        total = w[i] + w[j]
        if total == 0.0:
            continue
        dx, dy, dz = x[i, 0] - x[j, 0], x[i, 1] - x[j, 1], x[i, 2] - x[j, 2]
        length = numpy.sqrt(dx * dx + dy * dy + dz * dz)
        if length < 1e-12:
            continue
        alpha = compliance[e] / (h * h)
        change = (-(length - rest[e]) - alpha * multiplier[e]) / (total + alpha)
        multiplier[e] += change
        s = change / length
        x[i, 0] += w[i] * s * dx
        x[i, 1] += w[i] * s * dy
        x[i, 2] += w[i] * s * dz
        x[j, 0] -= w[j] * s * dx
        x[j, 1] -= w[j] * s * dy
        x[j, 2] -= w[j] * s * dz


@compiled
def _solve_volumes(x, w, tetrahedra, volume):
    gradient = numpy.empty((4, 3))
    for t in range(len(tetrahedra)):
        i, j, k, m = tetrahedra[t, 0], tetrahedra[t, 1], tetrahedra[t, 2], tetrahedra[t, 3]
        cross(x[k] - x[i], x[m] - x[i], gradient[1])
        cross(x[m] - x[i], x[j] - x[i], gradient[2])
        cross(x[j] - x[i], x[k] - x[i], gradient[3])
        now = 0.0
        for c in range(3):
            gradient[0, c] = -gradient[1, c] - gradient[2, c] - gradient[3, c]
            now += (x[j, c] - x[i, c]) * gradient[1, c] / 6.0
        total = 0.0
        for n in range(4):
            total += w[tetrahedra[t, n]] * (gradient[n] ** 2).sum() / 36.0
        if total < 1e-18:
            continue
        change = (volume[t] - now) / total
        for n in range(4):
            for c in range(3):
                x[tetrahedra[t, n], c] += w[tetrahedra[t, n]] * change * gradient[n, c] / 6.0
