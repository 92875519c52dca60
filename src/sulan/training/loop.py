"""The training loop: a model, a token stream and a config in; weights in the model and losses out.

A step is a pure function of the weights, the optimizer's state and the number of the step: sequences and
dropout are drawn from (seed, step). So a training that was killed ends with the same bits as one that was not,
on the CPU with the same number of threads and processes. Not covered: evaluation (`sulan.evaluation`, from
`on_step`), fp16, and data or optimizer on other machines than torchrun's.
"""

import logging
import math
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

import torch
from torch import nn

from sulan.errors import InputError
from sulan.runs import outputs, seeds
from sulan.runs.progress import progress
from sulan.runs.record import plain
from sulan.training import checkpoint, journal, schedule
from sulan.training.checkpoint import Checkpoint
from sulan.training.config import TrainingConfig
from sulan.training.distributed import World, joined
from sulan.training.journal import Journal
from sulan.training.loss import NextTokenLoss, compiler_errors
from sulan.training.replicated import Replicated
from sulan.training.sharded import Sharded
from sulan.training.stream import TokenStream
from sulan.training.weights import Weights, parameters, shapes

_HELD = (signal.SIGTERM, signal.SIGINT)

_FREE = frozenset({"checkpoint_every", "keep_checkpoints", "sharding", "skips"})
"""Settings that may change when a training goes on: they do not change what it computes."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training did.

    Attributes
    ----------
    losses
        Loss of every step, nats a token, before its update; those before a resume included.
    steps
        Steps done in all.
    tokens
        Tokens seen in all.
    seconds
        Wall seconds of all steps, without loading and saving.
    tokens_per_second
        Of the steps of this call, the first left out (it warms up); 0 where there was no second one.
    skipped
        Steps whose update was left out.
    """

    losses: tuple[float, ...]
    steps: int
    tokens: int
    seconds: float
    tokens_per_second: float
    skipped: int


def train(
    model: nn.Module,
    stream: TokenStream,
    *,
    config: TrainingConfig,
    folder: Path,
    on_step: Callable[[int, float], None] | None = None,
) -> Trained:
    """Train a model on a token stream, from its newest checkpoint where there is one.

    Parameters
    ----------
    model
        A causal language model of transformers, or a module that maps int64[sequences, tokens] to logits, in
        float32, on the device to train on. Its weights are replaced.
    stream
        What to train on.
    config
        How to train.
    folder
        Work folder that survives a kill: checkpoints and `log.jsonl`. Not an artefact; give a place beside it
        and remove it once the model is saved.
    on_step
        Called after every step with its number, from 1, and its loss.

    Returns
    -------
    Trained
        Losses and counts. The model holds the final weights, in float32.

    Raises
    ------
    InputError
        The folder holds another training (the error shows the differences), the batch cannot be divided among
        the processes, the vocabulary or context does not fit the model, or a loss is not finite.
    BrokenArtefact
        Every checkpoint is damaged, or weights are not finite.
    SulanError
        The disk is full, or torch.compile failed.

    Notes
    -----
    After an error the model's weights are those of no step; the checkpoints are as they were.
    """
    with ExitStack() as stack:
        world = stack.enter_context(joined(next(model.parameters()).device))
        share = config.batch // config.accumulate
        if share % world.size:
            raise InputError(
                f"{share} sequences a micro-batch cannot be divided among {world.size} processes"
            )
        _check_fits(model, stream, config)
        if world.first:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(outputs.locked(folder.absolute()))
        world.wait()
        cards = [world.device] if world.device.type == "cuda" else []
        stack.enter_context(torch.random.fork_rng(cards))  # the caller's generators stay where they are
        run = _Run(model, stream, config=config, folder=folder, world=world)
        return run.go(stack.enter_context(_Signals()), on_step)


