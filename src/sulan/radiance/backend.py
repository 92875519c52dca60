"""Mitsuba started without surprises: a usable LLVM is found first, and a wrong one costs one line.

Dr.Jit loads whatever `libLLVM` it meets. One older than 16 aborts the whole process when the first kernel with a
minimum is compiled, so a library is tried in a process of its own before this one loads it; what worked is
remembered in the cache folder. On a machine with an NVIDIA card `cuda_ad_rgb` needs no LLVM.
"""

import ctypes.util
import json
import logging
import os
import re
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Literal

from sulan.errors import InputError, MissingExtra, MissingFile
from sulan.runs import folders, outputs

Device = Literal["auto", "cpu", "cuda"]

OLDEST = 16
"""LLVM 15 aborts the process: "Cannot select fminimum" (seen with Debian 12's default); 16 has the instruction."""

VARIABLE = "DRJIT_LIBLLVM_PATH"

REMEDY = f"apt-get install libllvm19 (any LLVM from {OLDEST} on does), or set {VARIABLE} to its libLLVM"

PROBE_SECONDS = 60

_PLACES = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/opt/homebrew/opt",
    "/usr/local/opt",
)

_PROBE = """
import drjit, drjit.llvm as backend
x = drjit.arange(backend.Float, 64)
y = drjit.minimum(drjit.maximum(x, 3.0), 7.0) + drjit.sqrt(x)
drjit.eval(y)
raise SystemExit(0 if abs(y[63] - (7.0 + 63.0 ** 0.5)) < 1e-4 else 1)
"""

_log = logging.getLogger(__name__)


def mitsuba(device: Device = "auto") -> ModuleType:
    """Return the module `mitsuba` with its variant set: `llvm_ad_rgb` here, `cuda_ad_rgb` on an NVIDIA card.

    Parameters
    ----------
    device
        `auto`: the card where there is one that Dr.Jit can use, else the processor.

    Raises
    ------
    MissingExtra
        Mitsuba is not installed.
    MissingFile
        No usable LLVM; the hint is the line that installs one.
    InputError
        A card is asked for and none is usable.
    """
    variant = _variant(device)
    try:
        import mitsuba
    except ImportError as error:
        raise MissingExtra("mitsuba", extra="radiance") from error
    if mitsuba.variant() != variant:
        mitsuba.set_variant(variant)
        mitsuba.set_log_level(mitsuba.LogLevel.Error)
    return mitsuba


@cache
def _variant(device: Device) -> str:
    if device == "cuda" or (device == "auto" and has_card()):
        if not has_card():
            raise InputError("no NVIDIA card is usable here", hint="leave --device out, or say --device cpu")
        return "cuda_ad_rgb"
    os.environ[VARIABLE] = str(library())
    return "llvm_ad_rgb"


def has_card() -> bool:
    """Tell whether an NVIDIA card and its OptiX library, which ray tracing needs, are here."""
    return has_driver() and ctypes.util.find_library("nvoptix") is not None


def has_driver() -> bool:
    """Tell whether an NVIDIA driver runs here: without one Warp need not be loaded to ask."""
    return Path("/proc/driver/nvidia/gpus").is_dir()


def library() -> Path:
    """Return a libLLVM that compiles what we need.

    Raises
    ------
    MissingFile
        There is none; the hint is the line that installs one.
    """
    given = os.environ.get(VARIABLE)
    tried = [Path(given)] if given else candidates()
    for path in tried:
        if _works(path):
            return path
        _log.debug("%s does not compile Dr.Jit's kernels", path)
    named = ", ".join(path.name for path in tried) or "none found"
    raise MissingFile(f"no usable LLVM ({OLDEST} or newer) among: {named}", hint=REMEDY)


def candidates(places: tuple[str, ...] = _PLACES) -> list[Path]:
    """Return the LLVM libraries of this machine that state a version from `OLDEST` on, newest first."""
    found: dict[Path, int] = {}
    for place in places:
        for pattern in ("libLLVM*", "*/libLLVM*", "llvm*/lib/libLLVM*"):
            for path in Path(place).glob(pattern):
                version = re.search(r"(?:LLVM[-.](?:so\.|dylib\.)?|llvm[-@])(\d+)", str(path))
                if version and int(version[1]) >= OLDEST and (".so" in path.name or ".dylib" in path.name):
                    found.setdefault(path.resolve(), int(version[1]))
    return sorted(found, key=lambda path: (-found[path], str(path)))


def _works(path: Path) -> bool:
    """Try a library in a process of its own; a success is remembered for this very file."""
    try:
        stat = path.stat()
    except OSError:
        return False
    version = metadata.version("drjit") if _installed() else ""
    known = [str(path.absolute()), stat.st_size, int(stat.st_mtime), version]
    remembered = folders.cache() / "radiance" / "llvm.json"
    try:
        if json.loads(remembered.read_text()) == known:
            return True
    except (OSError, ValueError):
        pass
    if not version:
        raise MissingExtra("mitsuba", extra="radiance")
    environment = {**os.environ, VARIABLE: str(path)}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            env=environment,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    if done.returncode == 0:
        outputs.write_text(remembered, json.dumps(known))
    return done.returncode == 0


def _installed() -> bool:
    try:
        metadata.version("drjit")
    except metadata.PackageNotFoundError:
        return False
    return True
