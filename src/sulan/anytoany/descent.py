"""A few named weights go down a loss, step by step; a killed training goes on where it was, bit for bit.

Batches and noise of a step depend on the seed and the step alone. Not covered: several processes.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sulan.errors import SulanError
from sulan.runs import seeds
from sulan.runs.progress import progress
from sulan.training import checkpoint
from sulan.training.checkpoint import Checkpoint

_log = logging.getLogger(__name__)

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How weights are trained.

    Attributes
    ----------
    steps
        Of Adam.
    rate
        The highest learning rate, after a warm-up of a tenth of the steps; it falls to 0 linearly (v3, table 7).
    seed
        Of batches and noise.
    every
        Steps between checkpoints.
    """

    steps: int
    rate: float
    seed: int
    every: int = 100


def rate(step: int, plan: Plan) -> float:
    """Return the learning rate of a step, from 0.

    Examples
    --------
    >>> [rate(step, Plan(steps=20, rate=1.0, seed=0)) for step in (0, 1, 2, 11)]
    [0.5, 1.0, 1.0, 0.5]
    """
    warm = max(1, math.ceil(plan.steps / 10))
    if step < warm:
        return plan.rate * (step + 1) / warm
    return plan.rate * (plan.steps - step) / (plan.steps - warm)


def train(
    weights: Mapping[str, torch.nn.Parameter],
    loss: Callable[[int], torch.Tensor],
    *,
    plan: Plan,
    about: dict[str, Any],
    work: Path,
    label: str,
) -> list[float]:
    """Train weights in place and return the loss of every step since the last checkpoint.

    Adam with decoupled weight decay 1e-3 and betas 0.9 and 0.95, as the official code has them.

    Parameters
    ----------
    weights
        What is trained; afterwards nothing has gradients.
    loss
        Of a step.
    plan
        How.
    about
        What the training is made of; a checkpoint of another one is refused.
    work
        Folder for the checkpoints.
    label
        Of the progress.

    Raises
    ------
    InputError
        The checkpoints in `work` are of another training.
    SulanError
        The loss is not finite.
    """
    for weight in weights.values():
        weight.requires_grad_(True)
        weight.grad = torch.zeros_like(
            weight
        )  # so that every step counts for every weight, used in it or not
    optimizer = torch.optim.AdamW(weights.values(), betas=(0.9, 0.95), weight_decay=1e-3)
    begun = checkpoint.newest(work)
    if begun is not None:
        checkpoint.check_same(begun.about, about, folder=work)
        _restore(begun, weights, optimizer)
    first = 0 if begun is None else begun.step
    losses: list[float] = []
    for step in progress(range(first, plan.steps), label=label):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeds.key(plan.seed, f"sulan.anytoany.descent {label} {step}") % 2**63)
            found = loss(step)
            found.backward()
        if not torch.isfinite(found):
            raise SulanError(
                f"{label}: the loss of step {step} is {found.item()}", hint="lower the learning rate"
            )
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate(step, plan)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        losses.append(found.item())
        if (step + 1) % plan.every == 0 or step + 1 == plan.steps:
            checkpoint.save(_state(step + 1, about, weights, optimizer), work, keep=2)
    for weight in weights.values():
        weight.requires_grad_(False)
        weight.grad = None
    return losses


def _state(
    step: int, about: dict[str, Any], weights: Mapping[str, torch.nn.Parameter], optimizer: torch.optim.AdamW
) -> Checkpoint:
    state = {f"weight/{name}": weight.detach() for name, weight in weights.items()}
    for name, weight in weights.items():
        for moment in _MOMENTS:
            state[f"{moment}/{name}"] = optimizer.state[weight].get(moment, torch.zeros_like(weight))
    return Checkpoint(step=step, skipped=0, about=about, state=state)


def _restore(
    begun: Checkpoint, weights: Mapping[str, torch.nn.Parameter], optimizer: torch.optim.AdamW
) -> None:
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(begun.state[f"weight/{name}"])
            optimizer.state[weight] = {
                "step": torch.tensor(float(begun.step)),
                **{moment: begun.state[f"{moment}/{name}"] for moment in _MOMENTS},
            }
