"""What `sulan prune reference` and `sulan prune compare` are asked for: shapes, trainings, comparisons.

Defaults are those of 2309.04564 as the notes of this room have them; they take a cluster. What ends in minutes
stands in `recipes/prune-small.toml` and `recipes/prune-compare.toml`.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

from sulan.errors import InputError
from sulan.prune.columns import METRICS, Metric, Side
from sulan.runs.record import plain
from sulan.training.config import TrainingConfig

FINAL = 100
"""The percent of a training after which it is done."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A decoder-only model.

    Attributes
    ----------
    family
        `opt`: in the manner of GPT, LayerNorm first, learned positions, tied head. `phi`: parallel blocks, rotary
        positions, a head of its own. `llama`: RMSNorm, rotary positions, SwiGLU, tied head. Default: `opt`,
        with whose tied head the sizes below come to the 124 million that 2309.04564 states.
    vocabulary
        Tokens of its byte-level BPE. Default: 51,200 (2309.04564).
    layers, width, heads
        Default: 12, 768 and 12, which make about 124 million parameters (2309.04564 gives the sum).
    """

    family: Literal["opt", "phi", "llama"] = "opt"
    vocabulary: int = 51_200
    layers: int = 12
    width: int = 768
    heads: int = 12

    def __post_init__(self) -> None:
        if min(self.vocabulary, self.layers, self.width, self.heads) < 1 or self.width % self.heads:
            raise InputError(f"no model has {self.heads} heads in a width of {self.width}")


@dataclass(frozen=True, kw_only=True)
class Pretraining(TrainingConfig):
    """How a model is trained; see `sulan.training.TrainingConfig` for all that can be set.

    Attributes
    ----------
    steps, batch, context, learning_rate, schedule
        Default: those of the 124M model of 2309.04564. They stay the same whatever is pruned, so less data is
        seen more often.
    warmup
        Steps. Default: 1 % of the steps; the notes say that there is a linear warm-up, not how long it is.
    """

    steps: int = 8_000
    batch: int = 2_048
    context: int = 1_024
    learning_rate: float = 1.5e-4
    schedule: Literal["constant", "linear", "cosine", "stable"] = "cosine"
    warmup: int = 80


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Which models are compared.

    Attributes
    ----------
    metrics, sides, fractions
        One model for each combination. Default: those of 2309.04564.
    seeds
        Models for each combination, with weights and order of their own. Default: 3, the fewest that have an
        interval worth printing.
    unit
        What is scored and kept: `sequence`, a packed sequence of the model's context (2309.04564), or `document`.
    held_out
        Share of the documents that models are judged on. Default: the 266 million tokens of 7.6 billion that
        2309.04564 tests on.
    reference
        Share of the documents that the reference model and the tokenizer are trained on, and nothing else.
    el2n_at
        Percent of the reference's training after which it gives EL2N. Default: the earlier of the two
        checkpoints of 2309.04564, as EL2N is meant for early ones (Paul et al. 2021).
    seed
        Of the split, the reference, and equal scores.
    """

    metrics: tuple[Metric, ...] = METRICS
    sides: tuple[Side, ...] = ("bottom", "middle", "top")
    fractions: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7)
    seeds: int = 3
    unit: Literal["sequence", "document"] = "sequence"
    held_out: float = 0.035
    reference: float = 0.2
    el2n_at: int = 14
    seed: int = 0

    def __post_init__(self) -> None:
        ranges = (
            ("metrics", self.metrics, bool(self.metrics)),
            ("sides", self.sides, bool(self.sides)),
            ("fractions", self.fractions, self.fractions and all(0 < f < 1 for f in self.fractions)),
            ("seeds", self.seeds, self.seeds >= 2),
            ("held_out", self.held_out, 0 < self.held_out < 1),
            ("reference", self.reference, 0 < self.reference < 1 - self.held_out),
            ("el2n_at", self.el2n_at, 0 < self.el2n_at <= 100),
        )
        for name, value, good in ranges:
            if not good:
                raise InputError(f"{name} cannot be {value!r} in a comparison")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """What one model is trained on: everything (`metric` is `none`), a random part, or one side by a metric."""

    metric: str
    side: Side | Literal[""] = ""
    percent: int = 100

    def __str__(self) -> str:
        return ".".join(
            filter(None, (self.metric, self.side, str(self.percent) if self.percent < 100 else ""))
        )


NONE = Arm(metric="none")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One model: what it is trained on, and the seed of its weights and of the order."""

    arm: Arm
    seed: int


def work_name(**settings: object) -> str:
    """Return a name for the work folder of a training: another setting, another name.

    A training goes on from the checkpoints that it finds, so those of other settings must not be in its place.
    """
    text = json.dumps(plain(settings), sort_keys=True)
    return f"training-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def arms(comparison: Comparison) -> list[Arm]:
    """Return what is compared, in the order of the table.

    Examples
    --------
    >>> one = Comparison(metrics=("perplexity",), sides=("middle",), fractions=(0.5,))
    >>> [str(arm) for arm in arms(one)]
    ['none', 'random.50', 'perplexity.middle.50']
    """
    percents = [round(100 * fraction) for fraction in comparison.fractions]
    return [
        NONE,
        *(Arm(metric="random", percent=percent) for percent in percents),
        *(
            Arm(metric=metric, side=side, percent=percent)
            for metric in comparison.metrics
            for side in comparison.sides
            for percent in percents
        ),
    ]
