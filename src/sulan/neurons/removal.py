"""Dead neurons taken out of a checkpoint, and the proof that it computes what it did."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from sulan import models
from sulan.errors import InputError
from sulan.models import tokens as encoding
from sulan.models.quiet import quiet
from sulan.neurons import compact, families, sequences
from sulan.neurons.classes import can_die
from sulan.neurons.tables import Tables


@dataclass(frozen=True, kw_only=True)
class Removed:
    """What was removed and what it changed.

    Attributes
    ----------
    left
        Neurons left, by layer.
    checked
        Tokens that logits were compared on.
    change
        Largest change of a logit, of the padded and of the compact checkpoint.
    measured
        For the report and the run's record.
    """

    left: tuple[int, ...]
    checked: int
    change: float
    measured: dict[str, float | int]


def remove(
    name: str, tables: Tables, texts: Iterable[str], *, folder: Path, level: str, tokens: int
) -> Removed:
    """Write the padded checkpoint into `folder` and the compact one into `folder/compact`.

    Raises
    ------
    InputError
        See `prune`.
    """
    meta = tables.meta
    if not can_die(meta):
        raise InputError(
            f"nothing of {name} can be removed without loss: {meta.activation} is not 0 where a gate is closed"
            if meta.rule != "nonzero"
            else f"nothing of {name} can be removed without loss: {meta.activation} is hardly ever exactly 0",
            hint="only a ReLU's dead neurons add nothing",
        )
    language_model = models.load(name, dtype="float32")
    if language_model.fingerprint != meta.fingerprint:
        raise InputError(f"{name} is not the model that was classified")
    model = language_model.model
    kept = _kept(model, tables, level)
    windows = _windows(language_model, texts, tokens=tokens, bos=meta.bos)
    before = [_logits(model, window) for window in windows]
    parameters = sum(each.numel() for each in model.parameters())
    compact.keep(model, kept)
    compacted = sum(each.numel() for each in model.parameters())
    (folder / "compact").mkdir()
    compact.save(model, folder / "compact")
    widest = max(len(numbers) for numbers in kept)
    compact.keep(model, [torch.arange(len(numbers)) for numbers in kept], width=widest)
    models.save(model, language_model.tokenizer, folder)
    with quiet():  # not our loader: what is written must load anywhere
        plain = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True
        ).eval()
    change = {
        "padded": _change(before, plain, windows),
        "compact": _change(before, compact.load(folder / "compact"), windows),
    }
    removed = sum(meta.neurons - len(numbers) for numbers in kept)
    return Removed(
        left=tuple(len(numbers) for numbers in kept),
        checked=sum(map(len, windows)),
        change=max(change.values()),
        measured={
            "removed": removed,
            "parameters": parameters,
            "parameters.padded": sum(each.numel() for each in plain.parameters()),
            "parameters.compact": compacted,
            "logits.change.padded": change["padded"],
            "logits.change.compact": change["compact"],
        },
    )


def _kept(model: PreTrainedModel, tables: Tables, level: str) -> list[torch.Tensor]:
    rows = tables.neurons.select(["layer", "neuron", "proof"]).to_pylist()
    levels = ("proved",) if level == "proved" else ("proved", "observed")
    dead = {(row["layer"], row["neuron"]) for row in rows if row["proof"] in levels}
    kept = []
    for layer, block in enumerate(families.feed_forwards(model)):
        numbers = [neuron for neuron in range(block.neurons) if (layer, neuron) not in dead]
        kept.append(torch.tensor(numbers or [0]))  # a layer of none is no layer for any loader
    return kept


def _windows(
    language_model: models.LanguageModel, texts: Iterable[str], *, tokens: int, bos: int
) -> list[np.ndarray]:
    encoded = encoding.encode(language_model.tokenizer, texts)
    cut = sequences.cut(encoded, context=language_model.context, bos=bos, limit=tokens)
    return [cut.window(number) for number in range(len(cut.windows) - 1)]


def _logits(model: PreTrainedModel, window: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.from_numpy(window)[None].to(model.device), use_cache=False).logits[0].float().cpu()


def _change(before: Iterable[torch.Tensor], model: PreTrainedModel, windows: Iterable[np.ndarray]) -> float:
    return max(
        float((old - _logits(model, window)).abs().max()) for old, window in zip(before, windows, strict=True)
    )
