"""One transformer block from its weights to its codes: a start, tuning, the best that was seen.

All matrices of a block are tuned together (2309.05516, equation 5):

    min over V, alpha, beta of  sum_t w_t ||F(W, Z)_t - F(W~, X)_t||^2

where Z are the unquantised model's inputs and X those of the model as quantised so far. How well it goes is
judged on windows that tuning never sees: the best check is kept, tuning ends when nothing improves any more,
and a block that never beats the best of its starts keeps that start. Errors are told relative to
sum_t w_t ||F(W, Z)_t||^2.

The paper has w = 1 (`--no-lessen-large`). A model's first token may have activations hundreds of times those of
others, which makes the sum its error and the signs of gradients its own. Here a token whose output is larger than the
median counts less by the ratio of their lengths, w = min(1, median / length). All 30 blocks of SmolLM2 at 2 bit
(groups of 64, 50 steps on 4 windows of 128 tokens) had a divergence of 0.86 nats with it; of 2.05 without it, two
blocks also being given up early. Tried and left: the square of that ratio, 0.87; dividing every token's error by its
size, small ones too, which with six blocks took 0.17 to 0.28.

Not covered: several blocks at once, tuning of biases and norms.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch import Tensor, nn

from sulan.quantize import gptq, grid, search, signround, streams
from sulan.quantize.grid import Quantised, Scheme
from sulan.quantize.layers import Layer
from sulan.quantize.settings import Plan
from sulan.quantize.signround import Rounding
from sulan.quantize.statistics import Moments
from sulan.quantize.thinning import Thinned

CHECKS = 5
"""How often a block is judged, at even distances: with steps that shrink to nothing the last check is nearly
always the best."""

SEARCHED_WIDEST = 2.0
"""Upper bound of alpha and beta where the ends were searched; see `signround.Rounding`."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What flows into a block and should come out of it.

    Attributes
    ----------
    student
        Inputs X, [samples, tokens, width].
    targets
        The unquantised block's outputs on Z, the same shape; not used without calibration.
    arguments
        The block's other arguments: masks, positions.
    device
        Where the block is.
    """

    student: Tensor
    targets: Tensor
    arguments: dict[str, Any]
    device: torch.device


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What became of a block.

    Attributes
    ----------
    matrices
        Codes by full name.
    importance
        Mean squared input of every column by full name; empty without calibration.
    losses
        Relative error (the objective above) on the validation windows after rounding to `nearest`, on
        `searched` grids, at the `start` and `tuned`. Empty without calibration.
    steps, kept
        Steps made, and after how many the block was best.
    """

    matrices: Mapping[str, Quantised]
    importance: Mapping[str, Tensor]
    losses: Mapping[str, float]
    steps: int = 0
    kept: int = 0


def round_alone(weights: Mapping[str, Tensor], layers: Sequence[Layer], *, plan: Plan) -> Tuned:
    """Quantise a block's matrices without calibration text: to nearest, or on grids searched with all columns alike."""
    with one_thread():
        found = {}
        for layer in layers:
            weight = weights[layer.name]
            if plan.start == "nearest":
                found[layer.name] = grid.nearest(weight, _scheme(layer)).cpu()
            else:
                found[layer.name] = searched(weight, None, _scheme(layer)).quantised().cpu()
    return Tuned(matrices=found, importance={}, losses={})


def searched(weight: Tensor, moments: Moments | None, scheme: Scheme) -> Rounding:
    """Return a matrix on the grids that cost least."""
    groups = grid.grouped(weight, scheme.group)
    importance = None if moments is None else moments.importance.view(-1, scheme.group)
    low, high = search.search(groups, importance, scheme)
    return Rounding(groups, low, high, scheme, widest=SEARCHED_WIDEST)


