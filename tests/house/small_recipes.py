"""Each room's small recipe, run once for the suite: a worked example of every verb, offline, in minutes."""

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def sulan(*words: str, folder: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder, with a home of its own and no network."""
    environment = {
        **os.environ,
        "SULAN_HOME": str(folder / "home"),
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "sulan", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def run(room: str, *, folder: Path) -> Ran:
    """Run a room's recipe; it must end within the minutes that it states."""
    document = read(room)
    done = sulan("run", str(recipe(room)), folder=folder, timeout=60 * document["minutes"])
    return Ran(folder=folder, document=document, done=done)
