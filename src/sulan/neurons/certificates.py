"""Proof from the weights that a neuron is never active, whatever the model reads.

What a feed-forward block reads has been normalised: `g * z + b` with `|z| <= sqrt(d)`, and for LayerNorm the parts of
`z` sum to 0. So the input of neuron n's activation function is at most

    sqrt(d) * |P(g * w)| + w . b + bias

where `P` takes the mean out (LayerNorm) or does nothing (RMSNorm). Where that is below 0 by more than the model's own
rounding, the neuron is proved never to be active; no text can wake it. The bound is reached by some vector, though
perhaps by none that a text leads to: a neuron without proof may be dead as well. The same holds where the layer
normalises after attention (OPT-350m): its block reads that norm's output.

Not covered: blocks that read anything but a norm's output.
"""

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from sulan.neurons import families
from sulan.neurons.families import FeedForward


def bounds(model: PreTrainedModel, layers: tuple[int, ...]) -> np.ndarray:
    """Return the most that every neuron's activation function can get, rounding included.

    Parameters
    ----------
    model
        The model.
    layers
        Layers wanted.

    Returns
    -------
    numpy.ndarray
        float64 [layers, neurons]; a value below 0 proves that the neuron is never active.
    """
    blocks = families.feed_forwards(model)
    one_plus = families.family(model).one_plus
    return np.stack([_bound(blocks[layer], one_plus=one_plus).numpy() for layer in layers])


def gain(norm: nn.Module, *, one_plus: bool, width: int) -> torch.Tensor:
    """Return what a normalisation multiplies by, float64 [width]."""
    weight: torch.Tensor | None = getattr(norm, "weight", None)
    if weight is None:
        return torch.ones(width, dtype=torch.float64)
    return weight.detach().double().cpu() + (1.0 if one_plus else 0.0)


def centred(norm: nn.Module) -> bool:
    """Tell whether a normalisation takes the mean out: LayerNorm does, RMSNorm does not."""
    return isinstance(norm, nn.LayerNorm)


def _bound(block: FeedForward, *, one_plus: bool) -> torch.Tensor:
    weights = families.rows(block.read).detach().double().cpu()
    width = weights.shape[1]
    stretched = weights * gain(block.norm, one_plus=one_plus, width=width)
    if centred(block.norm):
        stretched = stretched - stretched.mean(dim=1, keepdim=True)
    zero = torch.zeros(1, dtype=torch.float64)
    shift = getattr(block.norm, "bias", None)
    shift = zero.expand(width) if shift is None else shift.detach().double().cpu()
    bias = getattr(block.read, "bias", None)
    bias = zero if bias is None else bias.detach().double().cpu()
    reach = width**0.5 * stretched.norm(dim=1)
    # A sum of d + 1 products rounds by less than (d + 4) epsilon times the sum of their sizes; the norm as well.
    sizes = width**0.5 * (weights * gain(block.norm, one_plus=one_plus, width=width)).norm(dim=1)
    sizes = sizes + (weights.abs() @ shift.abs()) + bias.abs()
    # RMSNorm computes in float32 whatever the weights are.
    epsilon = max(torch.finfo(each).eps for each in (families.rows(block.read).dtype, torch.float32))
    return reach + weights @ shift + bias + (width + 4) * epsilon * sizes
