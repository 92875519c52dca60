"""Processes of a Ray cluster, for tests that kill one."""

import psutil


def workers_of(process: int) -> list[psutil.Process]:
    """The Ray workers below a process that are running a task."""
    return [
        child
        for child in psutil.Process(process).children(recursive=True)
        if child.cmdline() and child.cmdline()[0].startswith("ray::run_shard")
    ]
