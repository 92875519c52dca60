"""Constraints in an order in which those beside each other share no particle: one kernel may solve a colour at once.

The sequential solver walks the same order, so that both do the same arithmetic: within a colour the order is no matter.
"""

import numpy
from numpy.typing import NDArray

Indices = NDArray[numpy.int64]


def coloured(constraints: Indices) -> tuple[Indices, Indices]:
    """Return an order of constraints by colour, and where each colour begins (and the last ends).

    Parameters
    ----------
    constraints
        Particles of each constraint, `[m, k]`. Each gets the first colour that none of its particles has yet.

    Examples
    --------
    >>> chain = numpy.asarray([[0, 1], [1, 2], [2, 3], [3, 4]])
    >>> [part.tolist() for part in coloured(chain)]
    [[0, 2, 1, 3], [0, 2, 4]]
    """
    taken: dict[int, int] = {}  # particle -> one bit for each colour it is in
    colours = numpy.zeros(len(constraints), dtype=numpy.int64)
    for number, members in enumerate(constraints.tolist()):
        known = 0
        for particle in members:
            known |= taken.get(particle, 0)
        free = ~known & (known + 1)
        colours[number] = free.bit_length() - 1
        for particle in members:
            taken[particle] = taken.get(particle, 0) | free
    counts = numpy.bincount(colours, minlength=1) if len(colours) else numpy.zeros(0, dtype=numpy.int64)
    return numpy.argsort(colours, kind="stable"), numpy.concatenate([[0], numpy.cumsum(counts)])
