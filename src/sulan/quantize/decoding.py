"""How fast files decode, one token after another, on this machine: what a quantised model is made for.

Everything is timed in turns, so that other work on the machine hits all alike; the median of the turns counts.
Not covered: batches, long prompts.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sulan.errors import InputError
from sulan.models import load

TURNS = 3

Decode = Callable[[], float]
"""Decodes and returns tokens a second, the first token (which reads the prompt) left out."""


def speeds(half: Any, deployed: Mapping[str, Path], *, prompt: Tensor, count: int) -> dict[str, float]:
    """Return tokens decoded a second by name: the teacher in bfloat16, and every deployed file.

    Parameters
    ----------
    half
        The teacher in bfloat16.
    deployed
        Files and folders by name.
    prompt
        int64 [tokens].
    count
        Tokens to decode.
    """
    decoders: dict[str, Decode] = {"teacher, bf16 transformers": _of_transformers(half, prompt, count)}
    for name, path in deployed.items():
        decoders[name] = decoder(path, prompt, count)
    found: dict[str, list[float]] = {name: [] for name in decoders}
    for _ in range(TURNS):
        for name, decode in decoders.items():
            found[name].append(decode())
    return {name: statistics.median(values) for name, values in found.items()}


def decoder(path: Path, prompt: Tensor, count: int) -> Decode:
    """Return what decodes a file as it is deployed.

    Raises
    ------
    InputError
        Nothing here reads such a file.
    MissingExtra
        What reads it is not installed.
    """
    if path.suffix == ".gguf":
        return _of_llama(path, prompt, count)
    if path.suffix == ".onnx":
        return _of_onnx(path, prompt, count)
    if path.is_dir():
        return _of_transformers(load(path, dtype="bfloat16").model, prompt, count)
    raise InputError(f"{path} is no .gguf or .onnx file and no checkpoint folder")


def _of_transformers(model: Any, prompt: Tensor, count: int) -> Decode:
    @torch.inference_mode()
    def decode() -> float:
        found = model(prompt[None].to(model.device), use_cache=True)
        token = found.logits[:, -1:].argmax(-1)
        start = time.perf_counter()
        for _ in range(count):
            found = model(token, past_key_values=found.past_key_values, use_cache=True)
            token = found.logits[:, -1:].argmax(-1)
        return count / (time.perf_counter() - start)

    return decode


def _of_onnx(path: Path, prompt: Tensor, count: int) -> Decode:
    from sulan.quantize.formats import onnx

    session = onnx.Session(path)

    def decode() -> float:
        token = int(session.logits(prompt.numpy(), fresh=True)[-1].argmax())
        start = time.perf_counter()
        for _ in range(count):
            token = int(session.logits([token])[-1].argmax())
        return count / (time.perf_counter() - start)

    return decode


def _of_llama(path: Path, prompt: Tensor, count: int) -> Decode:
    from sulan.quantize.formats import llama

    server = llama.server(path)
    return lambda: llama.tokens_per_second(server, prompt.tolist(), count)
