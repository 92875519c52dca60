"""Time and memory that a job may take: read from words, predicted, kept to.

Not covered: disk space.
"""

import os
import re
import time
from dataclasses import replace
from typing import Any

import numpy
from torch import Tensor

from sulan.errors import InputError
from sulan.quantize import blocks as tuning
from sulan.quantize import pipeline, statistics, streams
from sulan.quantize.blocks import Flow
from sulan.quantize.layers import Layer
from sulan.quantize.pipeline import Blocks, Machine
from sulan.quantize.resuming import Work
from sulan.quantize.settings import Budget, Plan

INTERPRETER_BYTES = 500_000_000
"""Resident memory of Python with torch, transformers, a tokenizer and numba's compiler loaded. With it the peak of
SmolLM2 tuned in 32 windows of 128 tokens is predicted as 793 MB; it was 775."""

BYTES_PER_WEIGHT = 30
"""Of a block that is being tuned: float32 weights and GPTQ's copy (8), weights and gradients in bfloat16 (4),
shifts of three starts, of the best and of the present (10), buffers."""

FEWEST_STEPS = 10
RESERVE = 0.9
"""Share of the time budget that is planned with."""


def check(budget: Budget) -> None:
    """Check the values that are set.

    Raises
    ------
    InputError
        One of them makes no sense.
    """
    if budget.average_bits is not None and budget.max_size_mb is not None:
        raise InputError("give either --average-bits or --max-size-mb")
    if budget.average_bits is not None and not 2 < budget.average_bits <= 9:
        raise InputError(
            f"--average-bits is {budget.average_bits:g}; it counts scales and lies above 2, up to 9"
        )
    if budget.max_size_mb is not None and budget.max_size_mb <= 0:
        raise InputError(f"--max-size-mb is {budget.max_size_mb:g}; it must be positive")
    seconds(budget.time_budget)
    size(budget.memory_budget)


def seconds(text: str) -> float | None:
    """Return a time in seconds, or None for no budget.

    Examples
    --------
    >>> seconds("90s"), seconds("1.5m"), seconds("2h"), seconds("")
    (90.0, 90.0, 7200.0, None)
    """
    return _quantity(text, {"s": 1, "m": 60, "h": 3600}, "--time-budget", "90s, 10m or 2h")


def size(text: str) -> float | None:
    """Return a size in bytes, or None for no budget.

    Examples
    --------
    >>> size("500m"), size("2g"), size("")
    (500000000.0, 2000000000.0, None)
    """
    return _quantity(text, {"m": 10**6, "g": 10**9}, "--memory-budget", "500m or 2g")


def _quantity(text: str, units: dict[str, int], flag: str, examples: str) -> float | None:
    if not text:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([a-z])", text.strip().lower())
    if not found or found[2] not in units or not float(found[1]):
        raise InputError(f"{flag} is {text!r}", hint=examples)
    return float(found[1]) * units[found[2]]


def memory(blocks: Blocks, windows: Tensor | None, plan: Plan) -> int:
    """Predict the peak of resident memory in bytes, without the streams of activations."""
    skeleton, item = blocks.checkpoint.skeleton, blocks.machine.dtype.itemsize
    largest = max(sum(p.numel() for p in block.parameters()) for block in blocks.list)
    if windows is None:
        return INTERPRETER_BYTES + 12 * largest
    shell = sum(p.numel() for n, p in skeleton.named_parameters() if not n.startswith(f"{blocks.name}."))
    config = skeleton.config.get_text_config()
    widths = config.hidden_size + max(m.out_features for m in blocks.matrices(0).values())
    batch, length = min(plan.batch, len(windows)), windows.shape[1]
    step = batch * length * widths * 16 * item
    if blocks.machine.device.type == "cpu" and length <= streams.WRITTEN_OUT:
        step += batch * length**2 * config.num_attention_heads * 16
    return INTERPRETER_BYTES + shell * item + max(BYTES_PER_WEIGHT * largest + step, shell * 8)


