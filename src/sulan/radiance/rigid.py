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
"""The decorator of everything that the solver calls: compiled once, kept on disk, IEEE arithmetic as written.

What is kept knows of changes in its own file alone: after editing one that others call, delete `__pycache__/*.nbi`."""


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
    """out = I^-1 v in the world, where `inverse` is the diagonal of I^-1 in the body's principal frame (or of I)."""
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
def tumble(q, omega, inverse, h, drift):
    """Turn a free body by a step of its own rotation, keeping its angular momentum L = I omega to rounding.

    The step goes with the velocity half-way, I_half^-1 L (midpoint rule), which `omega` is left at; `drift` becomes
    what is between it and the velocity at the end, I_end^-1 L. Without it a bar's spin is off by 3 % in ten seconds.
    """
    momentum, half = numpy.empty(3), q.copy()
    spin(q, 1.0 / inverse, omega, momentum)
    turn_by(half, 0.5 * h * omega[0], 0.5 * h * omega[1], 0.5 * h * omega[2])
    spin(half, inverse, momentum, omega)
    turn_by(q, h * omega[0], h * omega[1], h * omega[2])
    spin(q, inverse, momentum, drift)
    for k in range(3):
        drift[k] -= omega[k]


@compiled
def angular(before, after, omega, h):
    """omega = 2 (after * before^-1).xyz / (w h), by the tangent: the exact inverse of `turn_by`."""
    w0, x0, y0, z0 = before[0], -before[1], -before[2], -before[3]
    w1, x1, y1, z1 = after[0], after[1], after[2], after[3]
    w = w1 * w0 - x1 * x0 - y1 * y0 - z1 * z0
    if abs(w) < 1e-3:  # half a turn within a substep: faster than can be told
        w = 1e-3 if w >= 0 else -1e-3
    scale = 2.0 / (w * h)
    omega[0] = scale * (w1 * x0 + x1 * w0 + y1 * z0 - z1 * y0)
    omega[1] = scale * (w1 * y0 - x1 * z0 + y1 * w0 + z1 * x0)
    omega[2] = scale * (w1 * z0 + x1 * y0 - y1 * x0 + z1 * w0)


@compiled
def swing(omega, r, k):
    """Return component k of omega x r."""
    i, j = (k + 1) % 3, (k + 2) % 3
    return omega[i] * r[j] - omega[j] * r[i]