def tune(
    block: nn.Module,
    matrices: Mapping[str, nn.Linear],
    layers: Sequence[Layer],
    weights: Mapping[str, Tensor],
    flow: Flow,
    *,
    moments: Mapping[str, Moments],
    plan: Plan,
    generator: numpy.random.Generator,
) -> Tuned:
    """Quantise one block.

    Parameters
    ----------
    block
        Has its unquantised weights in the precision of the arithmetic; afterwards the quantised ones.
    matrices
        Its matrices by full name.
    layers
        Those that are quantised.
    weights
        Their weights as the checkpoint has them, float32 [rows, columns], by full name.
    flow
        Inputs and targets.
    moments
        What the matrices are fed, by full name.
    plan
        How.
    generator
        Draws the windows of every step.
    """
    tuned = {layer.name: matrices[layer.name] for layer in layers}
    for module in tuned.values():
        module.weight = nn.Parameter(torch.empty_like(module.weight))
    judge = _Judge(block, flow, plan)
    losses: dict[str, float] = {}
    starts: dict[str, dict[str, Rounding]] = {}
    for kind in ("nearest", "searched", *(["gptq"] if plan.start == "gptq" else [])):
        with one_thread():
            starts[kind] = {
                layer.name: _start(kind, weights[layer.name], moments[layer.name], layer, starts)
                for layer in layers
            }
            _write(starts[kind], tuned)
        losses[kind] = judge()
    kind = _first_of(losses, plan)
    state = starts[kind]
    starts.clear()
    with one_thread():
        _write(state, tuned)
    losses = {"nearest": losses["nearest"], "searched": losses["searched"], "start": losses[kind]}
    steps, kept = 0, 0
    if plan.steps:
        steps, kept, losses["tuned"] = _descend(state, tuned, judge, flow, plan, generator, losses["start"])
    with one_thread():
        found = {name: rounding.quantised().cpu() for name, rounding in state.items()}
        _write(state, tuned)
    for module in tuned.values():
        module.weight = nn.Parameter(module.weight.data, requires_grad=False)
    importance = {name: moments[name].importance.cpu() for name in tuned}
    return Tuned(matrices=found, importance=importance, losses=losses, steps=steps, kept=kept)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep many small operations on one thread: splitting each over cores costs several times what it saves, and the
    result must not depend on the number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _scheme(layer: Layer) -> Scheme:
    if layer.scheme is None:
        raise ValueError(f"{layer.name} is not quantised")
    return layer.scheme


def _start(
    kind: str, weight: Tensor, moments: Moments, layer: Layer, made: Mapping[str, Mapping[str, Rounding]]
) -> Rounding:
    scheme = _scheme(layer)
    if kind == "nearest":
        groups = grid.grouped(weight, scheme.group)
        return Rounding(groups, *grid.extremes(groups, scheme), scheme)
    if kind == "searched":
        return searched(weight, moments, scheme)
    on = made["searched"][layer.name]
    if moments.products is None:
        raise ValueError("the start gptq needs products")
    moved = gptq.compensated(weight, moments.products, on.scale, on.zero, scheme)
    return Rounding(grid.grouped(moved, scheme.group), on.low, on.high, scheme, widest=SEARCHED_WIDEST)


def _first_of(losses: Mapping[str, float], plan: Plan) -> str:
    """Return the start: the one asked for, or the better one where it is worse than a simpler one."""
    if plan.start == "nearest":
        return "nearest"
    allowed = [kind for kind in losses if kind != "gptq" or plan.start == "gptq"]
    return min(allowed, key=lambda kind: (losses[kind], kind != plan.start))


def _write(state: Mapping[str, Rounding], matrices: Mapping[str, nn.Linear]) -> None:
    for name, rounding in state.items():
        rounding.write(matrices[name].weight.data)


