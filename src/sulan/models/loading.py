"""Load a causal language model with its tokenizer: built-in, from a folder, from a GGUF file or from the Hub.

What is loaded is checked: every weight is there and finite, and the tokenizer's tokens fit the embedding. No
code of the checkpoint runs (`trust_remote_code` is never set, pickles are read with `weights_only`).
Not covered: adapters and quantised checkpoints whose kernels need packages of their own.
"""

import hashlib
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from sulan.errors import BackendError, BrokenArtefact, InputError, MissingFile
from sulan.models import builtin, devices, tiny
from sulan.models.devices import Precision
from sulan.models.quiet import quiet
from sulan.models.saving import CONFIG, save
from sulan.runs import fingerprints

__all__ = ["LanguageModel", "load", "save"]

WEIGHTS = ("*.safetensors", "*.bin")
UNBOUNDED = 1 << 30
"""Contexts above this are how a configuration says that it knows none."""


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """A causal language model that is ready to be asked.

    Attributes
    ----------
    model
        In evaluation mode, on its device, without gradients.
    tokenizer
        Its tokenizer.
    name
        What was asked for.
    fingerprint
        SHA-256 over the checkpoint's weights and configuration.
    tokenizer_fingerprint
        SHA-256 over the tokenizer.
    context
        Longest sequence in tokens that the model was made for.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    fingerprint: str
    tokenizer_fingerprint: str
    context: int


def load(name: str | Path, *, dtype: Precision = "auto", device: str = "auto") -> LanguageModel:
    """Load a causal language model with its tokenizer.

    Parameters
    ----------
    name
        `smollm2`, `gemma`, `tiny` (small and random, to try things out), a checkpoint folder, a `.gguf` file, or the
        id of a model on the Hugging Face Hub (reached only where `HF_HUB_OFFLINE` is not set).
    dtype
        Precision of the weights: `float32`, `bfloat16`, or `auto`, whichever the device multiplies in hardware.
    device
        `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises
    ------
    MissingFile
        There is no such model.
    InputError
        The folder is not a checkpoint of a causal language model, or its tokenizer does not fit it.
    BrokenArtefact
        Weights are missing, damaged, NaN or infinite; the message names the tensor.
    BackendError
        The Hub did not give the model.
    """
    where = devices.device(device)
    folder = checkpoint_folder(name)
    model, tokenizer = _read(folder, name, dtype=devices.dtype(dtype, where))
    _check_finite(model, name)
    _check_vocabulary(model, tokenizer, name)
    torch.nn.Module.to(
        model.eval().requires_grad_(False), where
    )  # the class's own to() is typed as a function
    return LanguageModel(
        model=model,
        tokenizer=tokenizer,
        name=str(name),
        fingerprint=_fingerprint(folder),
        tokenizer_fingerprint=tokenizer_fingerprint(tokenizer),
        context=context(model),
    )


def context(model: PreTrainedModel) -> int:
    """Return the longest sequence in tokens that a model's configuration allows.

    Raises
    ------
    InputError
        The configuration does not say.
    """
    config = model.config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        found = getattr(config, name, None)
        if isinstance(found, int) and 0 < found < UNBOUNDED:
            return found
    raise InputError(f"the configuration of {model.config.model_type} names no longest sequence")


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the SHA-256 over everything that decides a tokenizer's tokens."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    text = backend.to_str() if backend is not None else repr(sorted(tokenizer.get_vocab().items()))
    ends = f"{tokenizer.bos_token_id} {tokenizer.eos_token_id}"
    return hashlib.sha256(f"{ends}\n{text}".encode()).hexdigest()


def checkpoint_folder(name: str | Path) -> Path:
    """Return the checkpoint folder that a name means."""
    if str(name) == tiny.NAME:
        return tiny.checkpoint()
    path = builtin.BUILT_IN[name]() if name in builtin.BUILT_IN else Path(name).expanduser()
    if path.suffix == ".gguf":
        from sulan.models import gguf

        return gguf.checkpoint(path)
    if path.is_dir():
        if not (path / CONFIG).is_file():
            raise InputError(f"{path} is not a checkpoint: it has no {CONFIG}")
        return path
    if path.exists():
        raise InputError(f"{path} is not a checkpoint", hint="name the folder that holds config.json")
    return _from_hub(str(name))


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    hint = "smollm2, gemma, a checkpoint folder, a .gguf file or the id of a model on the Hub"
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    files = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        return Path(snapshot_download(name, allow_patterns=files, local_files_only=offline))
    except (HFValidationError, RepositoryNotFoundError) as error:
        raise MissingFile(f"no model {name!r}", hint=hint) from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        if offline:
            raise MissingFile(f"no model {name!r} here, and HF_HUB_OFFLINE is set", hint=hint) from error
        raise BackendError(f"the Hub did not give {name!r}: {_line(error)}") from error


def _read(
    folder: Path, name: str | Path, *, dtype: torch.dtype
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model, found = AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype, local_files_only=True, weights_only=True, output_loading_info=True
            )
    except (SafetensorError, pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise BrokenArtefact(f"the weights of {name} are damaged: {_line(error)}") from error
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise InputError(f"{name} is not a causal language model: {_line(error)}") from error
    if tokenizer is None:
        raise InputError(f"{name} has no tokenizer")
    _check_complete(found, name)
    return model, tokenizer


def _check_complete(found: dict[str, Any], name: str | Path) -> None:
    # Where weights are missing transformers draws them at random and only warns.
    for kind in ("missing_keys", "mismatched_keys"):
        if found.get(kind):
            tensors = sorted(str(key) for key in found[kind])
            raise BrokenArtefact(f"{name} has no usable weights for {tensors[0]} and {len(tensors) - 1} more")


def _check_finite(model: PreTrainedModel, name: str | Path) -> None:
    for tensor_name, tensor in model.named_parameters():
        # The extremes are NaN where any value is; unlike isfinite() this makes no copy.
        low, high = torch.aminmax(tensor)
        if not (torch.isfinite(low) and torch.isfinite(high)):
            raise BrokenArtefact(f"{name} has NaN or infinite weights in {tensor_name}")


def _check_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str | Path) -> None:
    rows = len(cast(torch.nn.Embedding, model.get_input_embeddings()).weight)
    special = set(tokenizer.all_special_ids)
    for token, number in tokenizer.get_vocab().items():
        # Gemma 3's tokenizer has a special token for images that its text models have no row for.
        if number >= rows and number not in special:
            raise InputError(
                f"the tokenizer of {name} does not fit: {token!r} is {number}, the embedding has {rows} rows"
            )


def _fingerprint(folder: Path) -> str:
    weights = sorted(path for pattern in WEIGHTS for path in folder.glob(pattern))
    lines = (f"{fingerprints.file(path)}  {path.name}\n" for path in [folder / CONFIG, *weights])
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
