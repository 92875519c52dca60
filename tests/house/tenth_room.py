"""A tenth room as a stranger would write it: a package and one entry point, in a folder of its own."""

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

INIT = '''
"""Say a word again and again.

Paper: none; this room tests the house.

Example::

    sulan echo say --word hi --out heard
"""

from sulan.papers.room import room

__all__ = ["say"]

room(__name__)
'''

SAY = '''
"""Say a word."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sulan.errors import BackendError, InputError
from sulan.reports.report import Report, Table
from sulan.runs import outputs
from sulan.runs.record import record


@dataclass(frozen=True, kw_only=True)
class Voice:
    """How it sounds.

    Parameters
    ----------
    loudness
        In decibels.
    """

    loudness: float = 60.0


def say(
    *,
    word: str,
    out: Path,
    times: int = 1,
    ends: tuple[Literal["!", "?", "."], ...] = (".",),
    voice: Voice = Voice(),
) -> Report:
    """Say a word.

    Parameters
    ----------
    word
        What to say; `quiet` is refused, `remote` fails elsewhere, `bug` is ours.
    out
        Folder for what was heard.
    times
        How often.
    ends
        Marks at the end.
    voice
        How it sounds.
    """
    with (
        outputs.folder(out) as folder,
        record(verb="echo say", folder=folder, config=locals()),
    ):
        if word == "quiet":
            raise InputError("quiet cannot be said", hint="say something else")
        if word == "remote":
            raise BackendError("nobody answered")
        if word == "bug":
            raise AttributeError("our mistake")
        if word == "stop":
            raise KeyboardInterrupt
        (folder / "heard.txt").write_text((word + "".join(ends)) * times)
    return Report(
        title=f"say [bold]{word}[/bold]",
        summary={"times": times, "loudness": voice.loudness},
        tables=(Table(title="Heard", columns=("word", "times"), rows=((word, times),)),),
        exit_code=1 if word == "wrong" else 0,
    )
'''


@dataclass(frozen=True, kw_only=True)
class Installed:
    """The room, installed below `folder`; `sulan(...)` runs the command line that sees it."""

    folder: Path

    def sulan(self, *words: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self.folder / "site"), *filter(None, [os.environ.get("PYTHONPATH", "")])])
        return subprocess.run(
            [sys.executable, "-m", "sulan", *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path, "COLUMNS": "120"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def install(folder: Path) -> Installed:
    """Install the room for processes that `Installed.sulan` starts."""
    package = folder / "site" / "sulan_echo"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(textwrap.dedent(INIT).lstrip())
    (package / "say.py").write_text(textwrap.dedent(SAY).lstrip())
    info = folder / "site" / "sulan_echo-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sulan-echo\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sulan.rooms]\necho = sulan_echo\n")
    return Installed(folder=folder)
