"""What a block's matrices are fed: second moments of their inputs, gathered in the same pass that makes the targets.

Not covered: gradients; see `sensitivity` for those.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sulan.quantize import streams

TOKENS = 4096
"""Tokens whose inputs enter the moments, spread over all windows: enough for rows of some thousand weights, and cheap."""


@dataclass(kw_only=True)
class Moments:
    """X'X of the inputs X of one matrix, or of several that share them.

    Attributes
    ----------
    products
        float32 [columns, columns].
    count
        Inputs that it is the sum of.
    """

    products: Tensor
    count: int = 0

    @property
    def importance(self) -> Tensor:
        """Mean squared input of every column, float32 [columns]."""
        return self.products.diagonal() / max(1, self.count)


@torch.no_grad()
def gather(
    block: nn.Module,
    matrices: Mapping[str, nn.Linear],
    student: Tensor,
    arguments: dict[str, Any],
    *,
    batch: int,
    device: torch.device,
) -> dict[str, Moments]:
    """Run a block on the student's stream and return the moments of its matrices' inputs by name.

    Matrices that are fed one tensor share one object. The block has its unquantised weights.
    """
    found: dict[str, Moments] = {}
    samples, tokens = student.shape[:2]
    stride = max(1, samples * tokens // TOKENS)
    for rows in streams.batches(samples, batch):
        with _heard(matrices) as inputs:
            streams.output(block, student[rows].to(device), arguments)
        owner: dict[int, str] = {}
        for name, heard in inputs.items():
            first = owner.setdefault(heard.data_ptr(), name)
            if first != name:
                found[name] = found[first]
                continue
            chosen = heard.flatten(0, -2)[::stride].float()
            sums = found.get(name)
            if sums is None:
                sums = found[name] = Moments(products=chosen.new_zeros(chosen.shape[1], chosen.shape[1]))
            sums.products.addmm_(chosen.t(), chosen)
            sums.count += len(chosen)
    return found


@contextmanager
def _heard(matrices: Mapping[str, nn.Linear]) -> Iterator[dict[str, Tensor]]:
    """Give a table that holds each matrix's last input while the block runs."""
    inputs: dict[str, Tensor] = {}

    def listen(name: str) -> Any:
        return lambda _, given: inputs.__setitem__(name, given[0])

    handles = [module.register_forward_pre_hook(listen(name)) for name, module in matrices.items()]
    try:
        yield inputs
    finally:
        for handle in handles:
            handle.remove()
