"""Contacts in numba: points against distance grids, resolved one after the other, both partners at once.

A contact is a point that is nearer to a grid's surface than its margin. It is pushed out along the gradient, what it
lies in the other way, by their generalised inverse masses; afterwards their velocities get friction and restitution.
"""

import numpy

from sulan.radiance.distances import distance, is_outside
from sulan.radiance.rigid import compiled, kick, mobility, push, rotate, swing, unrotate


@compiled
def contacts(
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
                rotate(rotation[mine], points[index - particles], r)
                for k in range(3):
                    world[k] = position[mine, k] + r[k]
            if other == bodies:
                d = distance(grids, meta, shape, grid, world[0], world[1], world[2], n)
                for k in range(3):
                    s[k] = 0.0
            else:
                for k in range(3):
                    s[k] = world[k] - position[other, k]
                unrotate(rotation[other], s, local)
                if is_outside(meta, shape, grid, local, margin):
                    continue
                d = distance(grids, meta, shape, grid, local[0], local[1], local[2], gradient)
                rotate(rotation[other], gradient, n)
            apart = margin if loose else 0.0
            if d >= apart or found >= limit:
                continue
            deepest = max(deepest, -d)
            first = w[index] if loose else mobility(rotation[mine], inertia[mine], weight[mine], r, n)
            second = 0.0
            if other < bodies:
                second = mobility(rotation[other], inertia[other], weight[other], s, n)
            if first + second == 0.0:
                continue
            # The speed at which they meet, before anything is corrected: what restitution gives back.
            speed = 0.0
            for k in range(3):
                mine_k = v[index, k] if loose else velocity[mine, k] + swing(omega[mine], r, k)
                other_k = velocity[other, k] + swing(omega[other], s, k) if other < bodies else 0.0
                speed += (mine_k - other_k) * n[k]
            size = (apart - d) / (first + second)
            for k in range(3):
                impulse[k] = size * n[k]
            if loose:
                for k in range(3):
                    x[index, k] += w[index] * impulse[k]
            else:
                push(position[mine], rotation[mine], inertia[mine], weight[mine], r, impulse)
            if other < bodies:
                for k in range(3):
                    impulse[k] = -impulse[k]
                push(position[other], rotation[other], inertia[other], weight[other], s, impulse)
            a[found] = bodies + index if loose else mine
            b[found] = other if other < bodies else -1
            for k in range(3):
                normal[found, k], arm_a[found, k], arm_b[found, k] = n[k], r[k], s[k]
            force[found], approach[found] = size, speed
            found += 1
    return found, deepest


@compiled
def velocities(
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
            mine_k = v[index, k] if loose else velocity[index, k] + swing(omega[index], r, k)
            other_k = velocity[other, k] + swing(omega[other], s, k) if other >= 0 else 0.0
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
            first = mobility(rotation[index], inertia[index], weight[index], r, direction)
        if other >= 0:
            second = mobility(rotation[other], inertia[other], weight[other], s, direction)
        for k in range(3):
            impulse[k] = direction[k] * size / (first + second)
        if loose:
            for k in range(3):
                v[index, k] += w[index] * impulse[k]
        else:
            kick(velocity[index], omega[index], rotation[index], inertia[index], weight[index], r, impulse)
        if other >= 0:
            for k in range(3):
                impulse[k] = -impulse[k]
            kick(velocity[other], omega[other], rotation[other], inertia[other], weight[other], s, impulse)
