"""Each room's small recipe, run once for the suite: a worked example of every verb, offline, in minutes."""

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from house import forked

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A recipe that was run in `folder`."""

    folder: Path
    document: dict[str, Any]
    done: subprocess.CompletedProcess[str]

    def step(self, verb: str) -> dict[str, Any]:
        """Return the step of a verb, `digest write`."""
        return next(step for step in self.document["step"] if step["run"] == verb)


def recipe(room: str) -> Path:
    return ROOT / "recipes" / f"{room}-small.toml"


def read(room: str) -> dict[str, Any]:
    return tomllib.loads(recipe(room).read_text())


def sulan(*words: str, folder: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder, with a home of its own and no network."""
    environment = {"SULAN_HOME": str(folder / "home"), **forked.OFFLINE}
    return forked.sulan(*words, folder=folder, environment=environment, timeout=timeout)


def from_a_standing_start(
    *words: str, folder: Path, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Do the same in a process that has imported nothing."""
    return subprocess.run(
        [sys.executable, "-m", "sulan", *words],
        cwd=folder,
        env={**os.environ, "SULAN_HOME": str(folder / "home"), **forked.OFFLINE},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def run(room: str, *, folder: Path) -> Ran:
    """Run a room's recipe; it must end within the minutes that it states."""
    document = read(room)
    done = from_a_standing_start("run", str(recipe(room)), folder=folder, timeout=60 * document["minutes"])
    return Ran(folder=folder, document=document, done=done)
