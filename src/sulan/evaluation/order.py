"""What was finished out of order, in order."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

Thing = TypeVar("Thing")


def in_order(finished: Iterable[tuple[int, Thing]]) -> Iterator[Thing]:
    """Yield things by their places 0, 1, 2, ..., each as soon as those before it are there.

    Examples
    --------
    >>> list(in_order([(1, "b"), (0, "a"), (2, "c")]))
    ['a', 'b', 'c']
    """
    waiting: dict[int, Thing] = {}
    place = 0
    for at, thing in finished:
        waiting[at] = thing
        while place in waiting:
            yield waiting.pop(place)
            place += 1
