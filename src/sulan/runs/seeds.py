"""Randomness drawn from `(seed, stable item id)`, never from a global stream.

Order, sharding, worker count and resuming therefore cannot change a result.
"""

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy


def key(seed: int, item: str) -> int:
    """Return 128 bits that depend on `seed` and `item` alone.

    Parameters
    ----------
    seed
        The run's seed.
    item
        A stable id of what the randomness is for, e.g. a document's id.

    Examples
    --------
    >>> key(0, "document-1") == key(0, "document-1")
    True
    >>> key(0, "document-1") == key(1, "document-1")
    False
    """
    return int.from_bytes(blake2b(f"{seed}\0{item}".encode(), digest_size=16).digest(), "big")


def generator(seed: int, item: str) -> "numpy.random.Generator":
    """Return a NumPy generator (PCG64) that depends on `seed` and `item` alone."""
    import numpy

    return numpy.random.Generator(numpy.random.PCG64(key(seed, item)))
