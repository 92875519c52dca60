"""Sulan (速览): read the day's machine-learning papers, write the digest, and run the methods.

Rooms are imported on first use, so `import sulan` costs nothing::

    import sulan
    report = sulan.digest.verify(Path("digest.md"), input=Path("papers.json"))
"""

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

__all__ = [
    "anytoany",
    "corpus",
    "digest",
    "neurons",
    "prune",
    "quantize",
    "radiance",
    "textbook",
    "tune",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"sulan.{name}")
    raise AttributeError(f"module 'sulan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