class _Run:
    """One call of `train`."""

    def __init__(
        self, model: nn.Module, stream: TokenStream, *, config: TrainingConfig, folder: Path, world: World
    ) -> None:
        self._model, self._stream, self._config = model, stream, config
        self._folder, self._world = folder, world
        settings = {name: value for name, value in plain(config).items() if name not in _FREE}
        self._about = {**settings, "stream": stream.fingerprint, "model": shapes(model)}
        found = checkpoint.newest(folder)
        if found:
            checkpoint.check_same(found.about, self._about, folder=folder)
        model.to(world.device).train()
        self._plain = NextTokenLoss(model)
        self._plain.accelerate(self._sequences(0, slice(0, 1)), compiled=config.compile)
        form = Sharded if config.sharding == "full" and world.size > 1 else Replicated
        self._weights: Weights = form(self._plain, config=config, world=world)
        self._loss = self._weights.objective
        if config.compile:
            self._loss.compile_model()
        self._done = self._skipped = 0
        if found:
            self._weights.load(found.state)
            self._done, self._skipped = found.step, found.skipped
            _log.info("going on from step %d of %d", self._done, config.steps)
        world.wait()

    def go(self, signals: "_Signals", on_step: Callable[[int, float], None] | None) -> Trained:
        """Do the steps that are left."""
        config, walls = self._config, []
        steps = range(self._done, config.steps)
        with ExitStack() as stack:
            log = stack.enter_context(Journal(self._folder, step=self._done)) if self._world.first else None
            for step in progress(steps, label="train") if self._world.first else steps:
                began = time.perf_counter()
                entry, stop = self._step(step, stop=signals.received is not None)
                walls.append(time.perf_counter() - began)
                self._done = step + 1
                if log:
                    log.write({**entry, "seconds": round(walls[-1], 6)})
                if on_step:
                    on_step(self._done, math.nan if entry["loss"] is None else entry["loss"])
                due = config.checkpoint_every and self._done % config.checkpoint_every == 0
                if due or stop or self._done == config.steps:
                    self._save()
                if stop:
                    signals.deliver()
        self._world.wait()
        self._weights.finish(self._model)
        self._plain.restore()
        return self._trained(walls)

    def _step(self, step: int, *, stop: bool) -> tuple[dict[str, Any], bool]:
        """Do one step; return its line of the log, and whether a process was told to stop."""
        config, world = self._config, self._world
        share = config.batch // config.accumulate // world.size
        told = torch.tensor([0.0, float(stop)], device=world.device)
        for number in range(config.accumulate):
            first = (number * world.size + world.rank) * share
            torch.manual_seed(seeds.key(config.seed, f"step {step} from {first}") % 2**63)
            with compiler_errors():
                loss = self._loss(self._sequences(step, slice(first, first + share)))
                loss.backward()
            self._weights.collect()
            told[0] += loss.detach() / config.accumulate
        mean, stops = world.mean(told).tolist()
        norm = self._weights.norm().item()
        rate = schedule.learning_rate(step, config)
        entry = {"step": step + 1, "loss": mean, "learning_rate": rate, "norm": norm}
        entry["tokens"] = (step + 1) * config.batch * config.context
        if math.isfinite(mean) and math.isfinite(norm):
            # The tiny addend is torch's: clip_grad_norm_ divides by norm + 1e-6.
            factor = 1.0 if config.clip is None else min(1.0, config.clip / (norm + 1e-6))
            self._weights.update(learning_rate=rate, factor=factor)
        else:
            self._weights.forget()
            self._skipped += 1
            if self._skipped > config.skips:
                raise InputError(
                    f"step {step + 1}: loss {mean}, gradient norm {norm}; {self._skipped} such steps in all, "
                    f"{config.skips} allowed",
                    hint="lower the learning rate, or raise skips; the last checkpoint is from before",
                )
            entry |= {"loss": None, "norm": None, "skipped": True}  # JSON has no NaN
            _log.warning("step %d left out: loss %s, gradient norm %s", step + 1, mean, norm)
        return entry, stops > 0

    def _sequences(self, step: int, part: slice) -> torch.Tensor:
        config = self._config
        tokens = self._stream.batch(
            step, size=config.batch, context=config.context, seed=config.seed, part=part
        )
        return torch.from_numpy(tokens).to(self._world.device, non_blocking=True)

    def _save(self) -> None:
        state = self._weights.state()
        if self._world.first:
            made = Checkpoint(step=self._done, skipped=self._skipped, about=self._about, state=state)
            checkpoint.save(made, self._folder, keep=self._config.keep_checkpoints)
        self._world.wait()

    def _trained(self, walls: list[float]) -> Trained:
        entries = journal.read(self._folder)
        batch = self._config.batch * self._config.context
        return Trained(
            losses=tuple(math.nan if entry["loss"] is None else entry["loss"] for entry in entries),
            steps=self._done,
            tokens=self._done * batch,
            seconds=sum(entry["seconds"] for entry in entries),
            tokens_per_second=batch * (len(walls) - 1) / sum(walls[1:]) if len(walls) > 1 else 0.0,
            skipped=self._skipped,
        )


class _Signals:
    """Holds SIGTERM and SIGINT back until the step is done and saved, then lets them do what they did."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python lets nobody set handlers
            self._before = {number: signal.signal(number, self._note) for number in _HELD}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.received = number

    def deliver(self) -> None:
        """Raise what was held back, in every process of the training; return if it is ignored."""
        number = self.received or signal.SIGTERM
        self.received = None
        if number in self._before:
            signal.signal(number, self._before[number])
            signal.raise_signal(number)
            signal.signal(number, self._note)


def _check_fits(model: nn.Module, stream: TokenStream, config: TrainingConfig) -> None:
    from transformers import PreTrainedModel

    parameters(model)
    stream.count(config.context)
    if not isinstance(model, PreTrainedModel):
        return
    rows = len(model.get_input_embeddings().get_parameter("weight"))
    if rows < stream.vocabulary:
        raise InputError(f"the model has {rows} token ids, the stream {stream.vocabulary}")
    longest = getattr(model.config, "max_position_embeddings", None)
    if longest is not None and longest < config.context:
        raise InputError(f"the model's context is {longest} tokens, shorter than {config.context}")
