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

import numba
import numpy

WORLD = -1
"""Partner of a contact that nothing moves."""

_FAST = {"cache": True, "fastmath": False, "error_model": "numpy"}


@numba.njit(**_FAST)
def distance(grids, meta, shape, number, x, y, z, gradient):
    """Return the signed distance of grid `number` at a point in its own frame; its unit gradient goes into `gradient`.

    Parameters
    ----------
    grids
        All grids flat, one after the other, `[z, y, x]` each.
    meta
        `[grids, 6]`: low corner, then spacing, along x, y, z.
    shape
        `[grids, 4]`: where the grid begins, then its nodes along x, y, z.
    """
    start, nx, ny, nz = shape[number, 0], shape[number, 1], shape[number, 2], shape[number, 3]
    px = (x - meta[number, 0]) / meta[number, 3]
    py = (y - meta[number, 1]) / meta[number, 4]
    pz = (z - meta[number, 2]) / meta[number, 5]
    cx, cy, cz = min(max(px, 0.0), nx - 1.0), min(max(py, 0.0), ny - 1.0), min(max(pz, 0.0), nz - 1.0)
    ix, iy, iz = min(int(cx), nx - 2), min(int(cy), ny - 2), min(int(cz), nz - 2)
    fx, fy, fz = cx - ix, cy - iy, cz - iz
    at = start + (iz * ny + iy) * nx + ix
    value, gx, gy, gz = 0.0, 0.0, 0.0, 0.0
    for dz in range(2):
        wz = fz if dz else 1.0 - fz
        sz = 1.0 if dz else -1.0
        for dy in range(2):
            wy = fy if dy else 1.0 - fy
            sy = 1.0 if dy else -1.0
            for dx in range(2):
                wx = fx if dx else 1.0 - fx
                sx = 1.0 if dx else -1.0
                d = grids[at + (dz * ny + dy) * nx + dx]
                value += d * wx * wy * wz
                gx += d * sx * wy * wz
                gy += d * sy * wx * wz
                gz += d * sz * wx * wy
    gx, gy, gz = gx / meta[number, 3], gy / meta[number, 4], gz / meta[number, 5]
    length = max(numpy.sqrt(gx * gx + gy * gy + gz * gz), 1e-12)
    gradient[0], gradient[1], gradient[2] = gx / length, gy / length, gz / length
    ox, oy, oz = (px - cx) * meta[number, 3], (py - cy) * meta[number, 4], (pz - cz) * meta[number, 5]
    away = numpy.sqrt(ox * ox + oy * oy + oz * oz)
    # Beyond a solid border is solid too: what slips through a wall is brought back.
    return value + away if value > 0 else value - away


@numba.njit(**_FAST)
def distances(grids, meta, shape, number, points, values, normals):
    """Query many points `[n, 3]` of one grid; see `distance`."""
    gradient = numpy.zeros(3)
    for i in range(len(points)):
        values[i] = distance(grids, meta, shape, number, points[i, 0], points[i, 1], points[i, 2], gradient)
        normals[i] = gradient


@numba.njit(**_FAST)
def _rotate(q, v, out):
    """out = v turned by the quaternion q (w, x, y, z)."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    tx, ty, tz = 2 * (y * v[2] - z * v[1]), 2 * (z * v[0] - x * v[2]), 2 * (x * v[1] - y * v[0])
    out[0] = v[0] + w * tx + y * tz - z * ty
    out[1] = v[1] + w * ty + z * tx - x * tz
    out[2] = v[2] + w * tz + x * ty - y * tx


@numba.njit(**_FAST)
def _unrotate(q, v, out):
    conjugate = numpy.empty(4)
    conjugate[0], conjugate[1], conjugate[2], conjugate[3] = q[0], -q[1], -q[2], -q[3]
    _rotate(conjugate, v, out)


@numba.njit(**_FAST)
def _turn(q, x, y, z):
    """Turn q by the small rotation vector (x, y, z) and normalise."""
    w0, x0, y0, z0 = q[0], q[1], q[2], q[3]
    q[0] += 0.5 * (-x * x0 - y * y0 - z * z0)
    q[1] += 0.5 * (x * w0 + y * z0 - z * y0)
    q[2] += 0.5 * (y * w0 + z * x0 - x * z0)
    q[3] += 0.5 * (z * w0 + x * y0 - y * x0)
    q /= numpy.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])


@numba.njit(**_FAST)
def _spin(q, inverse, v, out):
    """out = I^-1 v in the world, where `inverse` is the diagonal of I^-1 in the body's principal frame."""
    local = numpy.empty(3)
    _unrotate(q, v, local)
    for k in range(3):
        local[k] *= inverse[k]
    _rotate(q, local, out)


