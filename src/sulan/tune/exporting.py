"""Writes tuned models for other tools and reads them back. Not covered: quantised exports (`sulan quantize`)."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
import torch

from sulan import models
from sulan.errors import BrokenArtefact, InputError
from sulan.tune import labels, students
from sulan.tune.export import TOLERANCE
from sulan.tune.fiat import Fiat
from sulan.tune.halves import Halves
from sulan.tune.students import Student

PROBES = ("", "a", "An example of an input that is a little longer than the others.")
"""Inputs that an export is compared on."""

FILE = "adapter.gguf"


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was written.

    Attributes
    ----------
    parameters
        Parameters in the files.
    difference
        Largest difference of a probability to the tuned model's.
    scale
        What it was compared on.
    notes
        How it is used.
    """

    parameters: int
    difference: float
    scale: str
    notes: tuple[str, ...]


def write(
    tuned: Path,
    fiat: Fiat,
    folder: Path,
    *,
    format: Literal["merged", "adapter", "gguf"],
    student: str | None,
) -> Made:
    """Write an export into a folder that `outputs.folder` gave; the arguments are the verb's.

    Raises
    ------
    InputError
        The format does not fit the model.
    BrokenArtefact
        What was written does not agree.
    """
    if fiat.kind == "full" and format != "merged":
        raise InputError("there is no adapter: all weights were tuned", hint="--format merged")
    loaded = students.load(tuned, fiat, base=student, dtype="float32")
    before = _chances(loaded.halves, loaded, fiat)
    if format == "merged":
        model: Any = loaded.model
        if loaded.wrapped is not None:
            tuner: Any = loaded.wrapped
            model = tuner.merge_and_unload()
        models.save(model, loaded.base.tokenizer, folder)
        again = models.load(folder, dtype="float32")
        found = _chances(Halves(again.model, top=None), replace(loaded, base=again), fiat)
        count = sum(each.numel() for each in model.parameters())
        notes = ("Any tool that reads a Hugging Face checkpoint reads this one.",)
    else:
        for path in sorted(tuned.glob("adapter_*")):
            shutil.copyfile(path, folder / path.name)
        fiat.write(folder)
        again = students.load(folder, fiat, base=student, dtype="float32")
        found = _chances(again.halves, again, fiat)
        count = sum(each.numel() for each in loaded.tuned.values())
        notes = (f"vLLM: --enable-lora --max-lora-rank {max(again.rank, 8)}",)
        if format == "gguf":
            _gguf(loaded, folder)
            notes = (f"llama.cpp: --lora {FILE}, with the same base model as GGUF",)
    difference = float(np.abs(found - before).max())
    if difference > TOLERANCE:
        raise BrokenArtefact(
            f"the export differs from the tuned model by {difference:.2g} in a probability; {TOLERANCE:g} is allowed"
        )
    return Made(
        parameters=count,
        difference=difference,
        scale=f"{fiat.task.name}, {len(PROBES)} inputs, float32",
        notes=notes,
    )


def _chances(halves: Halves, student: Student, fiat: Fiat) -> np.ndarray:
    """Return the probabilities of labels, or of the whole vocabulary for free text, on the probes."""
    halves.model.eval()
    prompts = [
        prompt
        for prompt, _ in students.prompt_tokens(
            student, fiat.task, PROBES, [""] * len(PROBES), instructions=fiat.instructions
        )
    ]
    if fiat.task.labels:
        return labels.probabilities(halves, prompts, students.answer_tokens(student.base, fiat.task.labels))
    with torch.no_grad():
        logits = halves.above(prompts, [np.array([len(prompt) - 1]) for prompt in prompts])
    return logits.double().softmax(-1).numpy()


def _gguf(student: Student, folder: Path) -> None:
    """Write the adapter as llama.cpp reads it; rows of queries and keys are permuted as in its checkpoints."""
    model = student.model
    config = model.config.get_text_config()
    if config.model_type != "llama":
        raise InputError(
            f"llama.cpp's adapters are written for models of Llama's shape, not {config.model_type!r}"
        )
    wrapped: Any = student.wrapped
    settings = wrapped.peft_config["default"]
    writer = gguf.GGUFWriter(folder / FILE, "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(settings.lora_alpha))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, module in model.named_modules():
        parts: Any = getattr(module, "lora_A", None)
        if parts is None or "default" not in parts:
            continue
        mapped = names.get_name(f"{name}.weight", try_suffixes=(".weight",))
        if mapped is None:
            raise InputError(f"llama.cpp has no name for {name}")
        layer: Any = module
        down = layer.lora_A["default"].weight.detach().float().numpy()
        up = layer.lora_B["default"].weight.detach().float()
        if (count := heads.get(name.rpartition(".")[2])) is not None:
            up = up.unflatten(0, (count, 2, -1)).transpose(1, 2).reshape(up.shape)
        writer.add_tensor(f"{mapped}.weight.lora_a".replace(".weight.weight", ".weight"), down)
        writer.add_tensor(
            f"{mapped}.weight.lora_b".replace(".weight.weight", ".weight"), up.contiguous().numpy()
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
