"""Settings of translation models, light enough for a signature."""

from dataclasses import dataclass
from typing import Literal

from sulan.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Size of a model. Default: what a CPU trains in an hour; the paper's smallest has 3 billion parameters.

    Attributes
    ----------
    vocabulary
        Byte-pair tokens, of all languages together.
    layers
        Of the encoder, and as many of the decoder.
    width
        Of the embeddings; the gated feed-forward layers are twice as wide.
    heads
        Of the attention.
    """

    vocabulary: int = 8000
    layers: int = 3
    width: int = 256
    heads: int = 4

    def __post_init__(self) -> None:
        if min(self.vocabulary, self.layers, self.width, self.heads) < 1 or self.width % self.heads:
            raise InputError("shape: sizes must be at least 1, and heads must divide width")
        if self.vocabulary < 300:
            raise InputError("shape.vocabulary must be at least 300: every byte is a token")


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a model is trained.

    Attributes
    ----------
    steps
        Updates.
    batch
        Pairs a step.
    longest
        Tokens of a side; longer ones are cut.
    epochs
        How often a direction may be gone through (UniMax). Default: 10 (2309.04662, section 4.1).
    learning_rate
        Peak, as a share of the size of the weights (Adafactor); it rises over `warmup` steps and falls as a cosine.
        Default: T5's (1910.10683, section 3.1.2).
    guidance
        Weight of the loss that shows one head which source token a target token translates, by IBM's model 2; 0: none.
        Default: one try on 68,600 pairs. After 460 CPU seconds with it, batches of 32 and 6.3 million parameters, the
        held-out loss was 4.45 nats a token, and another sentence's source cost 0.64 more; without it, batches of 64
        and 8.6 million parameters, 4.95 and 0.26. Guidance alone was not varied.
    warmup
        Steps.
    checkpoint_every
        Steps between checkpoints.
    dtype
        Precision of the products; `auto`: bfloat16 where the processor multiplies it in hardware (1.6 times the pairs a
        second), else float32. Weights and their updates are float32.
    """

    steps: int = 2000
    batch: int = 64
    longest: int = 128
    epochs: float = 10.0
    learning_rate: float = 1e-2
    guidance: float = 1.0
    warmup: int = 200
    checkpoint_every: int = 100
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "longest", "epochs", "checkpoint_every", "learning_rate"):
            if getattr(self, name) <= 0:
                raise InputError(f"training.{name} must be positive, not {getattr(self, name)}")
        for name in ("warmup", "guidance"):
            if getattr(self, name) < 0:
                raise InputError(f"training.{name} must not be negative")
