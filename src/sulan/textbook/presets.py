"""Shapes and trainings by name, and where each number comes from."""

from dataclasses import dataclass
from typing import Literal

from sulan.errors import InputError

Preset = Literal["phi-1.5", "phi-125m", "phi-5m"]

PAPER = "2309.05463, section 2"
OURS = "this project: what a CPU trains in minutes"
SMALLER = "this project: GPT-2's smallest shape (12 layers, 768 wide), phi's block"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A model of phi's architecture: parallel blocks with one LayerNorm, rotary positions on half of each head, biases.

    Attributes
    ----------
    vocabulary
        Rows of the embedding and of the untied head.
    layers, width, heads
        Blocks, width of the stream, heads of attention; the feed-forward part is four times as wide.
    context
        Longest sequence in tokens.
    """

    vocabulary: int
    layers: int
    width: int
    heads: int
    context: int

    def __post_init__(self) -> None:
        if min(self.vocabulary, self.layers, self.width, self.heads, self.context) < 1:
            raise InputError("sizes of a model must be at least 1")
        if self.width % (4 * self.heads):
            raise InputError(
                f"no phi has {self.heads} heads in a width of {self.width}: half of a head must be an even number wide"
            )

    @property
    def parameters(self) -> int:
        """Count of all weights, biases and norms.

        Examples
        --------
        >>> SHAPES["phi-1.5"].parameters
        1418270720
        """
        width, hidden = self.width, 4 * self.width
        block = 4 * (width * width + width) + 2 * width * hidden + hidden + width + 2 * width
        return 2 * self.vocabulary * width + self.vocabulary + self.layers * block + 2 * width


SHAPES: dict[Preset, Shape] = {
    "phi-1.5": Shape(vocabulary=51_200, layers=24, width=2048, heads=32, context=2048),
    "phi-125m": Shape(vocabulary=51_200, layers=12, width=768, heads=12, context=1024),
    "phi-5m": Shape(vocabulary=4096, layers=6, width=192, heads=6, context=256),
}

SHAPE_SOURCES: dict[Preset, str] = {
    "phi-1.5": f"{PAPER}.1: 24 layers, 32 heads of 64, context 2048; vocabulary padded as in the released weights",
    "phi-125m": SMALLER,
    "phi-5m": OURS,
}

SOURCES = {
    "steps": "150 billion tokens (section 2.3) in batches of 2048 sequences of 2048 tokens",
    "batch": f"{PAPER}.3: 2048; the unit, sequences, is not stated there",
    "context": f"{PAPER}.1",
    "learning_rate": f"{PAPER}.3: constant 2e-4",
    "schedule": f"{PAPER}.3: constant",
    "warmup": f"{PAPER}.3: none",
    "betas": f"{PAPER}.3",
    "epsilon": f"{PAPER}.3",
    "weight_decay": f"{PAPER}.3",
    "clip": "GPT-3 (2005.14165, appendix B); the paper does not say",
    "dtype": "bfloat16 instead of the paper's fp16 (section 2.3), which needs loss scaling",
    "mix": f"{PAPER}.2: 80 % new synthetic text, 20 % phi-1's data",
}
"""Setting -> where the default of `phi-1.5` comes from."""


@dataclass(frozen=True, kw_only=True)
class Learning:
    """What a preset leaves open; None: the preset's.

    Attributes
    ----------
    steps, batch, context
        Updates, sequences an update, tokens a sequence.
    learning_rate, warmup
        Peak, and steps until it is reached.
    schedule
        `constant`, `linear`, `cosine` or `stable`.
    dtype
        Precision of the arithmetic; weights and their updates are float32.
    accumulate
        Micro-batches that an update is divided into.
    sharding
        `full`: weights divided among the cards of torchrun.
    checkpoint_every
        Steps between two checkpoints.
    """

    steps: int | None = None
    batch: int | None = None
    context: int | None = None
    learning_rate: float | None = None
    warmup: int = 0
    schedule: Literal["constant", "linear", "cosine", "stable"] = "constant"
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    accumulate: int = 1
    sharding: Literal["none", "full"] = "none"
    checkpoint_every: int = 100


TRAININGS: dict[Preset, dict[str, float]] = {
    "phi-1.5": {"steps": 35_763, "batch": 2048, "context": 2048, "learning_rate": 2e-4},
    "phi-125m": {"steps": 4000, "batch": 256, "context": 1024, "learning_rate": 6e-4},
    "phi-5m": {"steps": 1000, "batch": 16, "context": 256, "learning_rate": 2e-3},
}
"""What differs between presets. phi-1.5: section 2.3; the others: larger rates for smaller models, as GPT-3 has them
(2005.14165, table 2.1), and for the smallest what trained fastest here."""
