"""The processes of one training: this one alone, or those that torchrun started.

Not covered: tensor, pipeline and context parallelism, starting processes, and going on with fewer of them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True, kw_only=True)
class World:
    """Which of how many processes this is, and the device it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def sum(self, values: torch.Tensor) -> None:
        """Overwrite `values` with their sum over all processes; the same bits in each."""
        if self.size > 1:
            distributed.all_reduce(values)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Return the mean over all processes; the same bits in each."""
        self.sum(values)
        return values / self.size

    def broadcast(self, values: torch.Tensor) -> None:
        """Overwrite `values` with the first process's."""
        if self.size > 1:
            distributed.broadcast(values, src=0)

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """Join the processes that torchrun started, if it did; gloo between CPUs, NCCL between CUDA devices.

    Parameters
    ----------
    device
        Where the model is; on CUDA each process takes the card of its local rank.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World(rank=0, size=1, device=device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    started = not distributed.is_initialized()
    if started:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(rank=distributed.get_rank(), size=distributed.get_world_size(), device=device)
    finally:
        if started:
            distributed.destroy_process_group()