def stream_bytes(blocks: Blocks, windows: Tensor | None) -> int:
    """Return the bytes of both streams of activations."""
    if windows is None:
        return 0
    width = blocks.checkpoint.skeleton.config.get_text_config().hidden_size
    return 2 * windows.numel() * width * blocks.machine.dtype.itemsize


def fit_memory(budget: Budget, predicted: int, streaming: int, machine: Machine) -> Machine:
    """Return the machine with its streams where they fit.

    Raises
    ------
    InputError
        Even with memory-mapped streams the prediction is above the budget.
    """
    limit = size(budget.memory_budget)
    if limit is None:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return replace(machine, streams_in_memory=streaming < physical / 4)
    if predicted > limit:
        raise InputError(
            f"--memory-budget is {budget.memory_budget}; {predicted / 1e9:.1f}g are needed even with memory-mapped "
            "activations",
            hint="a smaller --batch or --sequence-length needs less",
        )
    return replace(machine, streams_in_memory=predicted + streaming <= limit)


def fit_time(
    budget: Budget, plan: Plan, blocks: Blocks, layers: tuple[Layer, ...], windows: Tensor, work: Work
) -> tuple[dict[str, Any], str]:
    """Return samples, steps and rates that fit the time, from the first block's start and four steps; and a note.

    Raises
    ------
    InputError
        Not even ten steps with two batches of windows fit.
    """
    limit = seconds(budget.time_budget)
    if limit is None:
        return {}, ""
    few = windows[: 2 * plan.batch]
    flowing = pipeline.enter(blocks, few, work)
    block = blocks.load(0)
    device = blocks.machine.device
    start = time.perf_counter()
    names = blocks.matrices(0)
    with statistics.gathering(names, tokens=few.numel(), products=plan.start == "gptq") as moments:
        streams.advance(block, flowing.teacher, flowing.arguments[0], batch=plan.batch, device=device)
    a_pass = (time.perf_counter() - start) / len(few)
    own = [layer for layer in layers if layer.scheme and layer.name in names]
    weights = {
        layer.name: blocks.checkpoint.tensor(f"{layer.name}.weight").float().to(device) for layer in own
    }
    flow = Flow(
        student=flowing.student, targets=flowing.teacher, arguments=flowing.arguments[0], device=device
    )
    walls = []
    for steps in (1, 5):
        began = time.perf_counter()
        trial = replace(plan, steps=steps, patience=steps + 1)
        generator = numpy.random.default_rng(0)
        tuning.tune(block, names, own, weights, flow, moments=moments, plan=trial, generator=generator)
        walls.append(time.perf_counter() - began)
    blocks.unload(0)
    # Judging: one forward pass over the validation windows, about a third of a step a batch.
    a_step = max(1e-6, (walls[1] - walls[0]) / 4)
    first = max(0.0, walls[0] - a_step)
    per_block = RESERVE * limit / len(blocks.list)
    samples, steps, fewest = len(windows), plan.steps, min(FEWEST_STEPS, plan.steps)
    while samples > len(few) and first + 3 * a_pass * samples + fewest * a_step > per_block:
        samples = max(len(few), samples // 2)
    steps = min(steps, int((per_block - first - 3 * a_pass * samples) / a_step))
    if steps < fewest:
        needed = len(blocks.list) * (first + 3 * a_pass * samples + fewest * a_step) / RESERVE
        raise InputError(
            f"--time-budget is {budget.time_budget}; this model needs at least {needed:.0f}s here"
        )
    ratio = plan.steps / steps
    note = (
        f"the time budget of {budget.time_budget} allows {steps} steps on {samples} windows here "
        f"(asked for: {plan.steps} on {len(windows)})"
    )
    return {
        "samples": samples,
        "steps": steps,
        "rate": plan.rate * ratio,
        "clip_rate": plan.clip_rate * ratio,
    }, note
