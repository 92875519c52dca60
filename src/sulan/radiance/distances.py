"""Signed distances of several grids in numba; see `collider.DistanceGrid` for the same in NumPy."""

import numpy

from sulan.radiance.rigid import compiled


@compiled
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


@compiled
def distances(grids, meta, shape, number, points, values, normals):
    """Query many points `[n, 3]` of one grid; see `distance`."""
    gradient = numpy.zeros(3)
    for i in range(len(points)):
        values[i] = distance(grids, meta, shape, number, points[i, 0], points[i, 1], points[i, 2], gradient)
        normals[i] = gradient


@compiled
def is_outside(meta, shape, grid, local, margin):
    """Tell whether a point is further than `margin` outside a grid's box."""
    for k in range(3):
        high = meta[grid, k] + meta[grid, 3 + k] * (shape[grid, 1 + k] - 1)
        if local[k] < meta[grid, k] - margin or local[k] > high + margin:
            return True
    return False
