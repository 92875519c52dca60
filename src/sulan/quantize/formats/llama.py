"""llama.cpp as a reader of GGUF files: predictions compared with ours, decoding timed.

Its server gives the log-probabilities of the likeliest tokens, so perplexities are compared on the positions
whose next token is among them (nearly all), the same positions for both. Not covered: GPUs.
"""

import secrets
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy
import torch

from sulan.errors import InputError, MissingExtra
from sulan.quantize.artefact import Artefact
from sulan.quantize.formats import Check, checkpoint

LIKELIEST = 2000
TOKENS = 200
PERPLEXITY_LIMIT = 0.01


def server(path: Path, *, context: int = 512) -> Any:
    """Return llama.cpp with a file loaded, on one thread.

    Raises
    ------
    MissingExtra
        xllamacpp is not installed.
    InputError
        llama.cpp cannot load the file.
    """
    if find_spec("xllamacpp") is None:
        raise MissingExtra("xllamacpp", extra="gguf")
    xllamacpp = import_module("xllamacpp")  # compiled, without types
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = torch.get_num_threads()
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = 0
    # It listens on a port of 127.0.0.1 as well; nothing here uses it, and nobody else may.
    params.api_keys = [secrets.token_hex(16)]
    params.ui = False
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise InputError(f"llama.cpp cannot load {path}") from error


def same_predictions(artefact: Artefact, path: Path, model: Any) -> Check:
    """Compare llama.cpp's perplexity on a stretch of text with the model's."""
    window = checkpoint.held_out(artefact, TOKENS)
    with torch.inference_mode():
        ours = model(window[None]).logits[0].log_softmax(-1)
    running = server(path, context=2 * TOKENS)
    losses: list[tuple[float, float]] = []
    for place in range(8, len(window) - 1):
        body = {
            "prompt": window[: place + 1].tolist(),
            "max_tokens": 1,
            "n_predict": 1,
            "temperature": 1.0,
            "logprobs": min(LIKELIEST, ours.shape[1]),
            "n_probs": min(LIKELIEST, ours.shape[1]),
            "cache_prompt": True,
            "seed": 1,
        }
        found = running.handle_completions(body)
        likeliest = likeliest_of(found)  # empty where an end of text was drawn
        following = int(window[place + 1])
        if following in likeliest:
            losses.append((likeliest[following], float(ours[place, following])))
    theirs, own = numpy.mean(losses, axis=0) if losses else (numpy.nan, 0.0)
    return Check(
        reader="llama.cpp",
        what=f"relative difference of perplexity on {len(losses)} tokens",
        error=float(abs(numpy.exp(own - theirs) - 1)),
        limit=PERPLEXITY_LIMIT,
    )


def likeliest_of(found: Any) -> dict[int, float]:
    """Return log-probabilities by token from a completion."""
    told = found["choices"][0]["logprobs"]
    return {entry["id"]: entry["logprob"] for entry in told["content"][0]["top_logprobs"]} if told else {}


def tokens_per_second(running: Any, prompt: list[int], count: int) -> float:
    """Decode greedily and return tokens a second, the prompt left out."""
    body = {
        "prompt": prompt,
        "max_tokens": count,
        "n_predict": count,
        "temperature": 0.0,
        "ignore_eos": True,
        "cache_prompt": False,
    }
    start = time.perf_counter()
    found = running.handle_completions(body)
    wall = time.perf_counter() - start
    timings = found.get("timings") or {}
    return float(timings.get("predicted_per_second") or count / wall)
