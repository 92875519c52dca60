"""A pool of processes in which the death of a worker costs what that worker was doing and nothing else.

The standard pool gives up everything when one process is killed. Here each worker is a standard pool of one,
and a thread waits for each. A worker takes a second of CPU time to start and to import what it needs; `kept` lets
one stage after another have the same. Not covered: exceptions of the function, which should be caught inside it.
"""

import logging
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",  # OpenMP, torch, pyarrow's pool
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Started:
    """A process with nothing to do."""

    pool: ProcessPoolExecutor
    process: int
    threads: int


_idle: list[_Started] | None = None
"""Processes that wait for the next call inside `kept`."""

_taking = threading.Lock()


@contextmanager
def kept() -> Iterator[None]:
    """Let calls of `outcomes` in this block hand their processes on, instead of each starting its own."""
    global _idle
    if _idle is not None:  # a stage of a larger job
        yield
        return
    _idle = []
    try:
        yield
    finally:
        ended, _idle = _idle, None
        for each in ended:
            each.pool.shutdown(wait=True, cancel_futures=True)


def _waiting(threads: int) -> _Started | None:
    """Take a process that waits, with so many threads; workers ask at the same time."""
    with _taking:
        found = next((each for each in _idle or () if each.threads == threads), None)
        if found is not None and _idle is not None:
            _idle.remove(found)
        return found


@dataclass(frozen=True, kw_only=True)
class Lost:
    """What stands in for a result when there is none."""

    reason: str
    hint: str = ""


def died(attempts: int) -> Lost:
    """Return what stands for an item whose workers died as often as was allowed."""
    return Lost(
        reason=f"its worker died {attempts} times (killed, or out of memory)",
        hint="give each worker more memory by having fewer workers; what is done is kept",
    )


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_variables(threads: int) -> dict[str, str]:
    """Return the environment in which numerical libraries use that many threads."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


def outcomes(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    workers: int | None,
    attempts: int,
    threads: int,
) -> Iterator[tuple[int, Any]]:
    """Yield `(index, function(item))` as they come, or `(index, Lost)` where the worker died every time.

    Parameters
    ----------
    function
        Importable by name in a fresh process; items and results are pickled.
    items
        What to call it with.
    workers
        Processes; none: one for each core that this process may use.
    attempts
        How often an item is begun.
    threads
        Threads of numerical libraries in each process. Their variables are set in this process's environment
        for as long as workers may start, which is when children inherit them.
    """
    slots = min(workers or cores(), len(items))
    stopped = threading.Event()
    everyone = [_Worker(function, attempts=attempts, threads=threads, stopped=stopped) for _ in range(slots)]
    free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    for worker in everyone:
        free.put(worker)

    def run(item: Any) -> Any:
        worker = free.get()
        try:
            return worker.run(item)
        finally:
            free.put(worker)

    try:
        with _thread_limits(threads), ThreadPoolExecutor(slots) as pool:
            waiting = {pool.submit(run, item): index for index, item in enumerate(items)}
            try:
                for future in as_completed(waiting):
                    yield waiting[future], future.result()
            except BaseException:  # Ctrl-C, or the caller wants no more
                stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                for worker in everyone:
                    worker.kill()
                raise
    finally:
        for worker in everyone:
            worker.leave()


class _Worker:
    def __init__(
        self, function: Callable[[Any], Any], *, attempts: int, threads: int, stopped: threading.Event
    ) -> None:
        self._function = function
        self._attempts = attempts
        self._threads = threads
        self._stopped = stopped
        self._pool: ProcessPoolExecutor | None = None
        self._process = 0

    def run(self, item: Any) -> Any:
        for attempt in range(1, self._attempts + 1):
            try:
                pool = self._pool or self._start()
                if self._stopped.is_set():  # asked after the process is known, so that `kill` cannot miss it
                    raise CancelledError
                return pool.submit(self._function, item).result()
            except BrokenProcessPool:
                self.close()
                if not self._stopped.is_set():
                    _log.warning("%s: the worker died (attempt %d of %d)", item, attempt, self._attempts)
        return died(self._attempts)

    def _start(self) -> ProcessPoolExecutor:
        waiting = _waiting(self._threads)
        if waiting is not None:
            self._pool, self._process = waiting.pool, waiting.process
            return waiting.pool
        context = multiprocessing.get_context("spawn")  # a fork would copy the locks of running threads
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_start_worker)
        self._process = self._pool.submit(os.getpid).result()
        return self._pool

    def kill(self) -> None:
        if self._process:
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)

    def leave(self) -> None:
        """Hand the process on where it is wanted, else end it."""
        if _idle is not None and self._pool is not None and not self._stopped.is_set():
            _idle.append(_Started(pool=self._pool, process=self._process, threads=self._threads))
            self._pool, self._process = None, 0
        self.close()

    def close(self) -> None:
        pool, self._pool, self._process = self._pool, None, 0
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it ends its workers itself
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A worker of a run that was killed must not go on writing into the folders of the next run.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _thread_limits(threads: int) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(thread_variables(threads))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
