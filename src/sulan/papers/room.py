"""What makes a package a room: its verbs, one file each, importable by the same name.

`sulan.prune.keep` is the function `keep` of the file `sulan/prune/keep.py`. Python itself would bind the
*submodule* to that name as soon as anything imports it; `room` makes the verb win, and imports it only when
it is asked for, so that a room costs nothing until used.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from sulan.errors import BrokenArtefact

GROUP = "sulan.rooms"
"""The entry-point group. Sulan's own rooms and third-party rooms go through this one door."""


class _RoomModule(ModuleType):
    def __setattr__(self, name: str, value: object) -> None:
        # The import system binds a submodule to its parent once it is loaded; the verb has the same name.
        if isinstance(value, ModuleType) and name in self.__dict__.get("__all__", ()):
            value = getattr(value, name)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("__all__", ()):
            return getattr(import_module(f"{self.__name__}.{name}"), name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.__dict__.get("__all__", ())})


def room(package: str) -> None:
    """Make `package` a room; its `__init__.py` calls this last, with `__all__` naming its verbs.

    Parameters
    ----------
    package
        The package's `__name__`.
    """
    sys.modules[package].__class__ = _RoomModule


@dataclass(frozen=True, kw_only=True)
class Room:
    """An installed room.

    Attributes
    ----------
    name
        The word typed on the command line.
    package
        The Python package, e.g. `sulan.digest`.
    """

    name: str
    package: str

    @property
    def module(self) -> ModuleType:
        """The package, imported; a room's `__init__` imports nothing heavy.

        Raises
        ------
        BrokenArtefact
            The package cannot be imported, or has no `__all__`; a third party's room may be either.
        """
        try:
            module = import_module(self.package)
        except ImportError as error:
            raise BrokenArtefact(f"room {self.name} cannot be imported: {error}") from error
        if not hasattr(module, "__all__"):
            raise BrokenArtefact(f"room {self.name} names no verbs: {self.package} has no __all__")
        return module

    @property
    def verbs(self) -> tuple[str, ...]:
        """Names of the room's verbs as people type them, in the order of `__all__`; none while only its card exists.

        `audit_sample` in Python is `audit-sample` on the command line, in recipes and in records.
        """
        return tuple(name.replace("_", "-") for name in self.module.__all__)

    @property
    def summary(self) -> str:
        """First line of the package's docstring."""
        return (self.module.__doc__ or "").strip().partition("\n")[0]

    @property
    def card_path(self) -> Path:
        """Where the room's `card.toml` is."""
        if self.module.__file__ is None:
            raise BrokenArtefact(f"room {self.name} is not a package on disk: {self.package}")
        return Path(self.module.__file__).with_name("card.toml")

    def function(self, verb: str) -> Callable[..., Any]:
        """The verb's function, imported."""
        name = verb.replace("-", "_")
        return getattr(import_module(f"{self.package}.{name}"), name)

    def target(self, verb: str) -> str:
        """Where the verb's function is, as `module:function`."""
        name = verb.replace("-", "_")
        return f"{self.package}.{name}:{name}"


def rooms() -> dict[str, Room]:
    """All installed rooms by name, in alphabetical order."""
    points = sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: Room(name=point.name, package=point.value) for point in points}
