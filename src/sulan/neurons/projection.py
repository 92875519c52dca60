"""What a neuron adds to the logits: its row of the second matrix, through the last norm and the head.

The last norm divides by a length that depends on everything else; what is linear in it is kept (LayerNorm's mean
taken out, its gain), so signs and order are those of the model up to one positive factor. The paper does not say
whether it applies the norm. Not covered: what later layers make of it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from sulan.neurons import certificates, families

_ROWS = 256
"""Neurons projected at once: with 50,000 tokens 50 MB of logits."""


def vocabulary(model: PreTrainedModel) -> torch.Tensor:
    """Return the matrix from what a layer writes to what it adds to the logits, float32 [tokens, width]."""
    names = families.family(model)
    output: Any = model.get_output_embeddings()
    head: torch.Tensor = output.weight.detach().float()
    base = model.base_model
    project = _optional(base, names.project_out)
    if project is not None:  # OPT-350m's residual stream is wider than its embeddings
        head = head @ project.weight.detach().float()
    norm = _optional(base, names.final_norm)
    if norm is None:
        return head
    gain = certificates.gain(norm, one_plus=names.one_plus, width=head.shape[1]).float().to(head.device)
    head = head * gain
    return head - head.mean(dim=1, keepdim=True) if certificates.centred(norm) else head


def of_layer(
    model: PreTrainedModel, layer: int, head: torch.Tensor, *, top: int
) -> Iterator[tuple[slice, torch.Tensor, np.ndarray, np.ndarray]]:
    """Project the neurons of a layer, some at a time.

    Parameters
    ----------
    model
        The model.
    layer
        Which layer.
    head
        From `vocabulary`.
    top
        Tokens to keep at either end.

    Yields
    ------
    tuple
        Which neurons; what each adds to every logit, relative to the mean over all, float32 [neurons, tokens]; the
        most promoted tokens; the most suppressed ones, both [neurons, top].
    """
    rows = families.columns(families.feed_forwards(model)[layer].write).detach().float()
    top = min(top, len(head))
    with torch.inference_mode():
        for begin in range(0, len(rows), _ROWS):
            added = rows[begin : begin + _ROWS] @ head.T
            added -= added.mean(dim=1, keepdim=True)
            promoted = added.topk(top, dim=1).indices.cpu().numpy()
            suppressed = added.topk(top, dim=1, largest=False).indices.cpu().numpy()
            yield slice(begin, begin + len(added)), added, promoted, suppressed


def _optional(module: Any, path: str) -> Any:
    *parents, last = path.split(".")
    for name in parents:
        module = getattr(module, name)
    return getattr(module, last, None) if last else None
