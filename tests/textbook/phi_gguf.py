"""A phi checkpoint as GGUF, from the files alone: the facts that llama.cpp's converter looks for, under its names.

The converter itself is no package. Its class for phi reads `config.json` and `tokenizer.json` as this does and keeps
the rows of queries and keys as they are, since llama.cpp turns the halves of a phi's head as transformers does. Not
covered: quantised types, and tokenizers other than byte-level BPE.
"""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy
from safetensors.numpy import load_file


def write(checkpoint: Path, path: Path) -> None:
    """Write a checkpoint's weights, in float32, with its facts and its tokenizer."""
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["architectures"] == ["PhiForCausalLM"]
    writer = gguf.GGUFWriter(path, "phi2")
    width, heads, layers = (
        config[name] for name in ("hidden_size", "num_attention_heads", "num_hidden_layers")
    )
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(4 * width)
    writer.add_block_count(layers)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_rope_dimension_count(int(config["partial_rotary_factor"] * width) // heads)
    writer.add_add_bos_token(False)
    _add_tokenizer(writer, checkpoint, config)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.PHI2, layers)
    for name, data in load_file(checkpoint / "model.safetensors").items():
        there = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert there is not None, name
        writer.add_tensor(there, data.astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: gguf.GGUFWriter, checkpoint: Path, config: dict[str, Any]) -> None:
    document = json.loads((checkpoint / "tokenizer.json").read_text())
    assert document["pre_tokenizer"]["type"] == "ByteLevel"
    model = document["model"]
    tokens = [f"[PAD{number}]" for number in range(config["vocab_size"])]
    kinds = [gguf.TokenType.UNUSED] * len(tokens)
    for token, number in model["vocab"].items():
        tokens[number], kinds[number] = token, gguf.TokenType.NORMAL
    for added in document["added_tokens"]:
        kinds[added["id"]] = gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(
        [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    )
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
