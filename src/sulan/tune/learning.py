"""Tuning the small model on the answer alone (2309.04663, algorithm 1, step 4).

    minimise  - mean over examples of log P(y | I, r, x; theta, theta_PEFT)     over theta_PEFT

Nothing before the answer is predicted, so the gradient on the prompt's tokens is zero. A step is a pure function of
the weights, the optimiser's state, the seed and the number of the epoch: a run that was killed goes on from its last
epoch and ends with the same bytes, on a CPU with the same number of threads.

Not covered: several processes; accumulation of gradients.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sulan.errors import InputError
from sulan.runs import seeds
from sulan.runs.progress import progress
from sulan.runs.record import plain
from sulan.training import checkpoint
from sulan.training.checkpoint import Checkpoint
from sulan.tune.halves import ROW, Halves
from sulan.tune.settings import Learning


@dataclass(frozen=True, kw_only=True)
class Row:
    """One example as tokens.

    Attributes
    ----------
    id
        Stable name; decides with the seed where the example stands and whether its rationale is left out.
    prompt
        Everything before the answer, int [tokens].
    bare
        The same without a rationale, for rationale dropout.
    answer
        The answer and the token that ends it, int [tokens].
    weight
        What its loss counts.
    """

    id: str
    prompt: np.ndarray
    bare: np.ndarray
    answer: np.ndarray
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """What a training did.

    Attributes
    ----------
    losses
        Mean loss of every epoch's training examples, nats an example, before each step's update.
    dev
        Loss on the dev examples after every epoch; empty without any.
    kept
        Epoch whose weights were kept, from 1.
    tokens
        Tokens that went through the tuned layers, all epochs together.
    """

    losses: tuple[float, ...]
    dev: tuple[float, ...]
    kept: int
    tokens: int


def learn(
    halves: Halves,
    tuned: dict[str, torch.nn.Parameter],
    train: Sequence[Row],
    dev: Sequence[Row],
    *,
    learning: Learning,
    seed: int,
    folder: Path,
    about: dict[str, Any],
    label: str = "tune",
) -> Learnt:
    """Tune some parameters; they hold the weights of the epoch that was best on dev afterwards.

    Parameters
    ----------
    halves
        The model; none of `tuned` lies below its cut.
    tuned
        Parameters by name, float32.
    train, dev
        Examples. Without dev examples the last epoch is kept.
    learning
        How.
    seed
        Orders the examples and leaves rationales out.
    folder
        Work folder that survives a kill.
    about
        What the training is made of; a folder of another one is refused.
    label
        What the progress says.

    Raises
    ------
    InputError
        There is nothing to learn from, the loss is not finite, or the folder holds another training.
    """
    if not train:
        raise InputError("there is no training example")
    about = plain(about)  # as a checkpoint gives it back
    found = checkpoint.newest(folder)
    if found:
        checkpoint.check_same(found.about, about, folder=folder)
    run = _Run(halves, tuned, train, dev, learning=learning, seed=seed)
    if found:
        run.load(found.state)
    with torch.random.fork_rng():
        for epoch in progress(range(run.done, learning.epochs), label=label):
            if run.ended:
                break
            run.epoch(epoch)
            made = Checkpoint(step=epoch + 1, skipped=0, about=about, state=run.state())
            checkpoint.save(made, folder, keep=1)
    return run.finish()


class _Run:
    def __init__(
        self,
        halves: Halves,
        tuned: dict[str, torch.nn.Parameter],
        train: Sequence[Row],
        dev: Sequence[Row],
        *,
        learning: Learning,
        seed: int,
    ) -> None:
        self._halves, self._tuned, self._train, self._dev = halves, tuned, train, dev
        self._learning, self._seed = learning, seed
        self._steps = learning.epochs * -(-len(train) // learning.batch)
        self._optimizer = torch.optim.AdamW(
            tuned.values(),
            lr=learning.learning_rate,
            weight_decay=learning.weight_decay,
            fused=halves.model.device.type in ("cpu", "cuda"),
        )
        self._losses: list[float] = []
        self._dev_losses: list[float] = []
        self._best = {name: each.detach().clone() for name, each in tuned.items()}
        self._tokens = 0

    @property
    def done(self) -> int:
        """Epochs done."""
        return len(self._losses)

    @property
    def ended(self) -> bool:
        """Whether dev has not improved for so long that it is over."""
        patience = self._learning.patience
        return patience is not None and bool(self._dev) and self.done - self._kept() >= patience

    def epoch(self, number: int) -> None:
        """Go through the training examples once."""
        draw = seeds.generator(self._seed, f"tune epoch {number}")
        order = draw.permutation(len(self._train))
        left_out = draw.random(len(self._train)) < self._learning.rationale_dropout
        total = 0.0
        batch = self._learning.batch
        for begin in range(0, len(order), batch):
            step = number * -(-len(order) // batch) + begin // batch
            torch.manual_seed(seeds.key(self._seed, f"tune step {step}") % 2**63)  # the adapter's dropout
            places = order[begin : begin + batch]
            total += self._step([(self._train[place], bool(left_out[place])) for place in places], step)
        self._losses.append(total / len(order))
        if self._dev:
            self._dev_losses.append(loss(self._halves, self._dev))
        if self._kept() == self.done:
            self._best = {name: each.detach().clone() for name, each in self._tuned.items()}

    def _step(self, examples: Sequence[tuple[Row, bool]], step: int) -> float:
        texts = [
            np.concatenate([row.bare if bare else row.prompt, row.answer[:-1]]) for row, bare in examples
        ]
        losses = _losses(self._halves, texts, [row.answer for row, _ in examples])
        losses = losses * torch.tensor([row.weight for row, _ in examples], device=losses.device)
        mean = losses.mean()
        if not math.isfinite(value := float(mean.detach())):
            raise InputError(f"the loss is {value} at step {step + 1}", hint="lower learning.learning-rate")
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning.learning_rate * (1 - step / self._steps)
        self._optimizer.zero_grad(set_to_none=True)
        mean.backward()
        torch.nn.utils.clip_grad_norm_(list(self._tuned.values()), self._learning.clip)
        self._optimizer.step()
        self._tokens += sum(map(len, texts))
        return float(losses.detach().sum())

    def _kept(self) -> int:
        if not self._dev_losses:
            return self.done
        return int(np.argmin(self._dev_losses)) + 1

    def state(self) -> dict[str, torch.Tensor]:
        """Return everything that the next epoch depends on."""
        found: dict[str, torch.Tensor] = {
            "losses": torch.tensor(self._losses, dtype=torch.float64),
            "dev": torch.tensor(self._dev_losses, dtype=torch.float64),
            "tokens": torch.tensor(self._tokens),
        }
        for name, parameter in self._tuned.items():
            found[f"weight/{name}"] = parameter.detach()
            found[f"best/{name}"] = self._best[name]
            for key, value in self._optimizer.state[parameter].items():
                found[f"{key}/{name}"] = value
        return found

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from a state."""
        self._losses, self._dev_losses = state["losses"].tolist(), state["dev"].tolist()
        self._tokens = int(state["tokens"])
        with torch.no_grad():
            for name, parameter in self._tuned.items():
                parameter.copy_(state[f"weight/{name}"])
                self._best[name].copy_(state[f"best/{name}"])
                self._optimizer.state[parameter] = {
                    key: state[f"{key}/{name}"].to(parameter.device)
                    if key != "step"
                    else state[f"{key}/{name}"]
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }

    def finish(self) -> Learnt:
        """Put the kept epoch's weights in place."""
        with torch.no_grad():
            for name, parameter in self._tuned.items():
                parameter.copy_(self._best[name])
        return Learnt(
            losses=tuple(self._losses), dev=tuple(self._dev_losses), kept=self._kept(), tokens=self._tokens
        )


