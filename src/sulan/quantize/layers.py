"""Which matrices of a model are quantised and how; what is left alone, and why.

Every `torch.nn.Linear` of a transformer block is quantised. The group shrinks by halves until it divides the
row (576 with 128 becomes 64); below `SMALLEST_GROUP` the matrix keeps its precision. Embeddings and the head
keep theirs; so do biases and norms. GPT-2's Conv1D, whose matrices are stored the other way round, and fused
experts are left alone and named.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from sulan.errors import InputError
from sulan.quantize.grid import Scheme

SMALLEST_GROUP = 16
"""Weights that must share a scale: with fewer, the 16 bits of the scale would cost more than a bit a weight."""

FUSED = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Matrices that vLLM multiplies as one: they must have one scheme."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One matrix of the model.

    Attributes
    ----------
    name
        Full name of the module, `model.layers.0.mlp.up_proj`.
    rows, columns
        Outputs and inputs.
    scheme
        How it is stored; None: in its own precision.
    note
        Why it differs from what was asked for; empty when it does not.
    """

    name: str
    rows: int
    columns: int
    scheme: Scheme | None
    note: str = ""

    @property
    def weights(self) -> int:
        """Number of weights."""
        return self.rows * self.columns


def plan(
    block_list: str,
    blocks: nn.ModuleList,
    *,
    bits: int,
    group_size: int,
    symmetric: bool,
    keep: str = "",
    bits_of: Mapping[str, int] | None = None,
) -> tuple[Layer, ...]:
    """Return every matrix of the blocks with its scheme.

    Parameters
    ----------
    block_list
        Name of the list of blocks in the model.
    blocks
        The blocks; their weights may be on the device `meta`.
    bits, group_size, symmetric
        What was asked for; -1 is a whole row.
    keep
        Regular expression; matrices whose full name it matches somewhere keep their precision.
    bits_of
        Bits by full name where they were allocated one by one.

    Raises
    ------
    InputError
        Nothing is left to quantise, or `keep` is no regular expression.
    """
    try:
        kept = re.compile(keep) if keep else None
    except re.error as error:
        raise InputError(f"--keep-layers {keep!r} is not a regular expression: {error}") from error
    found = []
    for name, module in _matrices(block_list, blocks):
        if not isinstance(module, nn.Linear):
            shape = tuple(module.weight.shape)
            note = f"{type(module).__name__} is not quantised: its matrices are not stored as nn.Linear's are"
            found.append(Layer(name=name, rows=shape[1], columns=shape[0], scheme=None, note=note))
            continue
        rows, columns = module.weight.shape
        scheme, note = None, ""
        if kept and kept.search(name):
            note = "kept by --keep-layers"
        else:
            width = (bits_of or {}).get(name, bits)
            scheme, note = _scheme(columns, width, group_size, symmetric)
        found.append(Layer(name=name, rows=rows, columns=columns, scheme=scheme, note=note))
    if not any(layer.scheme for layer in found):
        reason = found[0].note if found else "its blocks have no matrices"
        raise InputError(f"nothing is left to quantise: {reason}")
    return tuple(found)


def group_for(columns: int, group_size: int) -> int | None:
    """Return the largest usable group: the one asked for, halved until it divides the row; None: too small.

    Examples
    --------
    >>> group_for(576, 128), group_for(576, -1), group_for(100, 32)
    (64, 576, None)
    """
    group = columns if group_size == -1 else min(group_size, columns)
    while columns % group:
        group //= 2
        if group < SMALLEST_GROUP:
            return None
    return group


def families(layers: Sequence[Layer]) -> Iterator[tuple[Layer, ...]]:
    """Give the matrices that must have one scheme together, in order; see `FUSED`."""
    by_family: dict[str, list[Layer]] = {}
    for layer in layers:
        if layer.scheme is None:
            continue
        parent, _, own = layer.name.rpartition(".")
        fused = next((names[0] for names in FUSED if own in names), own)
        by_family.setdefault(f"{parent}.{fused}", []).append(layer)
    yield from (tuple(family) for family in by_family.values())


def _scheme(columns: int, bits: int, group_size: int, symmetric: bool) -> tuple[Scheme | None, str]:
    group = group_for(columns, group_size)
    if group is None:
        return None, f"kept: no group of {SMALLEST_GROUP} or more divides its {columns} inputs"
    note = (
        ""
        if group_size in (-1, group)
        else f"group {group}: {group_size} does not divide its {columns} inputs"
    )
    return Scheme(bits=bits, group=group, symmetric=symmetric), note


def _matrices(block_list: str, blocks: nn.ModuleList) -> Iterator[tuple[str, Any]]:
    for number, block in enumerate(blocks):
        for name, module in block.named_modules():
            weight = getattr(module, "weight", None)
            if isinstance(module, nn.Linear) or (
                isinstance(weight, nn.Parameter) and weight.ndim == 2 and not isinstance(module, nn.Embedding)
            ):
                yield f"{block_list}.{number}.{name}", module
