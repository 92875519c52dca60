"""From a checkpoint to codes, block after block; what `quantize run` does between its arguments and its files.

Memory holds the embedding, one block in two precisions with its tuning state, and the two streams of activations.
Not covered: several devices.
"""

import ctypes
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sulan.quantize import blocks as tuning
from sulan.quantize import grid, statistics, streamed, streams
from sulan.quantize.blocks import Flow, Tuned
from sulan.quantize.grid import Quantised
from sulan.quantize.layers import Layer
from sulan.quantize.resuming import Work
from sulan.quantize.settings import Plan
from sulan.quantize.streamed import Checkpoint
from sulan.runs import seeds
from sulan.runs.progress import progress

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where and how blocks are computed.

    Attributes
    ----------
    device, dtype
        Of the blocks' arithmetic.
    streams_in_memory
        Whether activations are kept in memory and not in memory-mapped files.
    """

    device: torch.device
    dtype: torch.dtype
    streams_in_memory: bool


class Blocks:
    """The model's blocks, loaded one at a time.

    Parameters
    ----------
    checkpoint
        The unquantised model.
    machine
        Where blocks are loaded.
    """

    def __init__(self, checkpoint: Checkpoint, machine: Machine) -> None:
        self.checkpoint, self.machine = checkpoint, machine
        self.name, self.list = streamed.blocks(checkpoint.skeleton)

    def load(self, number: int) -> nn.Module:
        """Load a block's weights in the precision of the arithmetic."""
        block = self.list[number]
        machine = self.machine
        self.checkpoint.fill(block, f"{self.name}.{number}.", dtype=machine.dtype, device=machine.device)
        return block

    def matrices(self, number: int) -> dict[str, nn.Linear]:
        """Return a block's matrices by full name."""
        block = self.list[number]
        return {
            f"{self.name}.{number}.{name}": module
            for name, module in block.named_modules()
            if isinstance(module, nn.Linear)
        }

    def unload(self, number: int) -> None:
        """Forget a block's weights."""
        self.checkpoint.empty(self.list[number])


def quantise(
    blocks: Blocks,
    layers: Sequence[Layer],
    work: Work,
    *,
    plan: Plan,
    windows: Tensor | None,
    seed: int,
    embedding: Quantised | None = None,
    on_block: Callable[[int, Tuned], None] = lambda number, tuned: None,
) -> None:
    """Quantise every block into the work folder; blocks that are there already are left as they are.

    Parameters
    ----------
    blocks
        The model.
    layers
        Which matrices, and how.
    work
        Where finished blocks go.
    plan
        How they are tuned.
    windows
        Calibration tokens, int64 [samples, tokens]; None: without.
    seed
        Draws the windows of each step, from (seed, block).
    embedding
        The quantised embedding that the result will have, if it is quantised.
    on_block
        Called with every block's number and result, also of those that were there.
    """
    count = len(blocks.list)
    by_block = {
        number: [layer for layer in layers if layer.scheme and layer.name in blocks.matrices(number)]
        for number in range(count)
    }
    last = max((number for number in range(count) if by_block[number] and not work.has(number)), default=-1)
    _give_back()
    flowing = None
    if windows is not None and last >= 0:
        flowing = enter(blocks, windows, work, embedding=embedding)
    for number in progress(range(count), label="quantize", total=count):
        done = work.load(number) if work.has(number) else None
        if flowing is not None and number <= last:
            block = blocks.load(number)
            done = flowing.through(
                block, number, by_block[number], plan=plan, done=done, seed=seed, goes_on=number < last
            )
            blocks.unload(number)
        done = done or _alone(blocks, by_block[number], plan)
        if not work.has(number):
            work.save(number, done)
        if done.losses:
            _log.info("block %d: %s", number, {name: f"{loss:.3g}" for name, loss in done.losses.items()})
        on_block(number, done)
        _give_back()


