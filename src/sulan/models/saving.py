"""Write a checkpoint folder that plain transformers, vLLM and llama.cpp's converter read.

Covered: weights as safetensors, configuration, tokenizer, the same bytes every time. Not covered: adapters
and quantised weights, whose rooms write their own.
"""

import json
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from sulan.models.quiet import quiet
from sulan.runs import outputs

CONFIG = "config.json"


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Save a model and its tokenizer into a folder.

    Parameters
    ----------
    model
        Any causal language model of transformers; its weights are written in the precision that they have.
    tokenizer
        The model's tokenizer.
    folder
        An existing folder, as `outputs.folder` gives it. Files of earlier checkpoints in it are overwritten.
    """
    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    path = folder / CONFIG
    config = json.loads(path.read_text())
    outputs.write_text(path, json.dumps(readable_everywhere(config), indent=2, sort_keys=True) + "\n")


def readable_everywhere(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with the keys that readers older than transformers 5 look for.

    transformers 5 writes the rotary embedding's base and the share of a head that it turns inside
    `rope_parameters` only. llama.cpp's converter, vLLM and transformers 4 look for `rope_theta` and
    `partial_rotary_factor` at the top, and where they find none take a default: a wrong model without an error.
    transformers 5 prefers `rope_parameters` and ignores the copies.

    Examples
    --------
    >>> readable_everywhere({"rope_parameters": {"rope_type": "default", "rope_theta": 1e5}})["rope_theta"]
    100000.0
    """
    found = {name: value for name, value in config.items() if name != "_name_or_path"}
    rope = found.get("rope_parameters") or {}
    if "full_attention" in rope:  # one set for each kind of layer, as Gemma 3 has them
        local = rope.get("sliding_attention") or {}
        if "rope_theta" in local:
            found.setdefault("rope_local_base_freq", local["rope_theta"])
        rope = rope["full_attention"]
    for name in ("rope_theta", "partial_rotary_factor"):
        if rope.get(name) is not None:
            found.setdefault(name, rope[name])
    if rope.get("rope_type", "default") != "default":
        kept = {name: value for name, value in rope.items() if name != "rope_theta"}
        found.setdefault("rope_scaling", kept)
    if "dtype" in found:
        found.setdefault("torch_dtype", found["dtype"])
    return found
