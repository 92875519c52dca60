"""What the verbs that answer people share: the system, what checks and marks its media, and a server in front."""

from pathlib import Path
from typing import TYPE_CHECKING

from sulan.anytoany.delivery import Delivery
from sulan.anytoany.protocols import Assistant
from sulan.anytoany.safety import OpenNsfw
from sulan.errors import MissingFile

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def assistant(system: Path) -> Assistant:
    """Return the system that `sulan anytoany train` wrote.

    Raises
    ------
    MissingFile
        There is no such folder.
    """
    from sulan.anytoany.system import load  # pyrefly: ignore[missing-import]

    if not system.is_dir():
        raise MissingFile(f"There is no system at {system}", hint="sulan anytoany train CONFIG makes one.")
    return load(system)


def delivery(*, provenance: bool, safety: bool) -> Delivery:
    """Return what checks and marks made media."""
    return Delivery(checker=OpenNsfw() if safety else None, provenance=provenance)


def run(application: "ASGIApp", *, host: str, port: int) -> None:
    """Serve until interrupted; replies that are being made are given up after a second."""
    import uvicorn

    uvicorn.run(application, host=host, port=port, log_level="info", timeout_graceful_shutdown=1)