class _Judge:
    """The objective, on any windows; called, on the validation windows."""

    def __init__(self, block: nn.Module, flow: Flow, plan: Plan) -> None:
        self.block, self.flow, self.plan = block, flow, plan
        samples = len(flow.student)
        judged = min(samples - 1, max(1, round(plan.validation * samples))) if plan.validation else 0
        self.trained = samples - judged
        # Too few windows to spare one, or none to be spared: then those tuned on judge as well.
        self.rows = slice(self.trained, samples) if judged else slice(0, samples)
        squares = torch.stack([window.float().square().mean(-1) for window in flow.targets]).to(flow.device)
        self.typical = squares.median()
        self.size = (squares * self._weights(squares)).mean().clamp_min(1e-30)

    def _weights(self, squares: Tensor) -> Tensor:
        """Return what the error of tokens counts, by the mean squares of their targets."""
        if not self.plan.lessen_large:
            return torch.ones_like(squares)
        return (self.typical / squares.clamp_min(1e-30)).clamp_max(1).sqrt()

    def loss(self, rows: slice | Tensor) -> Tensor:
        """Return the objective's mean over windows."""
        return self._errors(rows, None).mean() / self.size

    def estimate(self, rows: Tensor, thinned: Thinned, *, offset: int, every: int) -> Tensor:
        """Return an estimate of it from the first token and every so-manyth from `offset` on.

        The first token stands for itself: later ones rest their attention on it, its activations are far larger
        than theirs, and steps that leave its error out undo what the steps between have done. (With one token in
        two and without the first, the divergence of ten blocks of SmolLM2 at 2 bit was 0.290 instead of 0.263, all
        errors counting alike.)
        """
        if every == 1:
            return self.loss(rows)
        length = self.flow.student.shape[1]
        tokens = torch.tensor([0, *range(offset or every, length, every)], device=self.flow.device)
        with thinned.to(tokens):
            errors = self._errors(rows, tokens)
        return (errors[:, 0] + every * errors[:, 1:].sum(1)).mean() / (length * self.size)

    def _errors(self, rows: slice | Tensor, tokens: Tensor | None) -> Tensor:
        """Return the weighted mean squared error of every token, [windows, tokens]."""
        flow = self.flow
        found = streams.output(self.block, flow.student[rows].to(flow.device), flow.arguments)
        targets = flow.targets[rows].to(flow.device)
        if tokens is not None:
            found, targets = found[:, tokens], targets[:, tokens]
        targets = targets.float()
        return (found.float() - targets).square().mean(-1) * self._weights(targets.square().mean(-1))

    def thinned(self) -> Thinned:
        """Return what of the block need only be computed for the tokens whose errors count."""
        flow = self.flow
        window = flow.student[:1].to(flow.device)
        return Thinned(self.block, lambda: streams.output(self.block, window, flow.arguments))

    @torch.no_grad()
    def __call__(self) -> float:
        total, windows = 0.0, range(self.rows.start, self.rows.stop, self.plan.batch)
        for start in windows:
            rows = slice(start, min(start + self.plan.batch, self.rows.stop))
            total += float(self.loss(rows)) * (rows.stop - rows.start)
        return total / (self.rows.stop - self.rows.start)


def _descend(
    state: Mapping[str, Rounding],
    matrices: Mapping[str, nn.Linear],
    judge: _Judge,
    flow: Flow,
    plan: Plan,
    generator: numpy.random.Generator,
    first: float,
) -> tuple[int, int, float]:
    """Tune; leave the state at its best, and return steps made, step kept and its loss."""
    best, kept, flat = first, 0, 0
    snapshots = {name: rounding.snapshot() for name, rounding in state.items()}
    between = max(1, plan.steps // CHECKS)
    thinned = judge.thinned()
    every = min(plan.every, flow.student.shape[1])
    order: list[int] = []
    step = 0
    while step < plan.steps:
        if len(order) < min(plan.batch, judge.trained):
            order += generator.permutation(judge.trained).tolist()
        rows, order = torch.tensor(order[: plan.batch]), order[plan.batch :]
        offset = int(generator.integers(every))
        judge.estimate(rows, thinned, offset=offset, every=every).backward()
        rate = signround.rate(step, plan.steps, plan.rate)
        clip_rate = signround.rate(step, plan.steps, plan.clip_rate)
        with one_thread():
            for name, rounding in state.items():
                weight = matrices[name].weight
                if weight.grad is not None:
                    rounding.advance(weight.grad, weight.data, rate=rate, clip_rate=clip_rate)
                weight.grad = None
        step += 1
        if step % between == 0 or step == plan.steps:
            now = judge()
            if now < best:
                best, kept, flat = now, step, 0
                snapshots = {name: rounding.snapshot() for name, rounding in state.items()}
            elif 2 * step > plan.steps:
                # The first, long steps often lead away from a good start; shorter ones come back with more.
                flat += 1
                if flat == plan.patience:
                    break
    for name, rounding in state.items():
        rounding.restore(snapshots[name])
    return step, kept, best
