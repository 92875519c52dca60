"""Pictures for reports: sheets of views as PNG bytes."""

from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

from sulan.radiance import images

WIDEST = 960
"""Pixels across a sheet: what a report's column shows."""


def sheet(
    pictures: Sequence[NDArray[numpy.floating]], *, columns: int | None = None, exposure: float = 1.0
) -> bytes:
    """Return linear images of one size `[h, w, 3]` side by side, row by row, as a PNG.

    Small ones are enlarged by a whole number, without interpolation, so that pixels stay pixels.

    Parameters
    ----------
    pictures
        At least one.
    columns
        Images a row; None: as many as make the sheet about three times as wide as high.
    exposure
        Factor on the radiance.
    """
    height, width = pictures[0].shape[:2]
    if columns is None:
        columns = max(1, min(len(pictures), round((3 * len(pictures) * height / width) ** 0.5)))
    rows = -(-len(pictures) // columns)
    gap = 2
    canvas = numpy.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, 3))
    for number, picture in enumerate(pictures):
        y, x = (number // columns) * (height + gap), (number % columns) * (width + gap)
        canvas[y : y + height, x : x + width] = exposure * picture[..., :3]
    factor = max(1, WIDEST // canvas.shape[1])
    return images.png(numpy.repeat(numpy.repeat(canvas, factor, axis=0), factor, axis=1))
