"""What `tune compare` compares, as data. Imports nothing heavy."""

from dataclasses import dataclass
from typing import Literal

from sulan.errors import InputError

By = Literal["teacher", "student"]


@dataclass(frozen=True, kw_only=True)
class Method:
    """One row of the comparison.

    Attributes
    ----------
    name
        Short name, as in the tables.
    by
        Which model answers.
    about
        What it is, in a sentence.
    kind, instructions, reasons, distils
        How the small model is tuned: see `sulan tune fit`; `distils`: rationales are written, not read.
    shots
        For the frozen model: exemplars shown; None: all.
    """

    name: str
    by: By
    about: str
    kind: Literal["lora", "full"] = "lora"
    instructions: bool = True
    reasons: bool = False
    distils: bool = False
    shots: int | None = None


METHODS = (
    Method(name="zero-shot", by="teacher", about="The frozen model, instructions alone.", shots=0),
    Method(name="ICL", by="teacher", about="The frozen model with exemplars."),
    Method(
        name="ICL + CoT",
        by="teacher",
        about="The frozen model with exemplars and its own reasoning.",
        reasons=True,
    ),
    Method(
        name="fine-tuning",
        by="student",
        about="The small model, all weights of its tuned layers, inputs alone.",
        kind="full",
        instructions=False,
    ),
    Method(name="+ PEFT", by="student", about="An adapter instead.", instructions=False),
    Method(name="+ instructions", by="student", about="And instructions before the input."),
    Method(
        name="distillation",
        by="student",
        about="And rationales as a second thing to write (2305.02301), which are not needed later.",
        distils=True,
    ),
    Method(name="FIAT", by="student", about="And rationales to read instead.", reasons=True),
)
"""The rows; the ladder of the paper's table 3 is the last one with one thing less at a time."""

LADDER = ("FIAT", "+ instructions", "+ PEFT", "fine-tuning")
"""The paper's table 3, from the top; each takes one more thing away. Its last row, a small model that was not tuned on
instructions before, needs another small model: `--base`."""

BASE = "fine-tuning, untuned base"
VARIANTS = {
    "FIAT, no rationale": "The tuned model, shown no rationale.",
    "FIAT, shuffled": "The tuned model, shown another input's rationale.",
    "FIAT, oracle": "The tuned model, shown what a person wrote.",
}
"""What the tuned model makes of other rationales, without another training: the causal check."""


@dataclass(frozen=True, kw_only=True)
class Comparing:
    """What is compared.

    Attributes
    ----------
    seeds
        Trainings of every small model.
    methods
        Names of the rows wanted; empty: all.
    longer
        Epochs of a small model that reads no rationale, as a multiple of the others': it learns more slowly, and
        the best epoch on dev is kept in any case.
    """

    seeds: int = 3
    methods: tuple[str, ...] = ()
    longer: int = 2


def chosen(comparing: Comparing) -> tuple[Method, ...]:
    """Return the methods wanted.

    Raises
    ------
    InputError
        One is not known, FIAT is not among them, or a number is out of range.
    """
    names = [method.name for method in METHODS]
    if unknown := [name for name in comparing.methods if name not in names]:
        raise InputError(f"no method {unknown[0]!r}", hint=", ".join(names))
    if comparing.seeds < 1 or comparing.longer < 1:
        raise InputError("comparing.seeds and comparing.longer must be at least 1")
    if comparing.methods and "FIAT" not in comparing.methods:
        raise InputError("FIAT must be among the methods that are compared")
    return tuple(method for method in METHODS if not comparing.methods or method.name in comparing.methods)
