"""The elementwise work of `signround` and `search` as compiled passes, for main memory; see there for the formulas.

Eager torch reads and writes memory once per operation, some twenty times a step; these loops read every weight
once. They are compiled by numba on first use (a few seconds, kept on disk), one thread each. Where numba is
absent, and on a GPU, both modules do the same in torch. For a matrix of 885,000 weights a step with its writing
took 0.9 ms instead of 8.3 in torch's cache-sized tiles.

numba knows no bfloat16: gradients and weights come as the words they are stored in, of 16 or of 32 bits, and are
widened and narrowed a group at a time in `words`, whose memory `numbers` shows as float32.
"""

from importlib.util import find_spec
from typing import Any

import numpy

UNIT = 1 / 65534
"""What a shift of 1 stands for: shifts are int16, and 32767 of them are one half."""

AVAILABLE = find_spec("numba") is not None


def _compiled(function: Any) -> Any:
    if not AVAILABLE:
        return function
    import numba

    # Sums over a group may be taken in any order; no other liberty is given.
    return numba.njit(cache=True, fastmath={"reassoc", "contract"}, error_model="numpy")(function)


@_compiled
def step(
    weight: Any,
    shift: Any,
    gradient: Any,
    scale: Any,
    zero: Any,
    rate: Any,
    top: Any,
    by_scale: Any,
    by_zero: Any,
    words: Any,
    numbers: Any,
) -> None:
    """Move every shift against its gradient's sign, and sum dL/ds and dL/dz over groups.

    Parameters
    ----------
    weight
        float32 [rows, groups, group].
    shift
        int16, as weight; changed.
    gradient
        dL/dW~, the words of bfloat16 (uint16) or of float32 (uint32), as weight.
    scale, zero
        float32 [rows, groups].
    rate
        Step in units of the shift.
    top
        Largest code.
    by_scale, by_zero
        float32 [rows, groups]; what is summed.
    words, numbers
        uint32 and float32 [group]: one memory; overwritten.
    """
    rows, groups, group = weight.shape
    half = numpy.int32(32767)
    unit = numpy.float32(UNIT)
    wide = numpy.uint32(32 - 8 * gradient.itemsize)
    for row in range(rows):
        for place in range(groups):
            for k in range(group):
                words[k] = numpy.uint32(gradient[row, place, k]) << wide
            size, middle = scale[row, place], zero[row, place]
            sign = numpy.int32(1) if size > 0 else numpy.int32(-1)
            for_scale = numpy.float32(0)
            for_zero = numpy.float32(0)
            for k in range(group):
                slope = numbers[k]
                at = weight[row, place, k] / size
                moved = numpy.int32(shift[row, place, k])
                code = numpy.rint(at + middle + numpy.float32(moved) * unit)
                held = min(max(code, numpy.float32(0)), top)
                inside = code == held
                for_scale += slope * (held - middle - (at if inside else numpy.float32(0)))
                for_zero += numpy.float32(0) if inside else slope
                way = (numpy.int32(slope > 0) - numpy.int32(slope < 0)) * sign
                moved -= way * rate if inside else numpy.int32(0)
                shift[row, place, k] = min(max(moved, -half), half)
            by_scale[row, place] = for_scale
            by_zero[row, place] = -size * for_zero


@_compiled
def write(
    weight: Any, shift: Any, scale: Any, zero: Any, top: Any, out: Any, words: Any, numbers: Any
) -> None:
    """Write s (q - z) of every weight into `out`, words of bfloat16 or of float32 [rows, groups, group].

    The other parameters are those of `step`.
    """
    rows, groups, group = weight.shape
    unit = numpy.float32(UNIT)
    narrow = numpy.uint32(32 - 8 * out.itemsize)
    # Rounds to the nearest bfloat16, of two to the even one; nothing is added where all 32 bits are kept.
    below_half = numpy.uint32(0x7FFF if narrow else 0)
    even = numpy.uint32(1 if narrow else 0)
    for row in range(rows):
        for place in range(groups):
            size, middle = scale[row, place], zero[row, place]
            for k in range(group):
                moved = numpy.float32(shift[row, place, k]) * unit
                code = numpy.rint(weight[row, place, k] / size + middle + moved)
                numbers[k] = size * (min(max(code, numpy.float32(0)), top) - middle)
            for k in range(group):
                word = words[k]
                out[row, place, k] = (word + below_half + ((word >> narrow) & even)) >> narrow


@_compiled
def search(
    weight: Any, importance: Any, low: Any, high: Any, ratios: Any, symmetric: Any, top: Any, smallest: Any
) -> None:
    """Replace the ends of every group's grid by those that cost least.

    Parameters
    ----------
    weight
        float32 [rows, groups, group].
    importance
        float32 [groups, group].
    low, high
        float32 [rows, groups]; changed.
    ratios
        float32; what the ends are multiplied with before the scale is fitted.
    symmetric
        Whether the zero point is the middle code.
    top
        Largest code.
    smallest
        Least magnitude of a scale.
    """
    rows, groups, group = weight.shape
    middle = numpy.float32((top + 1) / 2)
    for row in range(rows):
        for place in range(groups):
            total = 0.0
            for k in range(group):
                total += importance[place, k] * weight[row, place, k] * weight[row, place, k]
            first, last = low[row, place], high[row, place]
            best = numpy.inf
            for number in range(-1, len(ratios)):  # -1: the ends as they are, their scale not fitted
                ratio = ratios[number] if number >= 0 else numpy.float32(1)
                start, end = first * ratio, last * ratio
                size = start / -middle if symmetric else (end - start) / top
                if abs(size) < smallest:
                    size = -smallest if size < 0 else smallest
                zero = middle if symmetric else min(max(numpy.rint(-start / size), numpy.float32(0)), top)
                product, square = 0.0, 0.0
                for k in range(group):
                    code = numpy.rint(weight[row, place, k] / size + zero)
                    level = min(max(code, numpy.float32(0)), top) - zero
                    heavy = importance[place, k] * level
                    product += heavy * weight[row, place, k]
                    square += heavy * level
                fitted = numpy.float64(size)
                if number >= 0 and square > 0 and (product > 0 or (symmetric and product != 0)):
                    fitted = product / square
                cost = total - 2 * fitted * product + fitted * fitted * square
                if cost < best:
                    best = cost
                    low[row, place] = start if number < 0 else -zero * fitted
                    high[row, place] = end if number < 0 else (0.0 if symmetric else (top - zero) * fitted)
