"""Models with fewer neurons: every layer as wide as it needs, or all as wide as the widest.

transformers knows one width for all layers. The padded form fills narrower layers up with neurons that are zero, and
any loader reads it; the compact form keeps each layer's own width, in the configuration as `ffn_dims`, and is read
by `load` alone. Not covered: layers without any neuron left.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.models.quiet import quiet
from sulan.neurons import families
from sulan.runs import outputs

DIMS = "ffn_dims"


def keep(model: PreTrainedModel, kept: Sequence[torch.Tensor], *, width: int | None = None) -> None:
    """Leave only some neurons in every layer of a model, in place.

    Parameters
    ----------
    model
        The model.
    kept
        Numbers of the neurons that stay, by layer; int64.
    width
        Fill every layer up to so many with neurons that are zero. None: to none.
    """
    for block, numbers in zip(families.feed_forwards(model), kept, strict=True):
        size = len(numbers) if width is None else width
        for module in filter(None, (block.read, block.up)):
            _resize(module, numbers, size, made=True)
        _resize(block.write, numbers, size, made=False)
    if width is not None:
        setattr(model.config.get_text_config(), families.family(model).width, width)


def _resize(module: Any, numbers: torch.Tensor, size: int, *, made: bool) -> None:
    """Keep some neurons of a matrix that makes them, or that they go into."""
    transposed = isinstance(module, Conv1D)
    side = int(made == transposed)  # a Linear's weight is [out, in], Conv1D's [in, out]
    weight = module.weight.detach()
    shape = list(weight.shape)
    shape[side] = size
    resized = torch.zeros(shape, dtype=weight.dtype, device=weight.device)
    resized.narrow(side, 0, len(numbers)).copy_(weight.index_select(side, numbers))
    module.weight = nn.Parameter(resized, requires_grad=False)
    if made and module.bias is not None:
        bias = torch.zeros(size, dtype=weight.dtype, device=weight.device)
        bias[: len(numbers)] = module.bias.detach()[numbers]
        module.bias = nn.Parameter(bias, requires_grad=False)
    if transposed:
        module.nf, module.nx = (size, module.nx) if made else (module.nf, size)
    else:
        setattr(module, "out_features" if made else "in_features", size)


def save(model: PreTrainedModel, folder: Path) -> None:
    """Write a model with layers of different widths; `load` reads it."""
    with quiet():
        model.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config[DIMS] = [block.neurons for block in families.feed_forwards(model)]
    outputs.write_text(path, json.dumps(config, indent=2, sort_keys=True) + "\n")


def load(folder: Path) -> PreTrainedModel:
    """Read a model that `save` wrote.

    Raises
    ------
    MissingFile
        There is none.
    InputError
        The checkpoint is an ordinary one.
    BrokenArtefact
        Its weights do not fit its configuration.
    """
    if not (folder / "config.json").is_file():
        raise MissingFile(f"no compact checkpoint at {folder}")
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    dims = getattr(config, DIMS, None)
    if not dims:
        raise InputError(f"{folder} has one width for all layers", hint="plain transformers loads it")
    model = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
    keep(model, [torch.zeros(size, dtype=torch.int64) for size in dims])
    try:
        weights = {
            name: each
            for path in sorted(folder.glob("*.safetensors"))
            for name, each in load_file(path).items()
        }
        found = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise BrokenArtefact(f"{folder}: {str(error).partition(chr(10))[0]}") from error
    tied = set(getattr(model, "all_tied_weights_keys", {}) or {})
    if found.unexpected_keys or set(found.missing_keys) - tied:
        raise BrokenArtefact(f"{folder} has no weights for {sorted(set(found.missing_keys) - tied)[:1]}")
    model.tie_weights()
    return model
