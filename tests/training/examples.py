"""Small models and token streams that the tests of this folder train."""

from pathlib import Path
from typing import Any

import numpy
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PhiConfig, PhiForCausalLM, PreTrainedModel

from sulan.training import TokenStream, pack
from sulan.training.config import TrainingConfig

VOCABULARY = 128
CONTEXT = 32


def llama(**settings: Any) -> LlamaForCausalLM:
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    return LlamaForCausalLM(LlamaConfig(**{**shape, **settings}))


def phi(**settings: Any) -> PhiForCausalLM:
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 128,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    return PhiForCausalLM(PhiConfig(**{**shape, **settings}))


def documents(count: int = 60, *, seed: int = 0) -> list[numpy.ndarray]:
    """Sequences that count up by one or two: a small model learns them in some dozens of steps."""
    draw = numpy.random.default_rng(seed)
    steps = (draw.integers(1, 3, size=draw.integers(0, 150)) for _ in range(count))
    return [numpy.cumsum(part) % (VOCABULARY - 1) + 1 for part in steps]


def stream(folder: Path, count: int = 60) -> TokenStream:
    return pack(documents(count), folder, vocabulary=VOCABULARY, end=0)


def config(**settings: Any) -> TrainingConfig:
    """Return a short training in float32 with a fast learning rate."""
    small: dict[str, Any] = {
        "steps": 20,
        "batch": 4,
        "context": CONTEXT,
        "learning_rate": 3e-3,
        "dtype": "float32",
    }
    return TrainingConfig(**{**small, **settings})


def weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}
