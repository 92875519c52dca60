"""GGUF files as ordinary checkpoints: dequantised once, verified, kept in the user's cache folder.

transformers reads the file and dequantises it; that takes seconds to minutes, so the result is kept under the
file's SHA-256 and this module's format number. Two processes that want the same one wait for one another. Not covered:
writing GGUF.
"""

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from sulan.errors import BrokenArtefact, InputError
from sulan.models.quiet import quiet
from sulan.models.saving import save
from sulan.runs import fingerprints, folders

FORMAT = 1
"""Raised when what this module writes changes: older copies are then made anew."""

PROBE = "The quick brown fox, 速览, naïve: 3.14\n\tdef f(x): return x  # ok"
"""Text whose tokens the reloaded tokenizer must give again."""

_log = logging.getLogger(__name__)


def checkpoint(path: Path) -> Path:
    """Return the folder that holds a GGUF file as a checkpoint in float32; made on first use.

    Parameters
    ----------
    path
        A GGUF file of an architecture that transformers knows.

    Raises
    ------
    MissingFile
        There is no such file.
    InputError
        It is not GGUF, or of an architecture that transformers cannot read.
    BrokenArtefact
        It is damaged, or what was written does not read back equal.
    """
    digest = fingerprints.file(path)
    with path.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise InputError(f"{path} is not a GGUF file")
    place = folders.cache() / "models" / f"{path.stem}-{digest[:16]}-{FORMAT}"
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        if not place.is_dir():
            _log.info("%s is converted once, into %s", path.name, place)
            aside = place.with_name(f".{place.name}.partial")
            shutil.rmtree(aside, ignore_errors=True)  # of a run that was killed
            aside.mkdir()
            try:
                _convert(path, aside)
                aside.rename(place)
            except BaseException:
                shutil.rmtree(aside, ignore_errors=True)
                raise
    return place


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Wait until no other process makes `place`; the lock's file stays, so that all lock the same one."""
    with place.with_name(f".{place.name}.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # the kernel frees it when the process dies
        yield


def _convert(path: Path, folder: Path) -> None:
    model, tokenizer = _read(path)
    save(model, tokenizer, folder)
    with quiet():
        again = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        reread = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    read = again.state_dict()
    for name, tensor in model.state_dict().items():
        if not bool(torch.isfinite(tensor).all()):
            raise BrokenArtefact(f"{path} has NaN or infinite weights in {name}")
        if name not in read or not torch.equal(tensor, read[name]):
            raise BrokenArtefact(f"{path}: {name} does not read back as it was written")
    if reread is None or _tokens(reread) != _tokens(tokenizer):
        raise BrokenArtefact(f"{path}: its tokenizer does not read back as it was written")
    for name in os.listdir(folder):  # noqa: PTH208
        with (folder / name).open("rb") as stream:
            os.fsync(stream.fileno())


def _tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    return tokenizer(PROBE, add_special_tokens=False)["input_ids"]


def _read(path: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(
                path.parent, gguf_file=path.name, dtype=torch.float32, local_files_only=True
            )
    except (OSError, ValueError, KeyError, IndexError, RuntimeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"transformers cannot read {path}: {type(error).__name__}: {reason}") from error
    if tokenizer is None:
        raise InputError(f"transformers cannot read the tokenizer of {path}")
    # It is marked as quantised, and transformers refuses to save such a model; its weights are plain float32.
    model.hf_quantizer = None
    model.is_quantized = False
    del model.config.quantization_config
    return model, tokenizer
