"""When a neuron counts as active: one named rule for a whole run.

`nonzero`: the paper's, for ReLU: the value that goes into the second matrix is not 0; in a gated block, its gate is
open. `gate-open`: the activation function's input is above 0, the default where the function is smooth (for GELU and
SiLU that is where the output is above 0). The sign of a gated product would say nothing: it is positive half of the
time in every layer of SmolLM2. `output-norm`: what the neuron adds to the residual stream is longer than a threshold,
which is found for each layer from the error that leaving shorter ones out makes (CETT, 2402.03804).

Not covered: the two signs of a gated product apart.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from sulan.neurons import families
from sulan.neurons.families import ZERO_CLOSED, FeedForward

RuleName = Literal["auto", "nonzero", "gate-open", "output-norm"]

_BISECTIONS = 30


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule that has been resolved for a model.

    Attributes
    ----------
    name
        `nonzero`, `gate-open` or `output-norm`.
    thresholds
        By layer, for `output-norm`: the length of what a neuron adds above which it is active.
    """

    name: str
    thresholds: tuple[float, ...] = ()


def resolve(name: RuleName, model: PreTrainedModel) -> str:
    """Return the rule's own name: `auto` is `nonzero` where a closed gate gives exactly 0, else `gate-open`."""
    if name != "auto":
        return name
    return "nonzero" if families.activation(model) in ZERO_CLOSED else "gate-open"


def watched(block: FeedForward, rule: str) -> tuple[nn.Module, bool]:
    """Return the module to watch, and whether its output (else its input) is what the rule is about."""
    at_gate = rule == "gate-open" or (rule == "nonzero" and block.up is not None)
    return (block.read, True) if at_gate else (block.write, False)


def tester(block: FeedForward, rule: Rule, layer: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function from watched values [..., neurons] to whether each is active, of bool."""
    if rule.name == "output-norm":
        lengths = families.columns(block.write).float().norm(dim=1)
        threshold = rule.thresholds[layer]
        return lambda values: values.abs() * lengths > threshold
    if rule.name == "nonzero" and block.up is None:
        return lambda values: values != 0
    return lambda values: values > 0


def calibrate(
    model: PreTrainedModel, windows: Iterable[np.ndarray], *, target: float, layers: Iterable[int]
) -> tuple[float, ...]:
    """Find each layer's threshold for `output-norm`.

    The error of a threshold at a token is the length of the sum of what neurons at or below it add, divided by the
    length of what all add. The threshold is the highest whose mean error over the windows stays within the target.

    Parameters
    ----------
    model
        The model.
    windows
        What to measure on: tokens of each window.
    target
        Mean error allowed (CETT).
    layers
        Layers to calibrate; the others get infinity.

    Returns
    -------
    tuple of float
        One threshold a layer.
    """
    blocks = families.feed_forwards(model)
    kept: dict[int, list[torch.Tensor]] = {layer: [] for layer in layers}
    hooks = [
        blocks[layer].write.register_forward_pre_hook(
            lambda _module, values, layer=layer: kept[layer].append(
                values[0].reshape(-1, values[0].shape[-1])
            )
        )
        for layer in kept
    ]
    try:
        with torch.inference_mode():
            for window in windows:
                model.base_model(torch.from_numpy(window)[None].to(model.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    found = [float("inf")] * len(blocks)
    for layer, values in kept.items():
        found[layer] = _threshold(torch.cat(values).float(), blocks[layer], target)
    return tuple(found)


def _threshold(values: torch.Tensor, block: FeedForward, target: float) -> float:
    weights = families.columns(block.write).float()
    adds = values.abs() * weights.norm(dim=1)
    whole = (values @ weights).norm(dim=1).clamp_min(1e-12)
    low, high = 0.0, float(adds.max())
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        error = ((values * (adds <= middle)) @ weights).norm(dim=1) / whole
        if float(error.mean()) <= target:
            low = middle
        else:
            high = middle
    return low
