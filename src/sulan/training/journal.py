"""The loss log: one JSON object a step, in a file that a resumed training continues without repeating a step.

Fields: `step` (from 1: the steps done), `loss` (nats a token, mean of the step before its update),
`learning_rate`, `norm` (of the gradient before clipping), `tokens` (so far), `seconds` (of this step, wall) and
`skipped` where the update was left out. Not covered: plots; `reports` has those.
"""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from sulan.errors import BrokenArtefact, SulanError
from sulan.runs import outputs

NAME = "log.jsonl"


class Journal:
    """The log of a training in its work folder; a context manager.

    Parameters
    ----------
    folder
        Work folder.
    step
        Steps done by the checkpoint that the training goes on from; later lines are dropped.
    """

    def __init__(self, folder: Path, *, step: int) -> None:
        self._path = folder / NAME
        for leftover in folder.glob(f".{NAME}.*"):
            leftover.unlink()  # of a process that was killed in the lines below
        entries = [entry for entry in read(folder) if entry["step"] <= step]
        outputs.write_text(self._path, "".join(map(_line, entries)))
        self._file: TextIO = self._path.open("a")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, entry: dict[str, Any]) -> None:
        """Add the line of a step.

        Raises
        ------
        SulanError
            The disk is full.
        """
        try:
            self._file.write(_line(entry))
            self._file.flush()
        except OSError as error:
            raise SulanError(
                f"cannot write {self._path}: {error.strerror}",
                hint="free some space and run again: the training goes on from its last checkpoint",
            ) from error


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the log, in order; a last line that a kill cut off is left out.

    Raises
    ------
    BrokenArtefact
        Another line is not JSON.
    """
    try:
        text = (folder / NAME).read_text()
    except FileNotFoundError:
        return []
    whole, _, _ = text.rpartition("\n")
    try:
        return [json.loads(line) for line in whole.splitlines()]
    except ValueError as error:
        raise BrokenArtefact(f"{folder / NAME} is damaged: {error}", hint="remove it to go on") from error


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry) + "\n"
