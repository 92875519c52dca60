"""Checkpoints of a training beside its destination: written whole, read back bit by bit."""

import logging
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sulan.runs import outputs

_log = logging.getLogger(__name__)

NAME = "checkpoint.safetensors"


def keep(work: Path, done: int, state: dict[str, NDArray[Any]]) -> None:
    """Write what a training needs to go on after `done` steps."""
    import safetensors.numpy

    outputs.write_bytes(work / NAME, safetensors.numpy.save(state, {"done": str(done)}))


def restore(work: Path | None) -> tuple[int, dict[str, NDArray[Any]] | None]:
    """Return the steps done and the state, or 0 and None where there is no readable checkpoint."""
    if work is None or not (work / NAME).is_file():
        return 0, None
    import safetensors

    try:
        with safetensors.safe_open(work / NAME, framework="numpy") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
            done = int((file.metadata() or {})["done"])
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        _log.warning("the checkpoint in %s cannot be read (%s): training starts anew", work, error)
        return 0, None
    _log.info("going on from step %d", done)
    return done, state
