"""GGUF files, as llama.cpp reads them: Q4_0, Q4_1 and Q8_0, for models of Llama's shape.

Blocks of 32 weights. Q4_0: float16 d and 16 bytes, y = d (q - 8), low nibbles weights 0-15, high ones 16-31.
Q4_1: d, float16 m and 16 bytes, y = d q + m. Q8_0: d and 32 signed bytes, y = d q. A symmetric grid of up to 4
bits in groups of a multiple of 32 fits Q4_0 without any loss, its sign in d; codes of 2 and 3 bits are stored
in 4. Asymmetric grids become Q4_1 with m = -z s, which is rounded to float16: half a unit in its last place. 8
bit become Q8_0. Matrices that fit none are stored in float16, and so is what is not quantised; the embedding is
Q8_0, as in llama.cpp's own files. Rows of queries and keys are permuted as llama.cpp's rotary embedding wants
them. Not covered: other architectures, sentencepiece tokenizers, K and IQ types.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from sulan.errors import InputError
from sulan.quantize import grid
from sulan.quantize.artefact import Artefact
from sulan.quantize.formats import Check, checkpoint
from sulan.quantize.grid import Quantised

BLOCK = 32

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}

PRE_TOKENIZERS = {("Digits", "ByteLevel"): "smollm", ("ByteLevel",): "gpt-2"}
"""How llama.cpp calls ways to split text before byte-pair merges, by the steps that tokenizer.json names."""


def q4_0(matrix: Quantised) -> numpy.ndarray:
    """Return Q4_0 blocks of a symmetric matrix of at most 4 bits: uint8 [rows, blocks of 18 bytes]."""
    nibbles = _nibbles(matrix.codes.int() - matrix.scheme.middle + 8)
    return _joined(_per_block(matrix.scale, matrix), nibbles)


def q4_1(matrix: Quantised) -> numpy.ndarray:
    """Return Q4_1 blocks of a matrix of at most 4 bits: uint8 [rows, blocks of 20 bytes]."""
    low = (-matrix.zero.float() * matrix.scale.float()).half()
    nibbles = _nibbles(matrix.codes.int())
    return _joined(_per_block(matrix.scale, matrix), _per_block(low, matrix), nibbles)


def q8_0(matrix: Quantised) -> numpy.ndarray:
    """Return Q8_0 blocks of a symmetric 8-bit matrix: uint8 [rows, blocks of 34 bytes]."""
    signed = (matrix.codes.int() - matrix.scheme.middle).to(torch.int8).numpy()
    return _joined(_per_block(matrix.scale, matrix), signed.view(numpy.uint8).reshape(len(signed), -1, BLOCK))


def _per_block(values: Tensor, matrix: Quantised) -> numpy.ndarray:
    """Return float16 [rows, groups] as the bytes of every block."""
    repeated = values.repeat_interleave(matrix.scheme.group // BLOCK, dim=1).contiguous().numpy()
    return repeated.view(numpy.uint8).reshape(*repeated.shape, 2)


def _nibbles(codes: Tensor) -> numpy.ndarray:
    blocks = codes.to(torch.uint8).numpy().reshape(len(codes), -1, BLOCK)
    return blocks[..., : BLOCK // 2] | (blocks[..., BLOCK // 2 :] << 4)


def _joined(*parts: numpy.ndarray) -> numpy.ndarray:
    joined = numpy.concatenate(parts, axis=2)
    return joined.reshape(len(joined), -1)


def encoded(matrix: Quantised) -> tuple[numpy.ndarray, str]:
    """Return a matrix in the type that holds it, with the type's name."""
    scheme = matrix.scheme
    if scheme.group % BLOCK == 0:
        if scheme.symmetric and scheme.bits <= 4:
            return q4_0(matrix), "Q4_0"
        if scheme.bits <= 4:
            return q4_1(matrix), "Q4_1"
        if scheme.symmetric:
            return q8_0(matrix), "Q8_0"
    return matrix.weight().half().numpy(), "F16"


def permuted(matrix: Quantised, heads: int) -> Quantised:
    """Return a query or key matrix with its rows in llama.cpp's order: halves of a head interleaved."""
    order = torch.arange(len(matrix.codes)).view(heads, 2, -1).transpose(1, 2).flatten()
    return Quantised(
        codes=matrix.codes[order], scale=matrix.scale[order], zero=matrix.zero[order], scheme=matrix.scheme
    )


def write(artefact: Artefact, folder: Path) -> list[str]:
    """Write `model.gguf` and return what a user should know of it."""
    import gguf

    config = json.loads((artefact.folder / "config.json").read_text())
    if config.get("model_type") != "llama":
        raise InputError(f"gguf is written for llama, not for {config.get('model_type')}")
    writer = gguf.GGUFWriter(folder / "model.gguf", "llama")
    _add_facts(writer, config, artefact)
    _add_tokenizer(writer, artefact.folder, config)
    kinds: dict[str, int] = {}
    for name, data, kind in _tensors(artefact, config):
        kinds[kind] = kinds.get(kind, 0) + 1
        writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return [f"types: {', '.join(f'{count} x {kind}' for kind, count in sorted(kinds.items()))}"]


