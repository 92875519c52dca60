"""What the formats that are checkpoint folders share: other tensors, a `quantization_config`, reading back."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sulan.errors import InputError
from sulan.models.saving import CONFIG
from sulan.quantize import artefact as artefacts
from sulan.quantize.artefact import Artefact
from sulan.quantize.formats import Check
from sulan.quantize.grid import Quantised

NOT_COPIED = ("*.safetensors", "*.index.json", CONFIG, "run.json", "report.*", artefacts.DESCRIPTION)
TOKENS = 48
"""Of held-out text, on which logits are compared. Arbitrary tokens would not do: on them SmolLM2's activations are so
large in places that float16 or 8-bit activations move logits by 2 and by 11 %, on text by less than 1 and by 3 %."""

AUTO_ROUND_LIMIT = 0.01
"""Its reader computes in float16."""


def refuse_embedding(artefact: Artefact, format: str) -> None:
    """Refuse a packed embedding, which these formats do not know.

    Raises
    ------
    InputError
        The embedding is packed.
    """
    if any("embed" in layer.name for layer in artefact.description.packed):
        raise InputError(f"{format} cannot hold a packed embedding", hint="--format onnx can")


def stored(
    artefact: Artefact, tensors: Callable[[Quantised], dict[str, Tensor]]
) -> Iterator[tuple[str, Tensor]]:
    """Give every tensor of the checkpoint by name."""
    for layer in artefact.description.packed:
        for part, tensor in tensors(artefact.matrix(layer.name)).items():
            yield f"{layer.name}.{part}", tensor
    for name, tensor in artefact.kept():
        yield name, tensor


def write(
    artefact: Artefact, folder: Path, tensors: Iterator[tuple[str, Tensor]], quantization: dict[str, Any]
) -> None:
    """Write weights, configuration and everything else that lies beside them."""
    artefacts.save(folder, artefacts.DENSE, tensors)
    config = json.loads((artefact.folder / CONFIG).read_text())
    config["quantization_config"] = quantization
    artefacts.write_json(folder / CONFIG, config)
    copy_beside(artefact, folder)


def copy_beside(artefact: Artefact, folder: Path) -> None:
    """Copy the tokenizer and the generation settings."""
    for path in sorted(artefact.folder.iterdir()):
        if path.is_file() and not any(path.match(pattern) for pattern in NOT_COPIED):
            shutil.copyfile(path, folder / path.name)


def tensors_of(folder: Path) -> Callable[[str], Tensor]:
    """Return a reader of a written folder's tensors."""
    return Artefact(folder, artefacts.EMPTY).tensor


def config_of(folder: Path) -> dict[str, Any]:
    """Return the `quantization_config` of a written folder."""
    return json.loads((folder / CONFIG).read_text())["quantization_config"]


def dense(artefact: Artefact) -> Any:
    """Return the model that the codes stand for, in float32: what every reader should agree with."""
    from accelerate import init_empty_weights
    from transformers import AutoConfig, AutoModelForCausalLM

    config: Any = AutoConfig.from_pretrained(artefact.folder, local_files_only=True)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with init_empty_weights(include_buffers=False):
        model = AutoModelForCausalLM.from_config(config)
    state = {
        f"{layer.name}.weight": artefact.matrix(layer.name).weight() for layer in artefact.description.packed
    }
    state |= {name: tensor.float() for name, tensor in artefact.kept()}
    model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    return model.eval()


def held_out(artefact: Artefact, count: int) -> Tensor:
    """Return the first tokens of held-out text, int64 [count], in the model's own tokens."""
    from sulan.quantize import sources, texts

    tokenizer = sources.tokenizer(artefact.folder)
    found = texts.windows(Path(texts.HELD_OUT), tokenizer, samples=1, length=count)
    return torch.from_numpy(found.tokens[0])


@torch.inference_mode()
def same_logits(reader: str, artefact: Artefact, model: Any, *, limit: float) -> Check:
    """Compare a model's logits with the source's on a stretch of text."""
    probe = held_out(artefact, TOKENS)[None]
    expected = dense(artefact)(probe).logits.float()
    found = model(probe).logits.float()
    error = float((found - expected).norm() / expected.norm())
    return Check(reader=reader, what="relative difference of logits", error=error, limit=limit)


def through_auto_round(artefact: Artefact, folder: Path) -> list[Check]:
    """Load a written GPTQ folder through auto-round's own reader of that layout, where the package is installed.

    GPTQ's own packages for transformers do not run everywhere; auto-round reads the same tensors in torch. On a CPU it
    reads 2, 4 and 8 bit of symmetric grids.
    """
    from importlib.util import find_spec

    config = json.loads((folder / CONFIG).read_text())
    own = config["quantization_config"]
    schemes = {layer.name: layer.scheme for layer in artefact.description.packed if layer.scheme}
    readable = all(scheme.symmetric and scheme.bits in (2, 4, 8) for scheme in schemes.values())
    if find_spec("auto_round") is None or not readable:
        return []
    from transformers import AutoModelForCausalLM

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for path in folder.iterdir():
            (place / path.name).symlink_to(path.absolute())
        (place / CONFIG).unlink()
        config["quantization_config"] = {
            "quant_method": "auto-round",
            "packing_format": "auto_round:auto_gptq",
            "bits": own["bits"],
            "group_size": own["group_size"],
            "sym": own["sym"],
            "data_type": "int",
            "extra_config": {
                name: {"bits": scheme.bits, "group_size": scheme.group} for name, scheme in schemes.items()
            },
        }
        (place / CONFIG).write_text(json.dumps(config))
        model = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32, local_files_only=True)
        return [same_logits("auto-round in transformers", artefact, model, limit=AUTO_ROUND_LIMIT)]
