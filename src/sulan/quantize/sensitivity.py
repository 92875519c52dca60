"""How much the model's predictions suffer when one matrix alone is rounded to so many bits.

To second order, the divergence between the model's prediction and the same with one matrix changed by D is

    KL  ~  1/2 E_y [ sum_t (g_t . D x_t)^2 ] / tokens        g_t = d(-log p(y)) / d(output_t)

with x_t the matrix' inputs and y drawn from the model's own prediction (the Fisher form of the Hessian; unlike
the data's loss it has no first-order term that could cancel). One forward and one backward pass serve all
matrices; each bit width costs one more multiplication a matrix. The whole model is in memory. Not covered:
interactions between matrices.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sulan.quantize import grid
from sulan.quantize.blocks import one_thread, searched
from sulan.quantize.layers import Layer
from sulan.quantize.pipeline import Blocks
from sulan.runs import seeds
from sulan.runs.progress import progress

BITS = (2, 3, 4, 8)

TOKENS = 1024
"""Calibration tokens used: a backward pass of the whole model for every window of them is what this costs."""


def measure(
    blocks: Blocks, layers: Sequence[Layer], windows: Tensor, *, seed: int
) -> dict[str, dict[int, float]]:
    """Return the divergence in nats a token by matrix and bits.

    Parameters
    ----------
    blocks
        The model.
    layers
        Its matrices; those that are not quantised are left out.
    windows
        Calibration tokens, int64 [samples, tokens].
    seed
        Draws y.
    """
    from sulan.models import load

    machine = blocks.machine
    name = "float32" if machine.dtype == torch.float32 else "bfloat16"
    model = load(blocks.checkpoint.folder, dtype=name, device=str(machine.device)).model
    named = dict(model.named_modules())
    chosen = [layer for layer in layers if layer.scheme]
    errors = {}
    for layer in progress(chosen, label="round every matrix"):
        weight = blocks.checkpoint.tensor(f"{layer.name}.weight").float()
        errors[layer.name] = _errors(weight, layer, machine.dtype)
    sums = {layer.name: dict.fromkeys(errors[layer.name], 0.0) for layer in chosen}
    length = min(windows.shape[1], TOKENS)
    count = max(1, min(len(windows), TOKENS // length))
    for number in progress(range(count), label="sensitivity", total=count):
        generator = torch.Generator().manual_seed(seeds.key(seed, f"sensitivity {number}") % 2**63)
        _backward(model, named, windows[number, :length].to(machine.device), errors, sums, generator)
    tokens = count * length
    found = {
        layer: {bits: total / (2 * tokens) for bits, total in values.items()}
        for layer, values in sums.items()
    }
    for values in found.values():
        values[8] = values[4] / 4**4  # an error's variance falls by four with every bit
    return found


def _errors(weight: Tensor, layer: Layer, dtype: torch.dtype) -> dict[int, Tensor]:
    """Return what rounding on searched grids changes, by bits."""
    if layer.scheme is None:
        raise ValueError(f"{layer.name} is not quantised")
    found = {}
    for bits in BITS[:-1]:
        scheme = grid.Scheme(bits=bits, group=layer.scheme.group, symmetric=layer.scheme.symmetric)
        with one_thread():
            rounded = searched(weight, None, scheme).quantised()
        found[bits] = (rounded.weight() - weight).to(dtype)
    return found


def _backward(
    model: Any,
    named: Mapping[str, nn.Module],
    window: Tensor,
    errors: Mapping[str, Mapping[int, Tensor]],
    sums: dict[str, dict[int, float]],
    generator: torch.Generator,
) -> None:
    """Add one window's squares to `sums`."""
    handles = []

    def listen(name: str) -> Any:
        def after(_: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
            inputs = given[0].detach()

            def arrived(gradient: Tensor) -> None:
                for bits, error in errors[name].items():
                    change = nn.functional.linear(inputs, error.to(inputs.device))
                    sums[name][bits] += float((gradient.float() * change.float()).sum(-1).square().sum())

            out.register_hook(arrived)

        return after

    handles = [named[name].register_forward_hook(listen(name)) for name in errors]
    try:
        embedded = model.get_input_embeddings()(window[None]).detach().requires_grad_()
        logits = model(inputs_embeds=embedded, use_cache=False).logits[0].float()
        with torch.no_grad():
            drawn = torch.multinomial(logits.softmax(-1).cpu(), 1, generator=generator)[:, 0]
        nn.functional.cross_entropy(logits, drawn.to(logits.device), reduction="sum").backward()
    finally:
        for handle in handles:
            handle.remove()