def loss(halves: Halves, examples: Sequence[Row]) -> float:
    """Return the mean loss of examples with their rationales, nats an example."""
    total = 0.0
    with torch.no_grad():
        for together in _batches(examples):
            texts = [np.concatenate([row.prompt, row.answer[:-1]]) for row in together]
            total += float(_losses(halves, texts, [row.answer for row in together]).double().sum())
    return total / len(examples)


def _batches(examples: Sequence[Row]) -> list[list[Row]]:
    found: list[list[Row]] = []
    held = ROW
    for row in sorted(examples, key=lambda row: len(row.prompt)):
        size = len(row.prompt) + len(row.answer)
        if held + size > ROW:
            found.append([])
            held = 0
        found[-1].append(row)
        held += size
    return found


def _losses(halves: Halves, texts: Sequence[np.ndarray], answers: Sequence[np.ndarray]) -> torch.Tensor:
    """Return - log P(answer | what stands before it) for each text, float32 [texts]."""
    at = [np.arange(len(text) - len(answer), len(text)) for text, answer in zip(texts, answers, strict=True)]
    logits = halves.above(texts, at).float()
    targets = torch.from_numpy(np.concatenate(answers).astype(np.int64)).to(logits.device)
    nll = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    return torch.stack([part.sum() for part in nll.split([len(answer) for answer in answers])])
