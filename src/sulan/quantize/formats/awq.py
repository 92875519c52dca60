"""AWQ checkpoints in the "gemm" layout, as AutoAWQ wrote them and vLLM and SGLang read them.

For a matrix [rows, columns]: `qweight` int32 [columns, rows / 8], `qzeros` int32 [groups, rows / 8], `scales`
float16 [groups, rows]; every word holds 4-bit codes of eight neighbouring rows in the order 0, 2, 4, 6, 1, 3,
5, 7. There are only 4 bits: narrower codes are stored in 4 with their own zero point, which changes no value.
Its readers (AutoAWQ, vLLM, SGLang) need a GPU: here it is read back nibble by nibble. Not covered: 8 bit; the
"gemv" layouts.
"""

from pathlib import Path

import numpy
import torch
from torch import Tensor

from sulan.errors import InputError
from sulan.quantize import packing
from sulan.quantize.artefact import Artefact
from sulan.quantize.formats import Check, checkpoint
from sulan.quantize.grid import Quantised


def tensors(matrix: Quantised) -> dict[str, Tensor]:
    """Return the tensors of one matrix."""
    return {
        "qweight": packing.awq(matrix.codes.t().contiguous()),
        "qzeros": packing.awq(matrix.zero.t().contiguous()),
        "scales": matrix.scale.t().contiguous(),
    }


def decoded(stored: dict[str, Tensor], *, group: int) -> Tensor:
    """Return weights [rows, columns], float32, read nibble by nibble; shares nothing with `packing`."""
    scales = stored["scales"].float().numpy()
    found = {}
    for name in ("qweight", "qzeros"):
        words = stored[name].numpy().view(numpy.uint32)
        values = numpy.empty((words.shape[0], words.shape[1] * 8), numpy.int64)
        for nibble, column in enumerate((0, 2, 4, 6, 1, 3, 5, 7)):
            values[:, column::8] = (words >> numpy.uint32(4 * nibble)) & numpy.uint32(15)
        found[name] = values
    groups = numpy.arange(len(found["qweight"])) // group
    levels = found["qweight"] - found["qzeros"][groups]
    return torch.from_numpy((levels * scales[groups]).T.astype(numpy.float32))


def write(artefact: Artefact, folder: Path) -> list[str]:
    """Write an AWQ checkpoint and return what a user should know of it."""
    checkpoint.refuse_embedding(artefact, "awq")
    layers = artefact.description.packed
    for layer in layers:
        if layer.scheme and (layer.scheme.bits > 4 or layer.rows % 8):
            raise InputError(
                f"awq holds at most 4 bits of rows by eight: {layer.name} is {layer.scheme}, {layer.rows} rows"
            )
    groups = sorted({layer.scheme.group for layer in layers if layer.scheme})
    if len(groups) > 1:
        raise InputError(
            f"awq has one group size for all matrices; this model has {', '.join(map(str, groups))}",
            hint=f"quantize with --group-size {groups[0]}",
        )
    config = {
        "quant_method": "awq",
        "bits": 4,
        "group_size": groups[0],
        "zero_point": True,
        "version": "gemm",
        "modules_to_not_convert": [
            layer.name for layer in artefact.description.layers if layer.scheme is None
        ]
        or None,
    }
    checkpoint.write(artefact, folder, checkpoint.stored(artefact, tensors), config)
    narrow = sum(1 for layer in layers if layer.scheme and layer.scheme.bits < 4)
    return [f"{narrow} matrices of fewer bits are stored in 4"] if narrow else []


def check(artefact: Artefact, folder: Path) -> list[Check]:
    """Read an AWQ checkpoint back."""
    read = checkpoint.tensors_of(folder)
    worst = 0.0
    for layer in artefact.description.packed:
        if layer.scheme is None:
            continue
        own = {part: read(f"{layer.name}.{part}") for part in ("qweight", "qzeros", "scales")}
        found = decoded(own, group=layer.scheme.group)
        worst = max(worst, float((found - artefact.matrix(layer.name).weight()).abs().max()))
    return [
        Check(reader="an independent decoder", what="largest difference of a weight", error=worst, limit=0.0)
    ]
