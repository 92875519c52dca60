"""Small real things: a model whose distributions are written down, corpora of a few documents."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from sulan.documents import writer

HAND: Mapping[str, Mapping[str, float]] = {
    "": {"a": 1 / 2, "b": 1 / 4, "c": 1 / 4},
    "a": {"b": 3 / 4, "c": 1 / 4},
    "b": {"a": 7 / 8, "c": 1 / 8},
    "c": {"a": 1.0},
}
"""What follows each letter, and the begin of a document, in the hand-computed model."""


def hand_computed(folder: Path, *, context: int = 128) -> Path:
    """Save a Llama without layers whose next token depends on the last alone, as `HAND` says.

    The embedding is one-hot, the norm only scales, and the head is the table of log-probabilities.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from sulan import models
    from sulan.models import tiny

    words = tiny.tokenizer(["abc"], vocabulary=257, context=context)
    size = len(words)
    width = size + size % 2
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=width,
        intermediate_size=8,
        num_hidden_layers=0,
        num_attention_heads=1,
        num_key_value_heads=1,
        max_position_embeddings=context,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = LlamaForCausalLM(config)
    number = {"": 0, **{letter: words.convert_tokens_to_ids(letter) for letter in "abc"}}
    table = torch.full((size, width), -60.0)
    for before, following in HAND.items():
        for letter, probability in following.items():
            table[number[letter], number[before]] = math.log(probability)
    scale = 1 / math.sqrt(1 / width + config.rms_norm_eps)
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(torch.eye(size, width))
        model.lm_head.weight.copy_(table / scale)
    folder.mkdir(parents=True, exist_ok=True)
    models.save(model, words, folder)
    return folder


def corpus(
    folder: Path,
    texts: Sequence[str],
    *,
    parts: int = 1,
    ids: Sequence[str] | None = None,
    columns: Mapping[str, pa.Array | Sequence[object]] | None = None,
) -> Path:
    """Write a corpus in as many parts as asked for."""
    table = pa.table(
        {
            "id": pa.array(ids or [f"document-{i}" for i in range(len(texts))], pa.string()),
            "text": pa.array(texts, pa.large_string()),
            **(columns or {}),
        }
    )
    rows = -(-len(texts) // parts) if texts else 1
    with writer.Writer(folder, schema=table.schema, part_rows=max(rows, 1)) as writing:
        writing.write(table)
    return folder


def texts(count: int, *, seed: int = 0) -> list[str]:
    """Return documents of 0 to 400 random letters and spaces."""
    generator = np.random.default_rng(seed)
    return [
        "".join(generator.choice(list("aaabbc  \n"), size=generator.integers(0, 400))) for _ in range(count)
    ]
