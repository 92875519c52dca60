"""Weights that are divided among the processes (FSDP2). Not covered: parts of a model on other devices."""

import copy

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from sulan.training import weights
from sulan.training.config import TrainingConfig
from sulan.training.distributed import World
from sulan.training.loss import NextTokenLoss
from sulan.training.weights import MOMENTS, parameters


class Sharded:
    """Weights, gradients and optimizer state divided among the processes, with torch's fully_shard (FSDP2).

    Each block of layers is gathered when it computes and dropped afterwards. Trains a copy: the caller's model
    stays whole on its device and gets the weights at the end.
    """

    def __init__(self, objective: NextTokenLoss, *, config: TrainingConfig, world: World) -> None:
        for weight in parameters(objective.model).values():
            world.broadcast(weight.data)
        self.objective = copy.deepcopy(objective)
        mesh = init_device_mesh(world.device.type, (world.size,))
        policy = MixedPrecisionPolicy(param_dtype=getattr(torch, config.dtype), reduce_dtype=torch.float32)
        for block in _blocks(self.objective):
            fully_shard(block, mesh=mesh, mp_policy=policy)
        fully_shard(self.objective, mesh=mesh, mp_policy=policy)
        self._weights = parameters(self.objective.model)
        self._divisor = config.accumulate
        self._optimizer = weights.adamw(
            [weight for weight in self._weights.values() if weight.ndim >= 2],
            [weight for weight in self._weights.values() if weight.ndim < 2],
            config,
        )
        for weight in self._weights.values():
            self._optimizer.state[weight] = {
                "step": torch.zeros((), device=world.device),
                **{moment: torch.zeros_like(weight.detach()) for moment in MOMENTS},
            }

    def collect(self) -> None:
        """Nothing: FSDP2 adds up and averages over the processes in `backward`."""

    def norm(self) -> torch.Tensor:
        """See `Weights`."""
        gradients = [weight.grad for weight in self._weights.values() if weight.grad is not None]
        return _whole(nn.utils.get_total_norm(gradients)) / self._divisor

    def update(self, *, learning_rate: float, factor: float) -> None:
        """See `Weights`."""
        for weight in self._weights.values():
            if weight.grad is not None:
                weight.grad.mul_(factor / self._divisor)
        weights.step(self._optimizer, learning_rate)
        self.forget()

    def forget(self) -> None:
        """See `Weights`."""
        self._optimizer.zero_grad()

    def state(self) -> dict[str, torch.Tensor]:
        """See `Weights`."""
        state = {}
        for name, weight in self._weights.items():
            kept = self._optimizer.state[weight]
            state[f"weight/{name}"] = _whole(weight.detach()).cpu()
            state |= {f"{moment}/{name}": _whole(kept[moment]).cpu() for moment in MOMENTS}
        return state | {"updates": next(iter(self._optimizer.state.values()))["step"]}

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """See `Weights`."""
        for name, weight in self._weights.items():
            kept = self._optimizer.state[weight]
            for kind, target in (("weight", weight.detach()), *((m, kept[m]) for m in MOMENTS)):
                whole = state[f"{kind}/{name}"].to(target.device)
                if isinstance(target, DTensor):
                    whole = distribute_tensor(whole, target.device_mesh, target.placements)
                target.copy_(whole)
            kept["step"].copy_(state["updates"])

    def finish(self, model: nn.Module) -> None:
        """See `Weights`."""
        found = {name: _whole(weight.detach()) for name, weight in self._weights.items()}
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.copy_(found[name])


def _blocks(objective: nn.Module) -> list[nn.Module]:
    """Return the layers that are gathered one at a time: the members of the longest list of modules."""
    lists = [module for module in objective.modules() if isinstance(module, nn.ModuleList)]
    return list(max(lists, key=len, default=nn.ModuleList()))


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
