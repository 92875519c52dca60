"""Bits for every matrix under a budget of bytes: the measured divergence that a byte buys decides.

Matrices that must have one scheme (see `layers.FUSED`) are one item. All items start at 2 bit; the step with
the largest fall of divergence per byte is taken, along each item's lower convex hull, and what no longer fits
gives way to smaller steps until nothing fits. For hulls this greedy order is optimal but for the last step.
"""

import heapq
from collections.abc import Mapping, Sequence
from typing import Any

from sulan.errors import InputError
from sulan.quantize.grid import Scheme
from sulan.quantize.layers import Layer, families, group_for
from sulan.quantize.sensitivity import BITS
from sulan.quantize.settings import Budget
from sulan.quantize.streamed import Checkpoint

EMBEDDING_BITS = 8
EMBEDDING_GROUP = 64
"""With groups of 64, 8 bit cost 8.25 bits a weight."""

HEADER_BYTES = 160
"""Upper bound of what the file's header holds for one tensor: name, shape, offsets."""


def allocate(items: Sequence[Mapping[int, tuple[int, float]]], budget: int) -> list[int]:
    """Return the bits of every item.

    Parameters
    ----------
    items
        By bits: bytes and divergence.
    budget
        Bytes that all items may have together.

    Raises
    ------
    InputError
        Not even the fewest bits fit.

    Examples
    --------
    The second item gains more per byte; then only the first one's step still fits.

    >>> items = [{2: (10, 1.0), 3: (15, 0.5)}, {2: (10, 4.0), 3: (15, 1.0), 4: (20, 0.9)}]
    >>> allocate(items, 30)
    [3, 3]
    """
    hulls = [_hull(item) for item in items]
    places = [0] * len(items)
    spent = sum(hull[0][1] for hull in hulls)
    if spent > budget:
        raise InputError(f"the budget is {budget} bytes, and 2 bit already need {spent}")

    def step(number: int) -> tuple[float, int] | None:
        hull, place = hulls[number], places[number]
        if place + 1 == len(hull):
            return None
        (_, size, loss), (_, larger, lower) = hull[place], hull[place + 1]
        return -(loss - lower) / (larger - size), number

    heap = [found for number in range(len(items)) if (found := step(number))]
    heapq.heapify(heap)
    while heap:
        _, number = heapq.heappop(heap)
        cost = hulls[number][places[number] + 1][1] - hulls[number][places[number]][1]
        if spent + cost > budget:
            continue  # smaller items may still fit
        spent += cost
        places[number] += 1
        if found := step(number):
            heapq.heappush(heap, found)
    return [hull[place][0] for hull, place in zip(hulls, places, strict=True)]


def decide(
    layers: Sequence[Layer], scores: Mapping[str, Mapping[int, float]], budget: Budget, checkpoint: Checkpoint
) -> dict[str, Any]:
    """Return bits by matrix, and whether the embedding is packed, for a budget.

    Raises
    ------
    InputError
        The budget cannot be met; the message says what is needed at least.
    """
    groups = list(families(layers))
    items = [
        {
            bits: (
                sum(size(layer, bits) for layer in family),
                sum(scores[layer.name][bits] for layer in family),
            )
            for bits in BITS
        }
        for family in groups
    ]
    with_embedding = budget.max_size_mb is not None
    limits = []
    if budget.average_bits is not None:
        weights = sum(layer.weights for layer in layers if layer.scheme)
        limits.append(int(budget.average_bits * weights / 8))
    if budget.max_size_mb is not None:
        limits.append(int(budget.max_size_mb * 1e6) - fixed_bytes(layers, checkpoint))
    least = sum(item[BITS[0]][0] for item in items)
    if least > min(limits):
        if budget.max_size_mb is not None and least > limits[-1]:
            needed = (least + fixed_bytes(layers, checkpoint)) / 1e6
            raise InputError(f"--max-size-mb is {budget.max_size_mb:g}; at 2 bit it is {needed:.1f} already")
        weights = sum(layer.weights for layer in layers if layer.scheme)
        raise InputError(
            f"--average-bits is {budget.average_bits:g}; with its scales 2 bit are {8 * least / weights:.2f} already",
            hint="a larger --group-size has fewer scales",
        )
    chosen = allocate(items, min(limits))
    bits = {layer.name: width for family, width in zip(groups, chosen, strict=True) for layer in family}
    return {"bits": bits, "embedding": with_embedding}


def size(layer: Layer, bits: int) -> int:
    """Return the bytes of a matrix at so many bits, with its scales and zero points."""
    if layer.scheme is None:
        raise ValueError(f"{layer.name} is not quantised")
    scheme = Scheme(bits=bits, group=layer.scheme.group, symmetric=layer.scheme.symmetric)
    words = layer.rows * -(-layer.columns * bits // 32)
    scales = layer.rows * (layer.columns // scheme.group) * 2
    zeros = 0 if scheme.symmetric else 4 * -(-layer.rows * bits // 32) * (layer.columns // scheme.group)
    return 4 * words + scales + zeros + 16


def embedding_layer(checkpoint: Checkpoint) -> Layer:
    """Return the embedding as a packed layer.

    Raises
    ------
    InputError
        Its width has no usable group.
    """
    table = checkpoint.skeleton.get_input_embeddings()
    name = next(own for own, module in checkpoint.skeleton.named_modules() if module is table)
    rows, columns = checkpoint.skeleton.get_parameter(f"{name}.weight").shape
    group = group_for(columns, EMBEDDING_GROUP)
    if group is None:
        raise InputError(
            f"the embedding's width {columns} has no group of 16 or more: --max-size-mb cannot pack it"
        )
    scheme = Scheme(bits=EMBEDDING_BITS, group=group)
    return Layer(
        name=name, rows=rows, columns=columns, scheme=scheme, note="packed at 8 bit for --max-size-mb"
    )


def fixed_bytes(layers: Sequence[Layer], checkpoint: Checkpoint) -> int:
    """Return the bytes of everything but the quantised matrices: embedding at 8 bit, norms, the file's header."""
    table = embedding_layer(checkpoint)
    owned = {f"{layer.name}.weight" for layer in layers if layer.scheme} | {f"{table.name}.weight"}
    parameters = dict(checkpoint.skeleton.named_parameters())
    kept = sum(
        parameters[name].numel() * checkpoint.dtype.itemsize for name in checkpoint.names if name not in owned
    )
    tensors = len(checkpoint.names) + 3 * len(owned)
    return kept + size(table, EMBEDDING_BITS) + tensors * HEADER_BYTES


def _hull(item: Mapping[int, tuple[int, float]]) -> list[tuple[int, int, float]]:
    """Return (bits, bytes, divergence) along the lower convex hull, fewest bytes first."""
    found: list[tuple[int, int, float]] = []
    for bits in sorted(item):
        point = (bits, *item[bits])
        if found and point[2] >= found[-1][2]:
            continue
        while len(found) > 1 and _slope(found[-2], found[-1]) > _slope(found[-1], point):
            found.pop()
        found.append(point)
    return found


def _slope(one: tuple[int, int, float], other: tuple[int, int, float]) -> float:
    return (other[2] - one[2]) / (other[1] - one[1])
