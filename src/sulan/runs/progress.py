"""Progress on stderr: a bar on a terminal, one line every ten seconds elsewhere."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

Item = TypeVar("Item")

LOG_INTERVAL = 10.0
"""Seconds between two lines where stderr is not a terminal."""

_log = logging.getLogger(__name__)


def progress(items: Iterable[Item], *, label: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items`, showing how many are done.

    Parameters
    ----------
    items
        What to go through.
    label
        What is being done, e.g. `write 2023-09-12`.
    total
        How many there are; taken from `items` where it has a length.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(items, description=label, total=total, console=Console(stderr=True), transient=True)
        return
    last = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - last >= LOG_INTERVAL:
            last = time.monotonic()
            _log.info("%s: %d%s", label, done, f" of {total}" if total is not None else "")
        yield item
