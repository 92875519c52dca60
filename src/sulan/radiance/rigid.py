"""Small rotations and rigid bodies in numba: what the solver does to one body at a time.

Quaternions are (w, x, y, z). Vectors are written into the last argument, which costs no memory.
"""

from collections.abc import Callable
from typing import Any, cast

import numba
import numpy

compiled = cast(
    "Callable[[Callable[..., Any]], Callable[..., Any]]", numba.njit(cache=True, error_model="numpy")
)
"""The decorator of everything that the solver calls: compiled once, kept on disk, IEEE arithmetic as written."""


@compiled
def rotate(q, v, out):
    """out = v turned by the quaternion q (w, x, y, z)."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    tx, ty, tz = 2 * (y * v[2] - z * v[1]), 2 * (z * v[0] - x * v[2]), 2 * (x * v[1] - y * v[0])
    out[0] = v[0] + w * tx + y * tz - z * ty
    out[1] = v[1] + w * ty + z * tx - x * tz
    out[2] = v[2] + w * tz + x * ty - y * tx


@compiled
def unrotate(q, v, out):
    """out = v turned back by the quaternion q."""
    conjugate = numpy.empty(4)
    conjugate[0], conjugate[1], conjugate[2], conjugate[3] = q[0], -q[1], -q[2], -q[3]
    rotate(conjugate, v, out)


@compiled
def turn_by(q, x, y, z):
    """Turn q by the small rotation vector (x, y, z) and normalise."""
    w0, x0, y0, z0 = q[0], q[1], q[2], q[3]
    q[0] += 0.5 * (-x * x0 - y * y0 - z * z0)
    q[1] += 0.5 * (x * w0 + y * z0 - z * y0)
    q[2] += 0.5 * (y * w0 + z * x0 - x * z0)
    q[3] += 0.5 * (z * w0 + x * y0 - y * x0)
    q /= numpy.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])


@compiled
def spin(q, inverse, v, out):
    """out = I^-1 v in the world, where `inverse` is the diagonal of I^-1 in the body's principal frame."""
    local = numpy.empty(3)
    unrotate(q, v, local)
    for k in range(3):
        local[k] *= inverse[k]
    rotate(q, local, out)


@compiled
def mobility(q, inverse, weight, r, n):
    """Return 1/m + (r x n)^T I^-1 (r x n)."""
    if weight == 0.0:
        return 0.0
    arm, moved = numpy.empty(3), numpy.empty(3)
    cross(r, n, arm)
    spin(q, inverse, arm, moved)
    return weight + arm[0] * moved[0] + arm[1] * moved[1] + arm[2] * moved[2]


@compiled
def cross(a, b, out):
    """out = a x b."""
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]


@compiled
def push(position, q, inverse, weight, r, impulse):
    """Move a rigid body by a positional impulse at the arm r."""
    if weight == 0.0:
        return
    arm, turn = numpy.empty(3), numpy.empty(3)
    for k in range(3):
        position[k] += weight * impulse[k]
    cross(r, impulse, arm)
    spin(q, inverse, arm, turn)
    turn_by(q, turn[0], turn[1], turn[2])


@compiled
def kick(velocity, omega, q, inverse, weight, r, impulse):
    """Change a rigid body's velocities by an impulse at the arm r."""
    if weight == 0.0:
        return
    arm, turn = numpy.empty(3), numpy.empty(3)
    for k in range(3):
        velocity[k] += weight * impulse[k]
    cross(r, impulse, arm)
    spin(q, inverse, arm, turn)
    for k in range(3):
        omega[k] += turn[k]


@compiled
def gyrate(q, omega, inverse, h):
    """omega -= h I^-1 (omega x I omega): what keeps the angular momentum of a tumbling body."""
    local = numpy.empty(3)
    unrotate(q, omega, local)
    i0, i1, i2 = 1.0 / inverse[0], 1.0 / inverse[1], 1.0 / inverse[2]
    # Two half steps of the midpoint rule: first order loses a percent in ten seconds.
    x, y, z = local[0], local[1], local[2]
    for _ in range(3):
        mx, my, mz = 0.5 * (x + local[0]), 0.5 * (y + local[1]), 0.5 * (z + local[2])
        x = local[0] - h * inverse[0] * (i2 - i1) * my * mz
        y = local[1] - h * inverse[1] * (i0 - i2) * mz * mx
        z = local[2] - h * inverse[2] * (i1 - i0) * mx * my
    local[0], local[1], local[2] = x, y, z
    rotate(q, local, omega)


@compiled
def angular(before, after, omega, h):
    """omega = 2 (after * before^-1).xyz / h."""
    w0, x0, y0, z0 = before[0], -before[1], -before[2], -before[3]
    w1, x1, y1, z1 = after[0], after[1], after[2], after[3]
    w = w1 * w0 - x1 * x0 - y1 * y0 - z1 * z0
    sign = 2.0 / h if w >= 0 else -2.0 / h
    omega[0] = sign * (w1 * x0 + x1 * w0 + y1 * z0 - z1 * y0)
    omega[1] = sign * (w1 * y0 - x1 * z0 + y1 * w0 + z1 * x0)
    omega[2] = sign * (w1 * z0 + x1 * y0 - y1 * x0 + z1 * w0)


@compiled
def swing(omega, r, k):
    """Return component k of omega x r."""
    i, j = (k + 1) % 3, (k + 2) % 3
    return omega[i] * r[j] - omega[j] * r[i]
