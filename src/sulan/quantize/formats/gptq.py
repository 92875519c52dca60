"""GPTQ checkpoints, as AutoGPTQ wrote them first and GPTQModel, vLLM and SGLang read them.

For a matrix [rows, columns] of b bits in groups of g: `qweight` int32 [columns b / 32, rows], codes down a
column of the transposed matrix as one dense stream; `scales` float16 [groups, rows]; `qzeros` int32 [groups,
rows b / 32] with the zero points; `g_idx` int32 [columns], the group of every column. Version 1 stores zero
points minus one, which a zero point of 0 cannot be: such a checkpoint is written as version 2
(`checkpoint_format: gptq_v2`), which stores them as they are. A scale may be negative. Not covered: 3-bit rows
that are no multiple of 32, for which readers differ.
"""

from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from sulan.errors import InputError
from sulan.quantize import packing
from sulan.quantize.artefact import Artefact
from sulan.quantize.formats import Check, checkpoint
from sulan.quantize.grid import Quantised


def tensors(matrix: Quantised, *, version: int) -> dict[str, Tensor]:
    """Return the tensors of one matrix."""
    bits, top = matrix.scheme.bits, matrix.scheme.top
    zero = matrix.zero.t().contiguous()
    if version == 1:
        zero = ((zero.int() - 1) & top).to(torch.uint8)
    columns = matrix.codes.shape[1]
    return {
        "qweight": packing.pack(matrix.codes, bits).t().contiguous(),
        "qzeros": packing.pack(zero, bits),
        "scales": matrix.scale.t().contiguous(),
        "g_idx": (torch.arange(columns) // matrix.scheme.group).to(torch.int32),
    }


def decoded(stored: dict[str, Tensor], *, bits: int, version: int) -> Tensor:
    """Return weights [rows, columns], float32, read bit by bit as the format's description has it.

    This shares nothing with `packing`: it is what the check compares with.
    """
    words = stored["qweight"].numpy().view(numpy.uint32).astype(numpy.uint64)
    zeros = stored["qzeros"].numpy().view(numpy.uint32).astype(numpy.uint64)
    groups = stored["g_idx"].numpy()
    columns, rows = len(groups), words.shape[1]
    codes = numpy.empty((columns, rows), numpy.int64)
    for column in range(columns):
        codes[column] = _at(words, column, bits)
    zero = numpy.empty((zeros.shape[0], rows), numpy.int64)
    for row in range(rows):
        zero[:, row] = _at(zeros.T, row, bits)
    zero = (zero + (version == 1)) & (2**bits - 1)
    scales = stored["scales"].float().numpy()
    return torch.from_numpy(((codes - zero[groups]) * scales[groups]).T.astype(numpy.float32))


def _at(words: Any, index: int, bits: int) -> Any:
    """Return bits index*bits ... of every column of 32-bit words, low bits first."""
    word, offset = divmod(index * bits, 32)
    value = words[word] >> numpy.uint64(offset)
    if offset + bits > 32:
        value |= words[word + 1] << numpy.uint64(32 - offset)
    return (value & numpy.uint64(2**bits - 1)).astype(numpy.int64)


def write(artefact: Artefact, folder: Path) -> list[str]:
    """Write a GPTQ checkpoint and return what a user should know of it."""
    layers = artefact.description.packed
    checkpoint.refuse_embedding(artefact, "gptq")
    bits = max(layer.scheme.bits for layer in layers if layer.scheme)
    groups = {layer.scheme.group for layer in layers if layer.scheme}
    for layer in layers:
        if (layer.rows * bits) % 32 or (layer.columns * bits) % 32:
            raise InputError(f"gptq packs 32-bit words: {layer.name} is {layer.rows} x {layer.columns}")
    matrices = [artefact.matrix(layer.name) for layer in layers]
    version = 2 if any(int(matrix.zero.min()) == 0 for matrix in matrices) else 1
    del matrices
    stored = checkpoint.stored(artefact, lambda matrix: tensors(matrix, version=version))
    notes = []
    dynamic = {}
    for layer in layers:
        scheme = layer.scheme
        if scheme and (scheme.bits, scheme.group) != (bits, min(groups)):
            dynamic[f"+:^{layer.name.replace('.', chr(92) + '.')}$"] = {
                "bits": scheme.bits,
                "group_size": scheme.group,
            }
    config: dict[str, Any] = {
        "quant_method": "gptq",
        "bits": bits,
        "group_size": min(groups),
        "sym": all(layer.scheme.symmetric for layer in layers if layer.scheme),
        "desc_act": False,
        "checkpoint_format": "gptq_v2" if version == 2 else "gptq",
    }
    if dynamic:
        config["dynamic"] = dynamic
        notes.append(
            f"{len(dynamic)} matrices differ in bits or group: GPTQModel and vLLM read that from `dynamic`"
        )
    if version == 2:
        notes.append("zero points of 0 are written as gptq_v2, which readers older than 2024 do not know")
    checkpoint.write(artefact, folder, stored, config)
    return notes


def check(artefact: Artefact, folder: Path) -> list[Check]:
    """Read a GPTQ checkpoint back."""
    read = checkpoint.tensors_of(folder)
    version = 2 if checkpoint.config_of(folder)["checkpoint_format"] == "gptq_v2" else 1
    worst = 0.0
    for layer in artefact.description.packed:
        if layer.scheme is None:
            continue
        own = {part: read(f"{layer.name}.{part}") for part in ("qweight", "qzeros", "scales", "g_idx")}
        found = decoded(own, bits=layer.scheme.bits, version=version)
        worst = max(worst, float((found - artefact.matrix(layer.name).weight()).abs().max()))
    checks = [
        Check(reader="an independent decoder", what="largest difference of a weight", error=worst, limit=0.0)
    ]
    return checks + checkpoint.through_auto_round(artefact, folder)