@numba.njit(**_FAST)
def _mobility(q, inverse, weight, r, n):
    """Return 1/m + (r x n)^T I^-1 (r x n)."""
    if weight == 0.0:
        return 0.0
    arm, moved = numpy.empty(3), numpy.empty(3)
    _cross(r, n, arm)
    _spin(q, inverse, arm, moved)
    return weight + arm[0] * moved[0] + arm[1] * moved[1] + arm[2] * moved[2]


@numba.njit(**_FAST)
def _cross(a, b, out):
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]


@numba.njit(**_FAST)
def _push(position, q, inverse, weight, r, impulse):
    """Move a rigid body by a positional impulse at the arm r."""
    if weight == 0.0:
        return
    arm, turn = numpy.empty(3), numpy.empty(3)
    for k in range(3):
        position[k] += weight * impulse[k]
    _cross(r, impulse, arm)
    _spin(q, inverse, arm, turn)
    _turn(q, turn[0], turn[1], turn[2])


@numba.njit(**_FAST)
def _kick(velocity, omega, q, inverse, weight, r, impulse):
    """Change a rigid body's velocities by an impulse at the arm r."""
    if weight == 0.0:
        return
    arm, turn = numpy.empty(3), numpy.empty(3)
    for k in range(3):
        velocity[k] += weight * impulse[k]
    _cross(r, impulse, arm)
    _spin(q, inverse, arm, turn)
    for k in range(3):
        omega[k] += turn[k]


