"""Checkpoints of a training: one safetensors file each, whole or absent.

`step-00000100.safetensors` holds the float32 weights, AdamW's state and, as metadata, the step and what the
training was made of. It is written under a hidden name, synced to the disk and renamed; a damaged newest file
is passed over for the one before. Not covered: checkpoints larger than one process can hold.
"""

import hashlib
import json
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from sulan.errors import BrokenArtefact, InputError, MissingFile, SulanError

_NAME = re.compile(r"step-(\d{8,})\.safetensors")

_SHOWN = 60
"""Characters of a value in the error that shows differences."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A training after `step` steps.

    Attributes
    ----------
    step
        Steps that were done.
    skipped
        How many of them left the weights as they were.
    about
        What the training was made of, as JSON has it: it must be the same to go on.
    state
        Tensors by name: `weight/NAME`, `exp_avg/NAME`, `exp_avg_sq/NAME`, `updates`.
    """

    step: int
    skipped: int
    about: dict[str, Any]
    state: dict[str, torch.Tensor]


def save(checkpoint: Checkpoint, folder: Path, *, keep: int) -> Path:
    """Write a checkpoint and remove those older than the newest `keep`.

    Raises
    ------
    BrokenArtefact
        A tensor is not finite; nothing is written.
    SulanError
        The disk is full, or refuses for another reason; earlier checkpoints are as they were.
    """
    for name, tensor in checkpoint.state.items():
        if not torch.isfinite(tensor).all():
            raise BrokenArtefact(
                f"after step {checkpoint.step} {name} is not finite: no checkpoint was written",
                hint="lower the learning rate; the last checkpoint is still there",
            )
    path = folder / f"step-{checkpoint.step:08d}.safetensors"
    aside = path.with_name(f".{path.name}.partial")
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.state.items()}
    metadata = {
        "step": str(checkpoint.step),
        "skipped": str(checkpoint.skipped),
        "about": json.dumps(checkpoint.about, sort_keys=True),
        "sha256": _sha256(state),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(state, aside, metadata=metadata)
        _sync(aside)
        aside.replace(path)
        _sync(folder)
    except (OSError, SafetensorError) as error:
        aside.unlink(missing_ok=True)
        raise SulanError(
            f"cannot write {path}: {str(error).partition(chr(10))[0]}",
            hint="free some space and run again: the training goes on from the checkpoint before",
        ) from error
    for old in _paths(folder)[keep:]:
        old.unlink()
    return path


def newest(folder: Path) -> Checkpoint | None:
    """Return the newest checkpoint that is whole, or None where there is none.

    Raises
    ------
    BrokenArtefact
        There are checkpoints, and every one is damaged.
    """
    # Of a process that was killed while it wrote: ours, and the file that safetensors itself renames.
    for leftover in (*folder.glob(".step-*.partial"), *folder.glob(".tmp*")):
        leftover.unlink(missing_ok=True)
    paths = _paths(folder)
    for path in paths:
        try:
            return read(path)
        except BrokenArtefact as error:
            _log.warning("%s; trying the one before", error)
    if paths:
        raise BrokenArtefact(
            f"every checkpoint in {folder} is damaged", hint="remove the folder to train from the start"
        )
    return None


def read(path: Path) -> Checkpoint:
    """Return a checkpoint.

    Raises
    ------
    BrokenArtefact
        It is cut off, or its bytes are not those that were written.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
        if metadata["sha256"] != _sha256(state):
            raise BrokenArtefact(f"{path} is not as it was written")
        return Checkpoint(
            step=int(metadata["step"]),
            skipped=int(metadata["skipped"]),
            about=json.loads(metadata["about"]),
            state=state,
        )
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        if isinstance(error, BrokenArtefact):
            raise
        raise BrokenArtefact(f"{path} is damaged or cut off: {error}") from error


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights of the newest whole checkpoint of a training's work folder, by the model's names.

    Raises
    ------
    MissingFile
        There is no checkpoint.
    """
    found = newest(folder)
    if found is None:
        raise MissingFile(f"no checkpoint in {folder}")
    return {
        name.partition("/")[2]: tensor for name, tensor in found.state.items() if name.startswith("weight/")
    }


def check_same(found: dict[str, Any], wanted: dict[str, Any], *, folder: Path) -> None:
    """Check that a checkpoint belongs to this training.

    Raises
    ------
    InputError
        It does not; the error shows each difference.
    """
    different = [
        f"{name} was {_shown(found.get(name))}, is {_shown(wanted.get(name))}"
        for name in sorted(found.keys() | wanted.keys())
        if found.get(name) != wanted.get(name)
    ]
    if different:
        raise InputError(
            f"the checkpoints in {folder} are of another training: {'; '.join(different)}",
            hint="train with what it was, or in another folder",
        )


def _shown(value: object) -> str:
    """Return a value as JSON, the long ones (fingerprints, shapes of all weights) shortened."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _paths(folder: Path) -> list[Path]:
    """Return the checkpoints, newest first."""
    found = [path for path in folder.glob("step-*.safetensors") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.stem.partition("-")[2]), reverse=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(state: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].flatten().numpy().data)
    return digest.hexdigest()
