"""Many slow calls at once with a bound, results in the order of the input, one failure costing one item.

Threads, because the work is waiting for replies. Work that computes goes through `sulan.runs.shards` instead.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)

GRACE_SECONDS = 10.0
"""How long an interrupted map waits for calls under way, so that what they were paid for is kept."""


@dataclass(frozen=True, kw_only=True)
class Outcome(Generic[Result]):
    """What became of one item: a value, or the exception that its call raised."""

    value: Result | None = None
    error: BaseException | None = None

    def get(self) -> Result:
        """Return the value, or raise the exception."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # None only where the function returned None


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, concurrency: int
) -> Iterator[Outcome[Result]]:
    """Call a function on every item, at most `concurrency` at once, and yield outcomes in the items' order.

    An exception is the outcome of its item and does not disturb the others. When the caller stops early, by
    Ctrl-C or by closing the iterator, nothing new is started, and calls under way get `GRACE_SECONDS` to end.

    Parameters
    ----------
    function
        Called from several threads; must be thread-safe.
    items
        Read to the end before the first call.
    concurrency
        Most calls under way at any moment, at least 1.

    Yields
    ------
    Outcome
        One for each item.

    Examples
    --------
    >>> [outcome.value for outcome in in_order(lambda n: n * n, [3, 1, 2], concurrency=2)]
    [9, 1, 4]
    """
    todo: queue.SimpleQueue[tuple[int, Item]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Outcome[Result]]] = queue.SimpleQueue()
    count = 0
    for count, item in enumerate(items, start=1):
        todo.put((count - 1, item))
    stopping = threading.Event()

    def work() -> None:
        while not stopping.is_set():
            try:
                index, item = todo.get_nowait()
            except queue.Empty:
                return
            try:
                outcome = Outcome(value=function(item))
            except BaseException as error:  # handed to the caller, whatever it is
                outcome = Outcome(error=error)
            done.put((index, outcome))

    # Daemon threads: a second Ctrl-C must end the process, not wait for a server that does not answer.
    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(max(concurrency, 1), count))]
    for worker in workers:
        worker.start()
    early: dict[int, Outcome[Result]] = {}
    try:
        for wanted in range(count):
            while wanted not in early:
                index, outcome = done.get()
                early[index] = outcome
            yield early.pop(wanted)
    finally:
        stopping.set()
        _join(workers)


def _join(workers: list[threading.Thread]) -> None:
    until = time.monotonic() + GRACE_SECONDS
    busy = [worker for worker in workers if worker.is_alive()]
    for worker in busy:
        worker.join(timeout=max(until - time.monotonic(), 0.0))
    left = sum(worker.is_alive() for worker in busy)
    if left:
        logger.warning("%d requests were still under way and are given up", left)