@numba.njit(**_FAST)
def substeps(
    count, h, gravity, damping, friction, restitution, margin,
    x, v, w,
    edges, rest, compliance,
    tetrahedra, volume, stiffness,
    position, rotation, velocity, omega, weight, inertia,
    points, owner,
    grids, meta, shape, grid_of,
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
    tetrahedra, volume, stiffness
        Volume constraints: `[t, 4]`, `[t]`, compliance `[t]`.
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
    centre = numpy.empty_like(position)
    a, b = numpy.empty(limit, numpy.int64), numpy.empty(limit, numpy.int64)  # who touches what; particles from bodies on
    normal, arm_a, arm_b = numpy.empty((limit, 3)), numpy.empty((limit, 3)), numpy.empty((limit, 3))
    approach, force = numpy.empty(limit), numpy.empty(limit)
    deepest = 0.0
    multiplier, pressure = numpy.zeros(len(edges)), numpy.zeros(len(tetrahedra))
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
                _gyrate(rotation[i], omega[i], inertia[i], h)
                for k in range(3):
                    velocity[i, k] = (velocity[i, k] + h * gravity[k]) * keep
                    omega[i, k] *= keep
                    position[i, k] += h * velocity[i, k]
                _turn(rotation[i], h * omega[i, 0], h * omega[i, 1], h * omega[i, 2])
        multiplier[:] = 0.0
        pressure[:] = 0.0
        _solve_edges(x, w, edges, rest, compliance, multiplier, h)
        _solve_volumes(x, w, tetrahedra, volume, stiffness, pressure, h)
        found, depth = _contacts(
            x, w, position, rotation, weight, inertia, points, owner, grids, meta, shape, grid_of, margin,
            a, b, normal, arm_a, arm_b, force, v, velocity, omega, approach, limit,
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
                _angular(turned[i], rotation[i], omega[i], h)
        _velocities(
            found, a, b, normal, arm_a, arm_b, force, approach, x, v, w, velocity, omega, rotation, weight, inertia,
            friction, restitution, h, gravity,
        )
    return deepest


@numba.njit(**_FAST)
def _gyrate(q, omega, inverse, h):
    """omega -= h I^-1 (omega x I omega): what keeps the angular momentum of a tumbling body."""
    local = numpy.empty(3)
    _unrotate(q, omega, local)
    i0, i1, i2 = 1.0 / inverse[0], 1.0 / inverse[1], 1.0 / inverse[2]
    # Two half steps of the midpoint rule: first order loses a percent in ten seconds.
    x, y, z = local[0], local[1], local[2]
    for _ in range(3):
        mx, my, mz = 0.5 * (x + local[0]), 0.5 * (y + local[1]), 0.5 * (z + local[2])
        x = local[0] - h * inverse[0] * (i2 - i1) * my * mz
        y = local[1] - h * inverse[1] * (i0 - i2) * mz * mx
        z = local[2] - h * inverse[2] * (i1 - i0) * mx * my
    local[0], local[1], local[2] = x, y, z
    _rotate(q, local, omega)


@numba.njit(**_FAST)
def _angular(before, after, omega, h):
    """omega = 2 (after * before^-1).xyz / h."""
    w0, x0, y0, z0 = before[0], -before[1], -before[2], -before[3]
    w1, x1, y1, z1 = after[0], after[1], after[2], after[3]
    w = w1 * w0 - x1 * x0 - y1 * y0 - z1 * z0
    sign = 2.0 / h if w >= 0 else -2.0 / h
    omega[0] = sign * (w1 * x0 + x1 * w0 + y1 * z0 - z1 * y0)
    omega[1] = sign * (w1 * y0 - x1 * z0 + y1 * w0 + z1 * x0)
    omega[2] = sign * (w1 * z0 + x1 * y0 - y1 * x0 + z1 * w0)


@numba.njit(**_FAST)
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


@numba.njit(**_FAST)
def _solve_volumes(x, w, tetrahedra, volume, stiffness, pressure, h):
    gradient = numpy.empty((4, 3))
    for t in range(len(tetrahedra)):
        i, j, k, m = tetrahedra[t, 0], tetrahedra[t, 1], tetrahedra[t, 2], tetrahedra[t, 3]
        _cross(x[k] - x[i], x[m] - x[i], gradient[1])
        _cross(x[m] - x[i], x[j] - x[i], gradient[2])
        _cross(x[j] - x[i], x[k] - x[i], gradient[3])
        now = 0.0
        for c in range(3):
            gradient[0, c] = -gradient[1, c] - gradient[2, c] - gradient[3, c]
            now += (x[j, c] - x[i, c]) * gradient[1, c] / 6.0
        total = 0.0
        for n in range(4):
            total += w[tetrahedra[t, n]] * (gradient[n] ** 2).sum() / 36.0
        if total < 1e-18:
            continue
        alpha = stiffness[t] / (h * h)
        change = (-(now - volume[t]) - alpha * pressure[t]) / (total + alpha)
        pressure[t] += change
        for n in range(4):
            for c in range(3):
                x[tetrahedra[t, n], c] += w[tetrahedra[t, n]] * change * gradient[n, c] / 6.0


@numba.njit(**_FAST)
def _contacts(
    x, w, position, rotation, weight, inertia, points, owner, grids, meta, shape, grid_of, margin,
    a, b, normal, arm_a, arm_b, force, v, velocity, omega, approach, limit,
):
    """Find contacts of points with grids and resolve each at once; return how many, and the deepest."""
    particles, bodies = len(x), len(position)
    found, deepest = 0, 0.0
    local, world, gradient = numpy.zeros(3), numpy.zeros(3), numpy.zeros(3)
    n, r, s, impulse = numpy.zeros(3), numpy.zeros(3), numpy.zeros(3), numpy.zeros(3)
    for index in range(particles + len(points)):
        loose = index < particles
        mine = -1 if loose else owner[index - particles]
        if loose and w[index] == 0.0:
            continue
        for other in range(bodies + 1):
            grid = grid_of[other]
            if grid < 0 or other == mine:
                continue
            if not loose and weight[mine] == 0.0 and (other == bodies or weight[other] == 0.0):
                continue
            if loose:
                for k in range(3):
                    world[k] = x[index, k]
                    r[k] = 0.0
            else:
                _rotate(rotation[mine], points[index - particles], r)
                for k in range(3):
                    world[k] = position[mine, k] + r[k]
            if other == bodies:
                d = distance(grids, meta, shape, grid, world[0], world[1], world[2], n)
                for k in range(3):
                    s[k] = 0.0
            else:
                for k in range(3):
                    s[k] = world[k] - position[other, k]
                _unrotate(rotation[other], s, local)
                if _outside(meta, shape, grid, local, margin):
                    continue
                d = distance(grids, meta, shape, grid, local[0], local[1], local[2], gradient)
                _rotate(rotation[other], gradient, n)
            apart = margin if loose else 0.0
            if d >= apart or found >= limit:
                continue
            deepest = max(deepest, -d)
            first = w[index] if loose else _mobility(rotation[mine], inertia[mine], weight[mine], r, n)
            second = 0.0
            if other < bodies:
                second = _mobility(rotation[other], inertia[other], weight[other], s, n)
            if first + second == 0.0:
                continue
            # The speed at which they meet, before anything is corrected: what restitution gives back.
            speed = 0.0
            for k in range(3):
                mine_k = v[index, k] if loose else velocity[mine, k] + _swing(omega[mine], r, k)
                other_k = velocity[other, k] + _swing(omega[other], s, k) if other < bodies else 0.0
                speed += (mine_k - other_k) * n[k]
            size = (apart - d) / (first + second)
            for k in range(3):
                impulse[k] = size * n[k]
            if loose:
                for k in range(3):
                    x[index, k] += w[index] * impulse[k]
            else:
                _push(position[mine], rotation[mine], inertia[mine], weight[mine], r, impulse)
            if other < bodies:
                for k in range(3):
                    impulse[k] = -impulse[k]
                _push(position[other], rotation[other], inertia[other], weight[other], s, impulse)
            a[found] = bodies + index if loose else mine
            b[found] = other if other < bodies else -1
            for k in range(3):
                normal[found, k], arm_a[found, k], arm_b[found, k] = n[k], r[k], s[k]
            force[found], approach[found] = size, speed
            found += 1
    return found, deepest


@numba.njit(**_FAST)
def _outside(meta, shape, grid, local, margin):
    for k in range(3):
        high = meta[grid, k] + meta[grid, 3 + k] * (shape[grid, 1 + k] - 1)
        if local[k] < meta[grid, k] - margin or local[k] > high + margin:
            return True
    return False


@numba.njit(**_FAST)
def _swing(omega, r, k):
    """Return component k of omega x r."""
    i, j = (k + 1) % 3, (k + 2) % 3
    return omega[i] * r[j] - omega[j] * r[i]


@numba.njit(**_FAST)
def _velocities(
    found, a, b, normal, arm_a, arm_b, force, approach, x, v, w, velocity, omega, rotation, weight, inertia,
    friction, restitution, h, gravity,
):
    """Friction and restitution, contact by contact."""
    bodies = len(velocity)
    relative, impulse = numpy.empty(3), numpy.empty(3)
    still = 2.0 * h * numpy.sqrt((gravity**2).sum())
    for c in range(found):
        n, r, s = normal[c], arm_a[c], arm_b[c]
        loose, other = a[c] >= bodies, b[c]
        index = a[c] - bodies if loose else a[c]
        along = 0.0
        for k in range(3):
            mine_k = v[index, k] if loose else velocity[index, k] + _swing(omega[index], r, k)
            other_k = velocity[other, k] + _swing(omega[other], s, k) if other >= 0 else 0.0
            relative[k] = mine_k - other_k
            along += relative[k] * n[k]
        across = 0.0
        for k in range(3):
            across += (relative[k] - along * n[k]) ** 2
        across = numpy.sqrt(across)
        # Coulomb: the friction impulse is at most mu times the normal one, force / h.
        first = w[index] if loose else weight[index]
        second = weight[other] if other >= 0 else 0.0
        slow = 0.0
        if across > 1e-12:
            slow = min(friction * force[c] / h * (first + second), across) / across
        # A body that only lies there is not thrown back.
        back = -restitution * approach[c] if approach[c] < -still else 0.0
        for k in range(3):
            wanted = (max(back, 0.0) - along) * n[k] - slow * (relative[k] - along * n[k])
            relative[k] = wanted
        size = numpy.sqrt((relative**2).sum())
        if size < 1e-15:
            continue
        direction = relative / size
        if not loose:
            first = _mobility(rotation[index], inertia[index], weight[index], r, direction)
        if other >= 0:
            second = _mobility(rotation[other], inertia[other], weight[other], s, direction)
        for k in range(3):
            impulse[k] = direction[k] * size / (first + second)
        if loose:
            for k in range(3):
                v[index, k] += w[index] * impulse[k]
        else:
            _kick(velocity[index], omega[index], rotation[index], inertia[index], weight[index], r, impulse)
        if other >= 0:
            for k in range(3):
                impulse[k] = -impulse[k]
            _kick(velocity[other], omega[other], rotation[other], inertia[other], weight[other], s, impulse)
