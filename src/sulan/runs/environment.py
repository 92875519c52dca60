"""What a run ran on: machine, threads, library versions, the commit of this checkout."""

import os
import platform
import re
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

import sulan


@cache
def machine() -> dict[str, str | int | float]:
    """Return CPU, cores that this process may use, threads asked for, memory, GPU, system and Python."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": _gpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


@cache
def libraries() -> dict[str, str]:
    """Return the versions of those of Sulan's declared dependencies that are installed."""
    versions = {}
    for requirement in metadata.requires("sulan") or []:
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            versions[name.lower()] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return dict(sorted(versions.items()))


@cache
def commit() -> str:
    """Return the commit of the checkout that Sulan runs from, `-dirty` when files differ; empty if none."""
    root = Path(sulan.__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return described.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _gpu() -> str:
    cards = Path("/proc/driver/nvidia/gpus")
    if not cards.is_dir():
        return ""
    described = "\n".join(path.read_text() for path in sorted(cards.glob("*/information")))
    return ", ".join(re.findall(r"^Model:\s*(.+)$", described, re.MULTILINE))
