"""What is trained and what is reused, counted on the meta device: no weights are needed.

Not covered: memory and time.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from sulan.anytoany.media import Kind
from sulan.anytoany.projections import LinearInput, TransformerOutput

REUSED: Mapping[str, int] = {
    "encoder ImageBind-Huge": 1_200_000_000,
    "decoder Stable Diffusion 1.5": 1_300_000_000,
    "decoder AudioLDM-L": 975_000_000,
    "decoder Zeroscope v2": 1_800_000_000,
}
"""Sizes that the paper's third version states for its encoder and decoders; their code is not built here."""

CONDITIONS: Mapping[Kind, tuple[int, int]] = {"image": (77, 768), "audio": (1, 512), "video": (77, 1024)}
"""Tokens and width that steer Stable Diffusion 1.5, AudioLDM and Zeroscope."""

ENCODED = 1024
"""Width of ImageBind-Huge's embedding."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One part of a system.

    Attributes
    ----------
    part
        Its name.
    count
        Of its parameters.
    trained
        Whether any stage changes them.
    """

    part: str
    count: int
    trained: bool


def official() -> list[Row]:
    """Return the parts of the paper's system: a Llama of 7B, LoRA of rank 32 on q, k, v and o, five projections."""
    config = LlamaConfig()  # its defaults are Llama-7B's shape
    hidden = config.hidden_size
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
        frozen = count(model)
        targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
        adapted = get_peft_model(model, LoraConfig(r=32, lora_alpha=32, target_modules=targets))
        projections: dict[str, nn.Module] = {"input projection": LinearInput(ENCODED, hidden)}
        for kind, (tokens, width) in CONDITIONS.items():
            projections[f"output projection {kind}"] = TransformerOutput(
                hidden=hidden, tokens=tokens, width=width
            )
    return [
        *(Row(part=part, count=size, trained=False) for part, size in REUSED.items()),
        Row(part="language model", count=frozen, trained=False),
        Row(part="LoRA", count=count(adapted, trained=True), trained=True),
        *(Row(part=part, count=count(module), trained=True) for part, module in projections.items()),
    ]


def share(rows: list[Row]) -> float:
    """Return the part of all parameters that is trained, in [0, 1].

    Examples
    --------
    >>> share([Row(part="a", count=1, trained=True), Row(part="b", count=99, trained=False)])
    0.01
    """
    return sum(row.count for row in rows if row.trained) / sum(row.count for row in rows)


def count(module: nn.Module, *, trained: bool = False) -> int:
    """Return a module's parameters: all, or those with gradients."""
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad or not trained)
