"""Weights that are whole in every process (data parallelism). Not covered: hiding communication."""

import torch
from torch import nn

from sulan.training import weights
from sulan.training.config import TrainingConfig
from sulan.training.distributed import World
from sulan.training.loss import NextTokenLoss
from sulan.training.weights import MOMENTS, parameters


class Replicated:
    """Whole weights in every process: one flat float32 tensor, its gradients another.

    One sum over the processes a step, in float32, one norm, one fused update: few calls, which counts with
    small models. In bfloat16 the model computes with a rounded copy that is made anew after every update.
    torch's DistributedDataParallel would hide a part of the sum behind the backward pass, but sums bfloat16
    gradients, or every micro-batch's.
    """

    def __init__(self, objective: NextTokenLoss, *, config: TrainingConfig, world: World) -> None:
        self.objective = objective
        self._world = world
        self._weights = parameters(objective.model)
        self._divisor = config.accumulate * world.size
        self._flat = torch.cat([weight.detach().flatten() for weight in self._weights.values()])
        world.broadcast(self._flat)
        self._gradient = torch.zeros_like(self._flat)
        self._gradients = self._views(self._gradient)
        self._collected = 0
        border = sum(weight.numel() for weight in self._weights.values() if weight.ndim >= 2)
        self._parts = [self._flat[:border], self._flat[border:]]
        for part, gradient in zip(
            self._parts, (self._gradient[:border], self._gradient[border:]), strict=True
        ):
            part.grad = gradient
        decayed, undecayed = ([part] if len(part) else [] for part in self._parts)
        self._optimizer = weights.adamw(decayed, undecayed, config)
        for part in decayed + undecayed:
            self._optimizer.state[part] = {
                "step": torch.zeros((), device=part.device),
                **{moment: torch.zeros_like(part) for moment in MOMENTS},
            }
        self._computing = self._flat.to(getattr(torch, config.dtype))  # the flat tensor itself in float32
        for weight, view in zip(self._weights.values(), self._views(self._computing), strict=True):
            weight.data = view

    def _views(self, flat: torch.Tensor) -> list[torch.Tensor]:
        sizes = [weight.numel() for weight in self._weights.values()]
        return [
            part.view(weight.shape)
            for part, weight in zip(flat.split(sizes), self._weights.values(), strict=True)
        ]

    def collect(self) -> None:
        """See `Weights`."""
        for weight, sum_ in zip(self._weights.values(), self._gradients, strict=True):
            if weight.grad is None:
                if not self._collected:
                    sum_.zero_()
            elif self._collected:
                sum_.add_(weight.grad)
            else:
                sum_.copy_(weight.grad)
            weight.grad = None
        self._collected += 1

    def norm(self) -> torch.Tensor:
        """See `Weights`."""
        self._world.sum(self._gradient)
        return torch.linalg.vector_norm(self._gradient) / self._divisor

    def update(self, *, learning_rate: float, factor: float) -> None:
        """See `Weights`."""
        scale = factor / self._divisor
        if scale != 1:
            self._gradient.mul_(scale)
        weights.step(self._optimizer, learning_rate)
        if self._computing is not self._flat:
            self._computing.copy_(self._flat)
        self._collected = 0

    def forget(self) -> None:
        """See `Weights`."""
        self._collected = 0

    def state(self) -> dict[str, torch.Tensor]:
        """See `Weights`."""
        state = self._named("weight", self._flat)
        for moment in MOMENTS:
            state |= self._named(moment, self._joined(moment))
        return state | {"updates": self._updates()}

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """See `Weights`."""
        joined = {
            kind: torch.cat([state[f"{kind}/{name}"].flatten() for name in self._weights])
            for kind in ("weight", *MOMENTS)
        }
        self._flat.copy_(joined["weight"])
        self._computing.copy_(self._flat)
        start = 0
        for part in self._parts:
            for moment in MOMENTS if len(part) else ():
                self._optimizer.state[part][moment].copy_(joined[moment][start : start + len(part)])
            if len(part):
                self._optimizer.state[part]["step"].copy_(state["updates"])
            start += len(part)

    def finish(self, model: nn.Module) -> None:
        """See `Weights`."""
        for weight, view in zip(self._weights.values(), self._views(self._flat), strict=True):
            weight.data = view.clone()  # not a view: some writers save a view's whole storage

    def _named(self, kind: str, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        return {f"{kind}/{n}": v for n, v in zip(self._weights, self._views(flat), strict=True)}

    def _joined(self, moment: str) -> torch.Tensor:
        return torch.cat([self._optimizer.state[part][moment] for part in self._parts if len(part)])

    def _updates(self) -> torch.Tensor:
        return next(self._optimizer.state[part]["step"] for part in self._parts if len(part))