def _tensors(artefact: Artefact, config: dict[str, Any]) -> Iterator[tuple[str, numpy.ndarray, str]]:
    heads = config["num_attention_heads"]
    turned = {"q_proj": heads, "k_proj": config.get("num_key_value_heads") or heads}
    for layer in artefact.description.packed:
        matrix, own = artefact.matrix(layer.name), layer.name.rpartition(".")[2]
        if own in turned:
            matrix = permuted(matrix, turned[own])
        yield f"{named(layer.name)}.weight", *encoded(matrix)
    for name, tensor in artefact.kept():
        owner, _, part = name.rpartition(".")
        own = owner.rpartition(".")[2]
        if tensor.ndim == 1:
            if own in turned:
                raise InputError(f"gguf: {name} cannot be written, llama has no such bias")
            yield f"{named(owner)}.{part}", tensor.float().numpy(), "F32"
        elif tensor.shape[1] % BLOCK == 0 and owner in TOP:
            matrix = grid.nearest(tensor, grid.Scheme(bits=8, group=BLOCK))
            yield f"{named(owner)}.{part}", q8_0(matrix), "Q8_0"
        else:
            if own in turned:
                order = torch.arange(len(tensor)).view(turned[own], 2, -1).transpose(1, 2).flatten()
                tensor = tensor[order]
            yield f"{named(owner)}.{part}", tensor.half().numpy(), "F16"


def named(module: str) -> str:
    """Return llama.cpp's name of a module.

    Examples
    --------
    >>> named("model.layers.3.mlp.up_proj"), named("model.norm")
    ('blk.3.ffn_up', 'output_norm')
    """
    if module in TOP:
        return TOP[module]
    number, _, own = module.removeprefix("model.layers.").partition(".")
    if own not in NAMES:
        raise InputError(f"gguf has no name for {module}")
    return f"blk.{number}.{NAMES[own]}"


def _add_facts(writer: Any, config: dict[str, Any], artefact: Artefact) -> None:
    rope = config.get("rope_parameters") or {}
    if rope.get("rope_type", "default") != "default":
        raise InputError(f"gguf is written for plain rotary positions, not {rope['rope_type']}")
    heads = config["num_attention_heads"]
    head = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_name(Path(artefact.description.teacher).name)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_rope_freq_base(rope.get("rope_theta") or config.get("rope_theta", 10000.0))
    writer.add_rope_dimension_count(head)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_quantization_version(2)


def _add_tokenizer(writer: Any, folder: Path, config: dict[str, Any]) -> None:
    import gguf

    document = json.loads((folder / "tokenizer.json").read_text())
    model = document["model"]
    if model["type"] != "BPE" or model.get("byte_fallback"):
        raise InputError(f"gguf is written for byte-level BPE tokenizers, not {model['type']}")
    before = document.get("pre_tokenizer") or {}
    steps = tuple(step["type"] for step in before.get("pretokenizers", [before]))
    if steps not in PRE_TOKENIZERS:
        raise InputError(f"llama.cpp has no name for a tokenizer that splits by {', '.join(steps)}")
    size = config["vocab_size"]
    tokens = [f"[PAD{number}]" for number in range(size)]
    kinds = [int(gguf.TokenType.UNUSED)] * size
    for token, number in model["vocab"].items():
        tokens[number], kinds[number] = token, int(gguf.TokenType.NORMAL)
    for added in document.get("added_tokens", []):
        kind = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
        tokens[added["id"]], kinds[added["id"]] = added["content"], int(kind)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZERS[steps])
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_add_bos_token(False)
    for name, add in (("bos", writer.add_bos_token_id), ("eos", writer.add_eos_token_id)):
        if isinstance(config.get(f"{name}_token_id"), int):
            add(config[f"{name}_token_id"])


def check(artefact: Artefact, folder: Path) -> list[Check]:
    """Read the file back through the gguf package, and through llama.cpp where it is installed."""
    from importlib.util import find_spec

    import gguf

    config = json.loads((artefact.folder / "config.json").read_text())
    heads = config["num_attention_heads"]
    turned = {"q_proj": heads, "k_proj": config.get("num_key_value_heads") or heads}
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(folder / "model.gguf").tensors}
    worst = 0.0
    for layer in artefact.description.packed:
        tensor = stored[f"{named(layer.name)}.weight"]
        matrix, own = artefact.matrix(layer.name), layer.name.rpartition(".")[2]
        expected = (permuted(matrix, turned[own]) if own in turned else matrix).weight()
        found = torch.from_numpy(
            gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        )
        span = float(matrix.scale.float().abs().max()) or 1.0
        worst = max(worst, float((found - expected).abs().max()) / span)
    exact = all(layer.scheme and layer.scheme.symmetric for layer in artefact.description.packed)
    checks = [
        Check(
            reader="gguf",
            what="largest difference of a weight, in steps of the grid",
            error=worst,
            limit=0.0 if exact else 0.01,
        )
    ]
    if find_spec("xllamacpp") is not None:
        from sulan.quantize.formats import llama

        checks.append(llama.same_predictions(artefact, folder / "model.gguf", checkpoint.dense(artefact)))
    return checks
