"""Row tiles: work on a large matrix in pieces that stay in a core's second-level cache.

Elementwise work in eager torch reads and writes memory once per operation; on tiles of this size it is the cache
that is read and written. On a GPU, where launching costs more, a tile is the whole matrix.
"""

from collections.abc import Iterator

from torch import Tensor

TILE = 32768
"""Elements of a tile, 128 KiB of float32: torch does not split smaller work over threads, and a few buffers of
this size fit the 512 KiB to 2 MiB second-level caches of today's cores."""


def tiles(matrix: Tensor) -> Iterator[slice]:
    """Give slices over the first dimension that cover a matrix in tiles."""
    rows = matrix.shape[0]
    step = rows if matrix.is_cuda else max(1, TILE // max(1, matrix[0].numel()))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