def _give_back() -> None:
    """Give freed memory back to the system, which glibc does by itself only from the end of its heap.

    Of the 481 MB that it held after SmolLM2's first block, 289 were free, most since the tokenizer was read; without
    this a run grew by 7 MB a block. It takes 3 ms.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def _alone(blocks: Blocks, layers: Sequence[Layer], plan: Plan) -> Tuned:
    weights = {layer.name: blocks.checkpoint.tensor(f"{layer.name}.weight").float() for layer in layers}
    return tuning.round_alone(weights, layers, plan=plan)


@dataclass(kw_only=True)
class Flowing:
    """Both streams, at the input of the same block."""

    blocks: Blocks
    teacher: Tensor
    student: Tensor
    arguments: list[dict[str, Any]]

    def through(
        self,
        block: nn.Module,
        number: int,
        layers: Sequence[Layer],
        *,
        plan: Plan,
        done: Tuned | None,
        seed: int,
        goes_on: bool,
    ) -> Tuned:
        """Take the streams through a block and return what it became."""
        device, arguments = self.blocks.machine.device, self.arguments[number]
        if not plan.quantized_input:
            self.student.copy_(self.teacher)
        matrices = self.blocks.matrices(number)
        chosen = {layer.name: matrices[layer.name] for layer in layers} if done is None else {}
        tokens = self.student.shape[0] * self.student.shape[1]
        if plan.start == "gptq":
            # What columns make good for one another depends on what they are really fed.
            with statistics.gathering(chosen, tokens=tokens, products=True) as moments:
                streams.run(block, self.student, arguments, batch=plan.batch, device=device)
            streams.advance(block, self.teacher, arguments, batch=plan.batch, device=device)
        else:
            with statistics.gathering(chosen, tokens=tokens) as moments:
                streams.advance(block, self.teacher, arguments, batch=plan.batch, device=device)
        if chosen:
            weights = {
                layer.name: self.blocks.checkpoint.tensor(f"{layer.name}.weight").float().to(device)
                for layer in layers
            }
            flow = Flow(student=self.student, targets=self.teacher, arguments=arguments, device=device)
            generator = seeds.generator(seed, f"quantize block {number}")
            done = tuning.tune(
                block, matrices, layers, weights, flow, moments=moments, plan=plan, generator=generator
            )
        done = done or Tuned(matrices={}, importance={}, losses={})
        if goes_on and plan.quantized_input:
            for name, matrix in done.matrices.items():
                weight = matrices[name].weight
                weight.data = matrix.weight(weight.dtype).to(device)
            streams.advance(block, self.student, arguments, batch=plan.batch, device=device)
        return done


def enter(blocks: Blocks, windows: Tensor, work: Work, *, embedding: Quantised | None = None) -> Flowing:
    """Fill both streams with the first block's inputs."""
    checkpoint, machine = blocks.checkpoint, blocks.machine
    model = checkpoint.skeleton
    shell = [name for name in checkpoint.names if not name.startswith(f"{blocks.name}.")]
    for name in shell:
        owner, _, part = name.rpartition(".")
        tensor = checkpoint.tensor(name).to(machine.device, machine.dtype)
        setattr(model.get_submodule(owner), part, nn.Parameter(tensor, requires_grad=False))
    shape = (windows.shape[0], windows.shape[1], int(model.config.get_text_config().hidden_size))

    def room(name: str) -> Tensor:
        return streams.stream(
            shape, machine.dtype, file=None if machine.streams_in_memory else work.scratch(name)
        )

    teacher, student = room("teacher"), room("student")
    arguments = streams.enter(model, blocks.list, windows, teacher, device=machine.device)
    if embedding is None:
        student.copy_(teacher)
    else:
        table: Any = model.get_input_embeddings()
        table.weight.data = embedding.weight(machine.dtype).to(machine.device)
        streams.enter(model, blocks.list, windows, student, device=machine.device)
    for name in shell:
        owner, _, part = name.rpartition(".")
        empty = torch.empty(0, device="meta")
        setattr(model.get_submodule(owner), part, nn.Parameter(empty, requires_grad=False))
    return Flowing(blocks=blocks, teacher=teacher, student=student, arguments=arguments)


def embedding_of(checkpoint: Checkpoint, layer: Layer) -> Quantised:
    """Return the embedding, rounded to nearest."""
    if layer.scheme is None:
        raise ValueError(f"{layer.name} is not quantised")
    with tuning.one_thread():
        return grid.nearest(checkpoint.tensor(f"{layer.name}.weight").float(), layer.scheme)
