"""HDR from exposure brackets: alignment, the camera's response, the merge (Debevec and Malik 1997).

The paper's captures are 7 exposures a view, from 1/4000 s to 1/4 s, aligned by median threshold bitmaps (Ward 2003),
with the response estimated from one bracket. With pixel values Z, exposure times t and the response g(Z) = log(E t):

    minimise  sum_ij (w(Z_ij) (g(Z_ij) - log E_i - log t_j))^2 + smooth sum_z (w(z) g''(z))^2,     g(128) = 0
    log E_i = sum_j w(Z_ij) (g(Z_ij) - log t_j) / sum_j w(Z_ij)

One bracket is in memory at a time. Not covered: moving things in the scene (ghosts), raw files.
"""

from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

from sulan.errors import InputError

Pixels = NDArray[numpy.uint8]

SAMPLES = 1024
"""Pixels that the response is estimated from; the official notebook takes as many."""

SMOOTH = 50.0
"""Weight of the response's second derivative; Debevec and Malik show 100 for their 11 photographs."""

SHIFT_LEVELS = 5
"""Pyramid levels of the alignment: shifts of up to 2^5 - 1 pixels are found."""

_TOLERANCE = 4
"""Values this near to the median do not vote: they flip with the noise (Ward 2003)."""


def weights() -> NDArray[numpy.float64]:
    """Return how far a value is from both ends of the scale, `[256]`: black and white say nothing."""
    z = numpy.arange(256.0)
    return numpy.minimum(z, 255 - z) + 1e-3


def response(bracket: Sequence[Pixels], times: Sequence[float]) -> NDArray[numpy.float64]:
    """Estimate the response g, `[256, 3]`, of the camera from one bracket.

    Parameters
    ----------
    bracket
        Aligned photographs `[h, w, 3]` of one view.
    times
        Their exposure times, seconds.

    Raises
    ------
    InputError
        Fewer than two exposures, or all of one time.
    """
    if len(bracket) != len(times) or len(set(times)) < 2:
        raise InputError("the response needs at least two different exposure times")
    count = bracket[0].shape[0] * bracket[0].shape[1]
    places = numpy.unique(numpy.linspace(0, count - 1, min(SAMPLES, count)).astype(int))
    weight, logs = weights(), numpy.log(numpy.asarray(times))
    result = numpy.zeros((256, 3))
    for channel in range(3):
        z = numpy.stack([photograph[..., channel].ravel()[places] for photograph in bracket], axis=1).astype(
            int
        )
        pixels, exposures = z.shape
        matrix = numpy.zeros((pixels * exposures + 255, 256 + pixels))
        right = numpy.zeros(len(matrix))
        row = numpy.arange(pixels * exposures)
        w = weight[z].ravel()
        matrix[row, z.ravel()] = w
        matrix[row, 256 + row // exposures] = -w
        right[row] = w * numpy.tile(logs, pixels)
        matrix[pixels * exposures, 128] = 1.0
        for value in range(1, 255):
            bend = pixels * exposures + value
            matrix[bend, value - 1 : value + 2] = (
                SMOOTH * weight[value] * numpy.asarray([1.0, -2.0, 1.0]) / 128
            )
        result[:, channel] = numpy.linalg.lstsq(matrix, right, rcond=None)[0][:256]
    return result


def merge(
    bracket: Sequence[Pixels], times: Sequence[float], curve: NDArray[numpy.float64]
) -> NDArray[numpy.float32]:
    """Merge a bracket of aligned photographs into linear radiance `[h, w, 3]`, up to one factor for the camera."""
    weight = weights()
    above, below = numpy.zeros(bracket[0].shape), numpy.zeros(bracket[0].shape)
    for photograph, time in zip(bracket, times, strict=True):
        w = weight[photograph]
        for channel in range(3):
            above[..., channel] += w[..., channel] * (
                curve[photograph[..., channel], channel] - numpy.log(time)
            )
        below += w
    return numpy.exp(above / below).astype(numpy.float32)


def aligned(bracket: Sequence[Pixels]) -> tuple[list[Pixels], list[tuple[int, int]]]:
    """Shift every photograph onto the middle one; return them and their shifts (rows, columns)."""
    middle = _grey(bracket[len(bracket) // 2])
    moved, shifts = [], []
    for photograph in bracket:
        shift = _shift(middle, _grey(photograph), SHIFT_LEVELS)
        shifts.append(shift)
        moved.append(numpy.roll(photograph, shift, axis=(0, 1)))
    return moved, shifts


def _grey(photograph: Pixels) -> NDArray[numpy.float64]:
    return photograph @ numpy.asarray([54.0, 183.0, 19.0]) / 256


def _shift(reference: NDArray[numpy.float64], other: NDArray[numpy.float64], levels: int) -> tuple[int, int]:
    down, right = 0, 0
    if levels > 1 and min(reference.shape) >= 32:
        down, right = _shift(_half(reference), _half(other), levels - 1)
        down, right = 2 * down, 2 * right
    first, first_counts = _bitmap(reference)
    second, second_counts = _bitmap(other)
    best, least = (down, right), None
    for y in (0, -1, 1):
        for x in (0, -1, 1):
            move = (down + y, right + x)
            both = first_counts & numpy.roll(second_counts, move, axis=(0, 1))
            error = int(((first ^ numpy.roll(second, move, axis=(0, 1))) & both).sum())
            if least is None or error < least:
                best, least = move, error
    return best


def _half(image: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    height, width = (side // 2 * 2 for side in image.shape)
    return image[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))


def _bitmap(image: NDArray[numpy.float64]) -> tuple[NDArray[numpy.bool_], NDArray[numpy.bool_]]:
    median = numpy.median(image)
    return image > median, numpy.abs(image - median) > _TOLERANCE
