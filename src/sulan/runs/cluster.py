"""The same as `processes`, on Ray: a running cluster, or one that lives as long as the call.

Ray retries a task whose worker was killed by itself. Not covered: starting clusters on other machines.
"""

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sulan.errors import BackendError, MissingExtra
from sulan.runs.processes import Lost, cores, died, thread_variables

KNOCK_SECONDS = 10.0
"""How long a cluster may take to accept a connection."""


def outcomes(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    address: str | None,
    workers: int | None,
    attempts: int,
    threads: int,
) -> Iterator[tuple[int, Any]]:
    """Yield `(index, function(item))` as they come, or `(index, Lost)`; see `processes.outcomes`.

    Parameters
    ----------
    function, items, attempts, threads
        As there.
    address
        A running cluster, as `ray.init` takes it. None: the one that this process is connected to already,
        else a fresh one on this machine.
    workers
        Items in flight at once, and the cores of a fresh cluster. None: what Ray finds free.

    Raises
    ------
    MissingExtra
        Ray is not installed.
    BackendError
        The cluster cannot be reached, or does not start.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("ray", extra="cluster") from error
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, address, workers)
    try:
        remote = ray.remote(
            num_cpus=1,
            max_retries=attempts - 1,
            runtime_env={"env_vars": thread_variables(threads)},
        )(function)
        waiting = iter(enumerate(items))
        running: dict[Any, int] = {}
        while True:
            for index, item in waiting:
                running[remote.remote(item)] = index
                if len(running) == (workers or len(items)):
                    break
            if not running:
                return
            (reference, *_), _ = ray.wait(list(running), num_returns=1)
            yield running.pop(reference), _result(ray, reference, attempts)
    finally:
        if ours:
            ray.shutdown()


def _connect(ray: Any, address: str | None, workers: int | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the cluster
    # On this machine a worker finds what this process finds; on a cluster, what is installed there.
    paths = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}
    here = {"num_cpus": workers or cores(), "include_dashboard": False, "runtime_env": paths}
    try:
        if address is not None:
            _knock(address)
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            **(here if address is None else {}),
        )
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        first = str(error).partition("\n")[0]
        raise BackendError(f"no Ray cluster at {address or 'this machine'}: {first}") from error


def _knock(address: str) -> None:
    """Raise OSError at once where nobody listens; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS).close()


def _result(ray: Any, reference: Any, attempts: int) -> Any:
    try:
        return ray.get(reference)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
        return died(attempts)
    except ray.exceptions.RayError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        return Lost(reason=f"{type(error).__name__}: {lines[-1] if lines else ''}")
