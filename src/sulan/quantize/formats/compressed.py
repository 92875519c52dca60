"""compressed-tensors checkpoints (`pack-quantized`), which transformers, vLLM and SGLang read.

It is what `quantize run` writes where transformers can load it; this export writes it also where only vLLM does
(zero points). Not covered: packed embeddings.
"""

from pathlib import Path
from typing import Any

import torch

from sulan.errors import InputError
from sulan.quantize import artefact as artefacts
from sulan.quantize.artefact import Artefact
from sulan.quantize.formats import Check, checkpoint


def write(artefact: Artefact, folder: Path) -> list[str]:
    """Write a compressed-tensors checkpoint and return what a user should know of it."""
    checkpoint.refuse_embedding(artefact, "compressed-tensors")
    config = artefacts.quantization_config(artefact.description.packed)
    checkpoint.write(artefact, folder, checkpoint.stored(artefact, artefacts.packed), config)
    if artefacts.is_loadable(artefact.description.packed):
        return []
    return ["transformers 5.23 does not load packed zero points; vLLM does"]


def check(artefact: Artefact, folder: Path) -> list[Check]:
    """Read the checkpoint back through the library's own decompression, and through transformers where it can."""
    from sulan.errors import MissingExtra

    try:
        from compressed_tensors.compressors import PackedQuantizationCompressor
        from compressed_tensors.quantization import QuantizationScheme
    except ImportError as error:
        raise MissingExtra("compressed-tensors", extra="quantize") from error
    read = checkpoint.tensors_of(folder)
    groups = checkpoint.config_of(folder)["config_groups"].values()
    schemes = {name: group["weights"] for group in groups for name in group["targets"]}
    worst = 0.0
    for layer in artefact.description.packed:
        if layer.scheme is None:
            raise InputError(f"{layer.name} is not packed")
        own: dict[str, Any] = {part: read(f"{layer.name}.{part}") for part in artefacts.parts(layer.scheme)}
        own["weight_scale"] = own["weight_scale"].float()
        scheme = QuantizationScheme(targets=[layer.name], weights=schemes[layer.name])
        found = torch.as_tensor(PackedQuantizationCompressor.decompress(own, scheme)["weight"]).float()
        worst = max(worst, float((found - artefact.matrix(layer.name).weight()).abs().max()))
    checks = [
        Check(reader="compressed-tensors", what="largest difference of a weight", error=worst, limit=0.0)
    ]
    if artefacts.is_loadable(artefact.description.packed):
        from sulan.models import load

        model = load(folder, dtype="float32").model
        checks.append(checkpoint.same_logits("transformers", artefact, model, limit=1e-4))
    return checks
