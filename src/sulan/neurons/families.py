"""Where the feed-forward neurons of a model are: one line per family of architectures.

A neuron is a value between the two matrices of a feed-forward block. In a gated block (SwiGLU, GeGLU) it is the
product of two values, and the gate is the one that the activation function is applied to. Not covered: mixtures
of experts (a neuron's denominator would be its expert's tokens), fused gate and up matrices, encoders.
"""

from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from sulan.errors import InputError

ZERO_CLOSED = frozenset({"relu", "relu2", "relu6", "relu_squared"})
"""Activation functions that give exactly 0 for everything below 0: only there does a closed gate add nothing."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Names of the parts, as attribute paths from a layer (from the base model where said).

    Attributes
    ----------
    layers
        The list of layers, from the base model.
    read
        Matrix that reads the residual stream; in a gated block the gate's.
    write
        Matrix that writes to the residual stream.
    norm
        Normalisation whose output the block reads.
    final_norm
        Last normalisation before the head, from the base model.
    width
        Key of the configuration that holds the number of neurons a layer.
    activation
        Key of the configuration that names the activation function.
    up
        The gate's partner in a gated block; empty in a plain one.
    one_plus
        The normalisation's gain is 1 + its weight, as Gemma has it.
    project_out
        Matrix between the last layer and the head, from the base model; empty in most.
    """

    layers: str
    read: str
    write: str
    norm: str
    final_norm: str
    width: str = "intermediate_size"
    activation: str = "hidden_act"
    up: str = ""
    one_plus: bool = False
    project_out: str = ""


_LLAMA = Family(
    layers="layers",
    read="mlp.gate_proj",
    up="mlp.up_proj",
    write="mlp.down_proj",
    norm="post_attention_layernorm",
    final_norm="norm",
)
_GEMMA = Family(
    layers="layers",
    read="mlp.gate_proj",
    up="mlp.up_proj",
    write="mlp.down_proj",
    norm="pre_feedforward_layernorm",
    final_norm="norm",
    activation="hidden_activation",
    one_plus=True,
)
FAMILIES = {
    "opt": Family(
        layers="decoder.layers",
        read="fc1",
        write="fc2",
        norm="final_layer_norm",
        final_norm="decoder.final_layer_norm",
        width="ffn_dim",
        activation="activation_function",
        project_out="decoder.project_out",
    ),
    "gpt2": Family(
        layers="h",
        read="mlp.c_fc",
        write="mlp.c_proj",
        norm="ln_2",
        final_norm="ln_f",
        width="n_inner",
        activation="activation_function",
    ),
    "gpt_neox": Family(
        layers="layers",
        read="mlp.dense_h_to_4h",
        write="mlp.dense_4h_to_h",
        norm="post_attention_layernorm",
        final_norm="final_layer_norm",
    ),
    "phi": Family(
        layers="layers",
        read="mlp.fc1",
        write="mlp.fc2",
        norm="input_layernorm",
        final_norm="final_layernorm",
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": replace(_LLAMA, one_plus=True),
    "gemma2": _GEMMA,
    "gemma3_text": _GEMMA,
}
"""By `model_type` of the configuration."""


@dataclass(frozen=True, kw_only=True)
class FeedForward:
    """The feed-forward block of one layer.

    Attributes
    ----------
    read, write
        The two matrices' modules; `read` is the gate in a gated block.
    up
        The gate's partner; None in a plain block.
    norm
        Module whose output the block reads.
    neurons
        Their number.
    """

    read: nn.Module
    write: nn.Module
    up: nn.Module | None
    norm: nn.Module
    neurons: int


def family(model: PreTrainedModel) -> Family:
    """Return the family of a model.

    Raises
    ------
    InputError
        The architecture is none of those known here.
    """
    kind = model.config.get_text_config().model_type
    if kind not in FAMILIES:
        raise InputError(
            f"no neurons known for the architecture {kind!r}", hint=f"known: {', '.join(FAMILIES)}"
        )
    return FAMILIES[kind]


def feed_forwards(model: PreTrainedModel) -> tuple[FeedForward, ...]:
    """Return the feed-forward blocks of a model, layer by layer.

    Raises
    ------
    InputError
        The architecture is none of those known here.
    """
    names = family(model)
    norm = names.norm
    if getattr(model.config, "do_layer_norm_before", True) is False:
        norm = "self_attn_layer_norm"  # OPT-350m normalises after attention: that is what the block reads
    blocks = []
    for layer in attribute(model.base_model, names.layers):
        read = attribute(layer, names.read)
        blocks.append(
            FeedForward(
                read=read,
                write=attribute(layer, names.write),
                up=attribute(layer, names.up) if names.up else None,
                norm=attribute(layer, norm),
                neurons=len(rows(read)),
            )
        )
    return tuple(blocks)


def activation(model: PreTrainedModel) -> str:
    """Return the name of the activation function, as transformers has it."""
    return str(getattr(model.config.get_text_config(), family(model).activation))


def attribute(module: Any, path: str) -> Any:
    """Return a part by its dotted path; torch cannot know its type."""
    return reduce(getattr, path.split("."), module)


def rows(module: Any) -> torch.Tensor:
    """Return the weights of a matrix that makes neurons, [neurons, width]; GPT-2 stores them transposed."""
    weight = module.weight
    return weight.T if isinstance(module, Conv1D) else weight


def columns(module: Any) -> torch.Tensor:
    """Return the weights of a matrix that neurons go into, [neurons, width]: a row is what a neuron writes."""
    weight = module.weight
    return weight if isinstance(module, Conv1D) else weight.T
