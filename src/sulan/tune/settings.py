"""The knobs of the tune room, as dataclasses for the signatures of its verbs. Imports nothing heavy.

The paper (2309.04663) reports no rank, learning rate, steps, batch or prompt; every default here is ours.
"""

from dataclasses import dataclass
from typing import Literal

from sulan.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Teaching:
    """How the frozen model is asked.

    Attributes
    ----------
    max_tokens
        Most tokens of a rationale.
    batch
        Inputs that a local model reads together.
    exemplars
        Exemplars of the task that stand before the question, from its beginning; None: all.
    """

    max_tokens: int = 48
    batch: int = 16
    exemplars: int | None = None


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """The low-rank adapter (LoRA, which the paper chose because it costs nothing at inference).

    Attributes
    ----------
    rank, alpha
        LoRA's r and alpha. Ranks above 16 need a flag in vLLM (`--max-lora-rank`).
    dropout
        Of the adapter's inputs.
    top
        Layers that are adapted, counted from the last; None: all. What lies below is run once for every text and kept.
    targets
        Names of the adapted matrices; empty: all of the attention and feed-forward blocks.
    """

    rank: int = 8
    alpha: int = 16
    dropout: float = 0.0
    top: int | None = 10
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Learning:
    """How the small model is tuned.

    Attributes
    ----------
    epochs
        Most passes over the training examples; the one that is best on dev is kept.
    batch
        Examples a step.
    learning_rate
        Peak of AdamW's, which then falls linearly.
    weight_decay, clip
        AdamW's; largest norm of a gradient.
    patience
        Epochs in a row without a better dev loss after which it ends; None: all epochs.
    rationale_dropout
        Share of examples a pass that are shown without their rationale, so that the model can do without one
        when the frozen model cannot be reached.
    dtype
        Precision of the frozen weights and of the arithmetic; the adapter itself is float32.
    """

    epochs: int = 8
    batch: int = 10
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip: float = 1.0
    patience: int | None = None
    rationale_dropout: float = 0.1
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"


def check(adapter: Adapter, learning: Learning) -> None:
    """Refuse values that make no sense.

    Raises
    ------
    InputError
        One is out of range.
    """
    for name, value, least in (
        ("adapter.rank", adapter.rank, 1),
        ("adapter.alpha", adapter.alpha, 1),
        ("adapter.top", 1 if adapter.top is None else adapter.top, 1),
        ("learning.epochs", learning.epochs, 1),
        ("learning.batch", learning.batch, 1),
        ("learning.patience", 1 if learning.patience is None else learning.patience, 1),
    ):
        if value < least:
            raise InputError(f"{name} is {value}; it must be at least {least}")
    for name, share in (
        ("adapter.dropout", adapter.dropout),
        ("learning.rationale-dropout", learning.rationale_dropout),
    ):
        if not 0 <= share < 1:
            raise InputError(f"{name} is {share}; it is a share from 0 to below 1")
    if not learning.learning_rate > 0:
        raise InputError(f"learning.learning-rate is {learning.learning_rate}; it must be above 0")
