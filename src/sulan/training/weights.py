"""What the loop needs of the weights that it trains, their gradients and AdamW's state.

`replicated` keeps them whole in every process, `sharded` divides them. Both keep float32 weights that are
updated, whatever the precision of the computation, and name the tensors of a checkpoint alike; so a training may
go on in the other form, or with another number of processes. Not covered: other optimizers, frozen weights,
optimizer state outside the device.
"""

from typing import Protocol

import torch
from torch import nn
from torch.optim import AdamW

from sulan.errors import InputError
from sulan.training.config import TrainingConfig
from sulan.training.loss import NextTokenLoss

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW remembers of every weight."""


class Weights(Protocol):
    """What the loop needs of the weights that it trains."""

    objective: NextTokenLoss
    """Gives the loss of sequences; what `backward` leaves in it, `collect` takes."""

    def collect(self) -> None:
        """Add the gradients of a micro-batch, which the last `backward` left, to those of the step."""
        ...

    def norm(self) -> torch.Tensor:
        """Average the step's gradients over micro-batches and processes; return their norm, a scalar."""
        ...

    def update(self, *, learning_rate: float, factor: float) -> None:
        """Make one step of AdamW with the gradients times `factor`."""
        ...

    def forget(self) -> None:
        """Drop the gradients of the step."""
        ...

    def state(self) -> dict[str, torch.Tensor]:
        """Return what a checkpoint holds, by name, whole and in float32; every process must call it."""
        ...

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Take the state of a checkpoint; every process must call it."""
        ...

    def finish(self, model: nn.Module) -> None:
        """Leave the float32 weights in the caller's model."""
        ...


def parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return what is trained by name, a tied weight once: first what decays, then what does not.

    Raises
    ------
    InputError
        The model has no weights, or one that is frozen or not float32.
    """
    named = dict(model.named_parameters())
    for name, weight in named.items():
        if weight.dtype != torch.float32:
            raise InputError(
                f"{name} is {str(weight.dtype).removeprefix('torch.')}, not float32",
                hint="load the model in float32; the precision of the training is the config's dtype",
            )
        if not weight.requires_grad:
            raise InputError(
                f"{name} is frozen", hint="pretraining updates all weights: requires_grad_(True)"
            )
    if not named:
        raise InputError("the model has no weights to train")
    decayed = {name for name, weight in named.items() if weight.ndim >= 2}
    return {name: named[name] for name in sorted(named, key=lambda name: name not in decayed)}


def shapes(model: nn.Module) -> dict[str, list[int]]:
    """Return the shape of every weight, which a checkpoint must fit."""
    return {name: list(weight.shape) for name, weight in model.named_parameters()}


def adamw(decayed: list[torch.Tensor], undecayed: list[torch.Tensor], config: TrainingConfig) -> AdamW:
    """Return the optimizer over what decays (matrices, embeddings) and what does not (norms, biases)."""
    parts = ((decayed, config.weight_decay), (undecayed, 0.0))
    return AdamW(
        [{"params": tensors, "weight_decay": decay} for tensors, decay in parts if tensors],
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.epsilon,
        fused=True,
    )


def step(optimizer: AdamW, learning_rate: float) -> None:
    """Update with this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()
