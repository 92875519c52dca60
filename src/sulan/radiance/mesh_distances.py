"""Signed distances to a mesh on a grid: what a rigid body collides with."""

import numpy
from numpy.typing import NDArray

from sulan.radiance.collider import DistanceGrid

Array = NDArray[numpy.float64]

MARGIN_CELLS = 3
"""Cells that a body's grid reaches beyond it: a contact is seen before it is deep."""


def mesh_distances(
    vertices: Array, faces: NDArray[numpy.int64], *, closed: bool, resolution: int
) -> DistanceGrid:
    """Return signed distances to a mesh: to its nearest triangle, negative inside where it is closed.

    Parameters
    ----------
    resolution
        Nodes along the longest side; the grid reaches a few cells beyond the mesh.
    """
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    cell = float((high - low).max()) / max(resolution - 1 - 2 * MARGIN_CELLS, 4)
    low, high = low - MARGIN_CELLS * cell, high + MARGIN_CELLS * cell
    counts = numpy.maximum(4, numpy.round((high - low) / cell).astype(int) + 1)
    nodes = nodes_of(low, high, counts)
    distances = _unsigned(vertices, faces, nodes, spacing=0.25 * cell)
    if closed:
        distances = numpy.where(is_inside(vertices, faces, low, high, counts), -distances, distances)
    else:
        distances = distances - 0.5 * cell  # an open surface is as thick as a cell
    return DistanceGrid(
        low=triple(low), high=triple(high), distances=distances.reshape(counts[::-1]).astype(numpy.float32)
    )


def _unsigned(vertices: Array, faces: NDArray[numpy.int64], nodes: Array, *, spacing: float) -> Array:
    """Distance to points spread over the triangles, then to the planes of the nearest point's triangle."""
    import scipy.spatial

    points, owner = samples(vertices, faces, spacing=spacing)
    _, near = scipy.spatial.cKDTree(points).query(nodes, k=min(4, len(points)))
    near = near.reshape(len(nodes), -1)
    best = numpy.full(len(nodes), numpy.inf)
    for k in range(near.shape[1]):
        triangle = vertices[faces[owner[near[:, k]]]]
        best = numpy.minimum(best, triangle_distances(nodes, triangle))
    return best


def samples(
    vertices: Array, faces: NDArray[numpy.int64], *, spacing: float
) -> tuple[Array, NDArray[numpy.int64]]:
    """Return points on triangles about `spacing` apart `[n, 3]`, and whose they are `[n]`; no randomness."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    longest = numpy.maximum.reduce([numpy.linalg.norm(e, axis=1) for e in (b - a, c - b, a - c)])
    parts = numpy.clip(numpy.ceil(longest / spacing).astype(int), 1, 64)
    points, owners = [], []
    for count in numpy.unique(parts):
        chosen = numpy.flatnonzero(parts == count)
        i, j = numpy.nonzero(numpy.add.outer(numpy.arange(count + 1), numpy.arange(count + 1)) <= count)
        u, v = i / count, j / count
        grid = (
            a[chosen, None] * (1 - u - v)[None, :, None]
            + b[chosen, None] * u[None, :, None]
            + c[chosen, None] * v[None, :, None]
        )
        points.append(grid.reshape(-1, 3))
        owners.append(numpy.repeat(chosen, len(u)))
    return numpy.concatenate(points), numpy.concatenate(owners)


def triangle_distances(points: Array, triangles: Array) -> Array:
    """Return the distance of each point `[n, 3]` to its triangle `[n, 3, 3]`.

    Examples
    --------
    >>> flat = numpy.asarray([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]] * 2)
    >>> triangle_distances(numpy.asarray([[0.2, 0.2, 3.0], [-3.0, 0.0, 4.0]]), flat).tolist()
    [3.0, 5.0]
    """
    a, b, c = (triangles[:, k] for k in range(3))
    normal = numpy.cross(b - a, c - a)
    length = numpy.maximum((normal**2).sum(axis=1), 1e-300)
    best = numpy.full(len(points), numpy.inf)
    inside = numpy.ones(len(points), dtype=bool)
    for p, q in ((a, b), (b, c), (c, a)):
        edge = q - p
        along = ((points - p) * edge).sum(axis=1) / numpy.maximum((edge**2).sum(axis=1), 1e-300)
        foot = p + numpy.clip(along, 0, 1)[:, None] * edge
        best = numpy.minimum(best, numpy.linalg.norm(points - foot, axis=1))
        inside &= (numpy.cross(edge, points - p) * normal).sum(axis=1) >= 0
    plane = numpy.abs(((points - a) * normal).sum(axis=1)) / numpy.sqrt(length)
    return numpy.where(inside, plane, best)


def is_inside(
    vertices: Array, faces: NDArray[numpy.int64], low: Array, high: Array, counts: NDArray[numpy.int64]
) -> NDArray[numpy.bool_]:
    """Tell which nodes are inside a closed mesh: an odd number of crossings below them, column by column."""
    nx, ny, nz = counts
    step = (high - low) / (counts - 1)
    crossings = numpy.zeros((ny, nx, nz + 1), dtype=numpy.int64)
    # Columns stand a little beside the nodes, so that none meets an edge exactly.
    shift = numpy.asarray([1.234e-5, 2.345e-5]) * step[:2]
    for triangle in vertices[faces]:
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = triangle
        x0, x1 = min(ax, bx, cx), max(ax, bx, cx)
        y0, y1 = min(ay, by, cy), max(ay, by, cy)
        i = numpy.arange(max(0, int((x0 - low[0]) / step[0]) - 1), min(nx, int((x1 - low[0]) / step[0]) + 2))
        j = numpy.arange(max(0, int((y0 - low[1]) / step[1]) - 1), min(ny, int((y1 - low[1]) / step[1]) + 2))
        if not len(i) or not len(j):
            continue
        x = (low[0] + i * step[0] + shift[0])[None, :]
        y = (low[1] + j * step[1] + shift[1])[:, None]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0:
            continue
        u = ((bx - x) * (cy - y) - (cx - x) * (by - y)) / area
        v = ((cx - x) * (ay - y) - (ax - x) * (cy - y)) / area
        w = 1 - u - v
        met = (u >= 0) & (v >= 0) & (w >= 0)
        if met.any():
            z = u * az + v * bz + w * cz
            k = numpy.clip(numpy.ceil((z - low[2]) / step[2]), 0, nz).astype(int)
            rows, columns = numpy.nonzero(met)
            numpy.add.at(crossings, (j[rows], i[columns], k[rows, columns]), 1)
    odd = numpy.cumsum(crossings[..., :nz], axis=2) % 2 == 1
    return numpy.moveaxis(odd, 2, 0).ravel()


def nodes_of(low: Array, high: Array, counts: NDArray[numpy.int64]) -> Array:
    """Return the nodes of a grid, x fastest, `[n, 3]`; `counts` are along x, y, z."""
    axes = [numpy.linspace(low[k], high[k], counts[k]) for k in (2, 1, 0)]
    return numpy.stack(numpy.meshgrid(*axes, indexing="ij"), axis=-1)[..., ::-1].reshape(-1, 3)


def triple(values: Array) -> tuple[float, float, float]:
    """Return three numbers as a tuple of floats."""
    x, y, z = map(float, values)
    return x, y, z
