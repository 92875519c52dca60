"""What a training is: everything that its result depends on besides the model and the tokens."""

from dataclasses import dataclass
from typing import Literal

from sulan.errors import InputError


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Settings of a pretraining. Defaults are those of phi-1.5 (2309.05463, section 2.3) where it has them.

    Attributes
    ----------
    steps
        Updates of the weights.
    batch
        Sequences a step, over all processes and micro-batches.
    context
        Tokens a sequence; each predicts all its tokens but the first.
    learning_rate
        Peak of the schedule. Default: phi-1.5's 2e-4.
    schedule
        `constant` (phi-1.5's); `linear` and `cosine` fall to `final` at the last step; `stable` is constant and
        then falls as one minus the square root of the time (2405.18392, section 4).
    warmup
        Steps of linear warm-up. Default: phi-1.5 has none.
    decay
        Share of the steps over which `stable` falls. Default: 0.2 (2405.18392, section 4).
    final
        Share of the peak that is left at the end.
    betas, epsilon, weight_decay
        AdamW's. Defaults: phi-1.5's. Matrices and embeddings decay, vectors (norms, biases) do not.
    clip
        Largest norm of the gradient; None: no clipping. Default: 1, as GPT-3 (2005.14165, appendix B); phi-1.5
        does not say.
    dtype
        `bfloat16`: weights and activations in bfloat16, with the weights that are updated, the sums over
        micro-batches and processes and the optimizer's state in float32. `float32`: everything.
    accumulate
        Micro-batches a step; each process holds `batch / accumulate / processes` sequences at once.
    sharding
        `none`: every process holds the whole model and gradients are summed once a step. `full`: weights,
        gradients and optimizer state are divided among the processes (FSDP2). Ignored with one process.
    compile
        Compile the model with torch.compile; needs a C++ compiler on the CPU, and minutes at the first step.
    seed
        Of the order of the sequences and of dropout.
    checkpoint_every
        Steps between two checkpoints; 0: only at the end and on SIGTERM.
    keep_checkpoints
        Newest checkpoints that are kept. Default: 2, so that a damaged newest one costs an interval, not the run.
    skips
        Steps in all whose update may be left out because the loss or gradient is not finite. Default: 0, since
        in a small run it means a wrong setting.

    Raises
    ------
    InputError
        A value is out of range.

    Examples
    --------
    >>> TrainingConfig(steps=10, batch=6, context=8, accumulate=4)
    Traceback (most recent call last):
    sulan.errors.InputError: a batch of 6 sequences cannot be divided into 4 micro-batches
    """

    steps: int
    batch: int
    context: int
    learning_rate: float = 2e-4
    schedule: Literal["constant", "linear", "cosine", "stable"] = "constant"
    warmup: int = 0
    decay: float = 0.2
    final: float = 0.0
    betas: tuple[float, float] = (0.9, 0.98)
    epsilon: float = 1e-7
    weight_decay: float = 0.1
    clip: float | None = 1.0
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    accumulate: int = 1
    sharding: Literal["none", "full"] = "none"
    compile: bool = False
    seed: int = 0
    checkpoint_every: int = 100
    keep_checkpoints: int = 2
    skips: int = 0

    def __post_init__(self) -> None:
        ranges = (
            ("steps", self.steps, self.steps >= 1),
            ("batch", self.batch, self.batch >= 1),
            ("context", self.context, self.context >= 2),
            ("learning_rate", self.learning_rate, 0 < self.learning_rate < float("inf")),
            ("schedule", self.schedule, self.schedule in ("constant", "linear", "cosine", "stable")),
            ("warmup", self.warmup, 0 <= self.warmup <= self.steps),
            ("decay", self.decay, 0 <= self.decay <= 1),
            ("final", self.final, 0 <= self.final <= 1),
            ("betas", self.betas, len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas)),
            ("epsilon", self.epsilon, self.epsilon > 0),
            ("weight_decay", self.weight_decay, self.weight_decay >= 0),
            ("clip", self.clip, self.clip is None or self.clip > 0),
            ("dtype", self.dtype, self.dtype in ("float32", "bfloat16")),
            ("accumulate", self.accumulate, self.accumulate >= 1),
            ("sharding", self.sharding, self.sharding in ("none", "full")),
            ("checkpoint_every", self.checkpoint_every, self.checkpoint_every >= 0),
            ("keep_checkpoints", self.keep_checkpoints, self.keep_checkpoints >= 1),
            ("skips", self.skips, self.skips >= 0),
        )
        for name, value, good in ranges:
            if not good:
                raise InputError(f"{name} cannot be {value!r} in a training")
        if self.batch % self.accumulate:
            raise InputError(
                f"a batch of {self.batch} sequences cannot be divided into {self.accumulate} micro-batches"
            )
