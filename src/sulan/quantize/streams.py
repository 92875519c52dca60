"""Activations between blocks: two streams, kept once, in memory or in a memory-mapped file.

The teacher's stream holds what the unquantised model has at the present block's input, and after `advance` at
its output, which is the block's target and the next block's input. The student's stream holds the same of the
model as quantised so far. Both are updated in place, a batch at a time, so that each exists once: 2 samples x
tokens x width numbers in all.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

WRITTEN_OUT = 256
"""Longest window whose attention on a CPU is written out as matrix products instead of torch's fused kernel: forward
and backward of 4 windows of 128 tokens of SmolLM2 took 5.7 instead of 16.1 ms in bfloat16. Beyond it the scores,
tokens x tokens numbers a head, cost more memory than that is worth."""


class Reached(Exception):
    """The last block was reached: nothing after it need be computed."""


class _Listener(nn.Module):
    """Stands for a block: keeps what it is called with and passes the hidden states on."""

    def __init__(self, block: nn.Module, *, last: bool) -> None:
        super().__init__()
        self._block, self._last = [block], last  # in a list, so that it is no submodule
        self.hidden: Tensor | None = None
        self.arguments: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(
                self.__dict__["_block"][0], name
            )  # the model asks its blocks for their kind of attention

    def forward(self, hidden: Tensor, **arguments: Any) -> Tensor:
        self.hidden, self.arguments = hidden, arguments
        if self._last:
            raise Reached
        return hidden


def stream(shape: tuple[int, int, int], dtype: torch.dtype, *, file: Path | None) -> Tensor:
    """Return room for activations [samples, tokens, width], in a file where one is given."""
    if file is None:
        return torch.empty(shape, dtype=dtype)
    count = shape[0] * shape[1] * shape[2]
    return torch.from_file(str(file), shared=True, size=count, dtype=dtype).view(shape)


def enter(
    model: PreTrainedModel, blocks: nn.ModuleList, windows: Tensor, out: Tensor, *, device: torch.device
) -> list[dict[str, Any]]:
    """Fill a stream with the first block's inputs and return every block's other arguments.

    All windows have one length and no padding, so masks and positions are the same for all of them: those of a batch
    of one, which broadcast.

    Parameters
    ----------
    model
        Its embedding and buffers are loaded; its blocks need not be.
    blocks
        The model's blocks, which come back unchanged.
    windows
        int64 [samples, tokens].
    out
        The stream.
    """
    if device.type == "cpu" and windows.shape[1] <= WRITTEN_OUT:
        model.set_attn_implementation("eager")
    real = list(blocks)
    listeners = [_Listener(block, last=block is real[-1]) for block in real]
    try:
        for number, listener in enumerate(listeners):
            blocks[number] = listener
        for number, window in enumerate(windows):
            try:
                with torch.no_grad():
                    model(input_ids=window[None].to(device), use_cache=False)
            except Reached:
                pass
            hidden = listeners[0].hidden
            if hidden is None:
                raise RuntimeError("the model never called its first block")
            out[number] = hidden[0].to(out.dtype)
    finally:
        for number, block in enumerate(real):
            blocks[number] = block
    return [listener.arguments for listener in listeners]


def output(block: nn.Module, hidden: Tensor, arguments: dict[str, Any]) -> Tensor:
    """Return the hidden states after a block."""
    found = block(hidden, **arguments)
    return found[0] if isinstance(found, tuple) else found


def batches(samples: int, size: int) -> Iterator[slice]:
    """Give slices that cover the samples in order."""
    for start in range(0, samples, size):
        yield slice(start, min(start + size, samples))


@torch.no_grad()
def advance(
    block: nn.Module, activations: Tensor, arguments: dict[str, Any], *, batch: int, device: torch.device
) -> None:
    """Replace a stream by the block's outputs on it."""
    for rows in batches(len(activations), batch):
        hidden = activations[rows].to(device)
        activations[rows] = output(block, hidden, arguments).to(activations)


@torch.no_grad()
def run(
    block: nn.Module, activations: Tensor, arguments: dict[str, Any], *, batch: int, device: torch.device
) -> None:
    """Run a block on a stream for those who listen, and change nothing."""
    for rows in batches(len(activations), batch):
        output(block, activations[rows].to(device), arguments)
