"""A checkpoint read one block at a time: the model's shell without weights, filled and emptied as the work goes on.

Only the embedding, the final norm and the block at hand are in memory. Files are read through safetensors' (or
torch's) memory map. Not covered: checkpoints that are quantised already, and architectures whose checkpoints
name weights otherwise than the model does (fused experts of some mixtures).
"""

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from sulan.errors import BrokenArtefact, InputError
from sulan.runs.progress import progress

INDEX = "model.safetensors.index.json"

SMALL_BYTES = 1 << 20
"""Below it a tensor is copied from the file's memory map: the system maps up to a megabyte around what is read, and
SmolLM2's 61 norms, kept until the result is written, held 64 MB of it."""


class Checkpoint:
    """The weights of a checkpoint folder by name, read from disk when asked for.

    Parameters
    ----------
    folder
        A checkpoint folder of a causal language model.

    Attributes
    ----------
    skeleton
        The model with its buffers and without weights (they are on the device `meta`).
    names
        Its weights, tied ones once.

    Raises
    ------
    InputError
        It is quantised already, or not a causal language model.
    BrokenArtefact
        It has no weights.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.config = AutoConfig.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{folder} is not a causal language model: {reason}") from error
        if getattr(self.config, "quantization_config", None):
            raise InputError(f"{folder} is quantised already", hint="name the model that it was made from")
        self._files = _files(folder)
        self.skeleton = self._skeleton()

    def _skeleton(self) -> PreTrainedModel:
        from accelerate import init_empty_weights

        with init_empty_weights(include_buffers=False):
            model = AutoModelForCausalLM.from_config(self.config, attn_implementation="sdpa")
        model.tie_weights()
        model.eval().requires_grad_(False)
        self.names = [name for name, _ in model.named_parameters(remove_duplicate=True)]
        missing = [name for name in self.names if name not in self._files]
        if missing:
            raise BrokenArtefact(f"{self.folder} has no usable weights for {missing[0]}")
        return model

    @cached_property
    def dtype(self) -> torch.dtype:
        """Precision of the weights: that of the first one."""
        name = next(iter(self._files))
        return self.tensor(name).dtype

    def tensor(self, name: str) -> Tensor:
        """Read one weight.

        Raises
        ------
        BrokenArtefact
            It is absent, or has NaN or infinite values.
        """
        if name not in self._files:
            raise BrokenArtefact(f"{self.folder} has no usable weights for {name}")
        tensor = _read(self._files[name], name)
        if tensor.is_floating_point():
            low, high = torch.aminmax(tensor)
            if not (torch.isfinite(low) and torch.isfinite(high)):
                raise BrokenArtefact(f"{self.folder} has NaN or infinite weights in {name}")
        return tensor

    def check(self) -> None:
        """Read every weight once: a NaN in the last block is told now, not after hours.

        Raises
        ------
        BrokenArtefact
            As `tensor`.
        """
        for name in progress(self.names, label="check"):
            self.tensor(name)

    def fill(self, module: nn.Module, prefix: str, *, dtype: torch.dtype, device: torch.device) -> None:
        """Load the weights of a part of the skeleton."""
        for name, parameter in list(module.named_parameters()):
            loaded = self.tensor(f"{prefix}{name}").to(device=device, dtype=dtype)
            if loaded.shape != parameter.shape:
                raise BrokenArtefact(
                    f"{self.folder}: {prefix}{name} is {list(loaded.shape)}, not {list(parameter.shape)}"
                )
            _assign(module, name, loaded)
        for buffer in module.buffers():
            buffer.data = buffer.data.to(device)

    def empty(self, module: nn.Module) -> None:
        """Forget the weights of a part of the skeleton."""
        for name, parameter in list(module.named_parameters()):
            _assign(module, name, torch.empty_like(parameter, device="meta"))


def blocks(model: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """Return the model's transformer blocks with their name: the longest list of modules that hold matrices.

    Raises
    ------
    InputError
        The model has none.
    """
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and any(len(p.shape) == 2 for p in module.parameters())
    ]
    if not found:
        raise InputError(f"{model.config.model_type} has no list of transformer blocks")
    return max(found, key=lambda pair: len(pair[1]))


def _files(folder: Path) -> dict[str, Path]:
    """Return the file of every weight."""
    if (folder / INDEX).is_file():
        index = json.loads((folder / INDEX).read_text())["weight_map"]
        return {name: folder / file for name, file in index.items()}
    found: dict[str, Path] = {}
    for path in [*sorted(folder.glob("*.safetensors")), *sorted(folder.glob("*.bin"))]:
        if path.suffix == ".bin" and found:
            break
        found.update(dict.fromkeys(_names(path), path))
    if not found:
        raise BrokenArtefact(f"{folder} has no weights", hint="it needs *.safetensors or *.bin")
    return found


def _names(path: Path) -> Iterator[str]:
    from safetensors import SafetensorError, safe_open

    if path.suffix == ".bin":
        yield from torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        return
    try:
        with safe_open(path, framework="pt") as file:
            yield from file.keys()
    except SafetensorError as error:
        raise BrokenArtefact(f"{path} is damaged: {error}") from error


def _read(path: Path, name: str) -> Tensor:
    """Read one tensor; the file is closed again, so that what is mapped of it goes with the tensor."""
    from safetensors import SafetensorError, safe_open

    if path.suffix == ".bin":
        return torch.load(path, map_location="cpu", mmap=True, weights_only=True)[name]
    try:
        with safe_open(path, framework="pt") as file:
            tensor = file.get_tensor(name)
            return tensor.clone() if tensor.nbytes < SMALL_BYTES else tensor
    except SafetensorError as error:
        raise BrokenArtefact(f"{path} is damaged: {error}") from error


def _assign(module: nn.Module, name: str, tensor: Tensor) -> None:
    *path, last = name.split(".")
    owner = module.get_submodule(".".join(path))
    setattr(owner, last, nn.Parameter(tensor, requires_grad=False))
