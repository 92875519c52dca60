"""The knobs of `quantize run`, as dataclasses for its signature, and what the recipes make of them. Imports
nothing heavy."""

from dataclasses import dataclass, replace
from typing import Literal

from sulan.errors import InputError

Recipe = Literal["rtn", "searched", "light", "default", "best"]
Start = Literal["nearest", "searched", "gptq"]


RATE = 0.5
"""First step length times the number of steps; see `Tuning.rate`."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How blocks are tuned; what is not given, the recipe decides.

    Parameters
    ----------
    samples
        Calibration windows. Recipes: 128 (light, default; the tool's default), 512 (best; section 4.1 of the paper).
    sequence_length
        Tokens of a window. Default 2048 (section 4.1).
    steps
        Steps a block. Recipes: 50 (light), 200 (default; section 4.1 of version 4), 1000 (best). 0: round to
        nearest, nothing is searched or tuned, whatever the recipe.
    batch
        Windows a step. Default 8 (section 4.1).
    every
        One token in so many counts in a step: the first of a window, and from a random one on each so-manyth; all
        are attended to. The paper has 1. With ten blocks of SmolLM2 at 2 bit, 50 steps on 4 windows of 128 tokens,
        1, 2 and 3 took 45, 33 and 28 CPU seconds to divergences of 0.266, 0.263 and 0.267 (all tokens alike).
    lessen_large
        Let a token whose output is larger than the median count less, by the ratio of their lengths: all of SmolLM2
        at 2 bit then has 0.86 instead of 2.05 nats; see `sulan.quantize.blocks`. In the paper all count alike.
    start
        Where tuning starts: `nearest` (the paper's), `searched` (grids that cost least, columns weighed by
        their inputs; the default) or `gptq` (searched grids, then columns that make good one another's errors).
        After 50 steps of 512 tokens on six blocks of SmolLM2 at 2 bit the divergences were 0.197, 0.175 and
        0.256: what GPTQ gains at the start, it has fitted to few tokens.
    rate
        First step length of V. Default 0.5 / steps; the paper's (section 4.1) is 1 / steps, with which V can just reach
        its bounds. On six blocks of SmolLM2, 32 x 128 tokens, half as long gave divergences of 0.223 instead of 0.254
        (2 bit, 50 steps), 0.193 instead of 0.201 (2 bit, 200 steps) and 0.062 instead of 0.073 (3 bit, 50 steps); a
        third, 0.215, 0.215 and 0.065. With all 30 blocks it was 0.254 instead of 0.262 (3 bit) but 0.923 instead of
        0.845 (2 bit): there `--rate` of 1 / steps is worth a try.
    clip_rate
        First step length of alpha and beta. Default: as `rate`. 0 freezes the grids.
    quantized_input
        Tune each block on what the quantised blocks before it give, instead of on the unquantised model's activations.
    validation
        Share of the windows that judge and are not tuned on. The paper keeps what was best on the batches that it is
        tuned on, which with few windows is what fits them; one window in eight is what judging may cost.
    patience
        Checks in a row without improvement, in the second half of the steps, after which a block is done. A block is
        checked five times.
    dtype
        Precision of the blocks' arithmetic: `float32`, `bfloat16`, or `auto`, whichever the device multiplies
        in hardware.
    device
        `auto`, `cpu`, `cuda` or `cuda:N`.
    """

    samples: int | None = None
    sequence_length: int = 2048
    steps: int | None = None
    batch: int = 8
    every: int = 3
    lessen_large: bool = True
    start: Start | None = None
    rate: float | None = None
    clip_rate: float | None = None
    quantized_input: bool = True
    validation: float = 0.125
    patience: int = 2
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What the job may cost and how large its result may be.

    Parameters
    ----------
    average_bits
        Give every matrix its own bits (2, 3, 4 or 8), so that their average, scales included, is at most this.
    max_size_mb
        The same, so that the file of the packed weights has at most so many megabytes (10^6 bytes). Embeddings are then
        stored at 8 bit.
    time_budget
        Wall time, `90s`, `10m` or `2h`: samples and steps are cut to what fits, from a measured step.
    memory_budget
        Peak memory, `500m` or `2g`: activations that do not fit are memory-mapped; refused where even that is too much.
    """

    average_bits: float | None = None
    max_size_mb: float | None = None
    time_budget: str = ""
    memory_budget: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything about tuning, decided. Attributes as in `Tuning`."""

    start: Start
    steps: int
    samples: int
    sequence_length: int
    batch: int
    every: int
    lessen_large: bool
    rate: float
    clip_rate: float
    quantized_input: bool
    validation: float
    patience: int

    @property
    def reads_text(self) -> bool:
        """Whether calibration text is used at all."""
        return self.steps > 0 or self.start != "nearest"


_SEARCHED = Plan(
    start="searched",
    steps=0,
    samples=128,
    sequence_length=2048,
    batch=8,
    every=3,
    lessen_large=True,
    rate=0.0,
    clip_rate=0.0,
    quantized_input=True,
    validation=0.125,
    patience=2,
)
RECIPES: dict[str, Plan] = {
    "rtn": replace(_SEARCHED, start="nearest"),
    "searched": _SEARCHED,
    "light": replace(_SEARCHED, steps=50),
    "default": replace(_SEARCHED, steps=200),
    "best": replace(_SEARCHED, steps=1000, samples=512),
}


def resolve(recipe: Recipe, tuning: Tuning) -> Plan:
    """Return the plan of a recipe with the user's changes.

    Raises
    ------
    InputError
        A value that makes no sense.

    Examples
    --------
    >>> resolve("light", Tuning(steps=100)).rate
    0.005
    """
    plan = RECIPES[recipe]
    steps = plan.steps if tuning.steps is None or recipe in ("rtn", "searched") else tuning.steps
    for name, value in (
        ("samples", tuning.samples),
        ("sequence-length", tuning.sequence_length - 1),
        ("batch", tuning.batch),
        ("every", tuning.every),
        ("patience", tuning.patience),
    ):
        if value is not None and value < 1:
            raise InputError(f"--{name} must be at least {2 if name == 'sequence-length' else 1}")
    if steps < 0:
        raise InputError(f"--steps is {steps}; it must be at least 0")
    if not 0 <= tuning.validation <= 0.5:
        raise InputError(f"--validation is {tuning.validation}; it is a share of the windows from 0 to 0.5")
    start = tuning.start or plan.start
    if tuning.steps == 0 and recipe != "searched":
        start = "nearest"
    first = tuning.rate if tuning.rate is not None else (RATE / steps if steps else 0.0)
    return replace(
        plan,
        start=start,
        steps=steps,
        samples=tuning.samples or plan.samples,
        sequence_length=tuning.sequence_length,
        batch=tuning.batch,
        every=tuning.every,
        lessen_large=tuning.lessen_large,
        rate=first,
        clip_rate=tuning.clip_rate if tuning.clip_rate is not None else first,
        quantized_input=tuning.quantized_input,
        validation=tuning.validation,
        patience=tuning.patience,
    )
