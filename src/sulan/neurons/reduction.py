"""From the units of a scan to its counters: sums, n-gram tables, and a few places where each neuron was active.

All are integers and every choice depends on the text alone, so the result is the same bytes however the text was
divided into units. Memory is bounded by one layer's position counters and a block of bits; see `triggers`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sulan.errors import InputError
from sulan.neurons import sequences, triggers
from sulan.neurons.counters import Counters, Meta, Table, Unit
from sulan.neurons.sequences import Sequences
from sulan.neurons.triggers import EXAMPLES
from sulan.runs.progress import progress

_STRETCH = 255
"""Tokens looked through at once for examples: activations among them are counted in uint8."""


def reduce(paths: Sequence[Path], text: Sequences, meta: Meta, *, budget: int) -> Counters:
    """Add units up.

    Parameters
    ----------
    paths
        Files of the units, in any order.
    text
        What was counted.
    meta
        How it was counted.
    budget
        Bytes for the bits read at once.

    Raises
    ------
    InputError
        The units do not make up the text: some are missing or there twice.
    """
    units = sorted((Unit(path) for path in paths), key=lambda unit: unit.windows)
    ends = [0, *(unit.windows[1] for unit in units)]
    for unit, end in zip(units, ends, strict=False):
        if unit.windows[0] != end:
            what = "missing" if unit.windows[0] > end else "there twice"
            raise InputError(f"windows {min(end, unit.windows[0])} to {max(end, unit.windows[0])} are {what}")
    if ends[-1] != meta.windows:
        raise InputError(f"windows {ends[-1]} to {meta.windows} are missing", hint="merge all shards")
    active = np.sum([unit.whole("active") for unit in units], axis=0)
    first = np.sum([unit.whole("first") for unit in units], axis=0)
    position = np.zeros((len(meta.layers), meta.context if meta.full else 0, meta.neurons), dtype=np.int32)
    grams = {n: sequences.grams(text, n) for n in sorted({1, *meta.ngrams})} if meta.ngrams else {}
    found: dict[int, list[triggers.Triggers]] = {n: [] for n in meta.ngrams}
    examples = np.full((len(meta.layers), meta.neurons, EXAMPLES), -1, dtype=np.int32)
    for layer in progress(range(len(meta.layers)), label="n-grams by layer"):
        for unit in units:
            counted = unit.position(layer)
            position[layer, : len(counted)] += counted
        if not meta.ngrams:
            continue

        def read(begin: int, end: int, layer: int = layer) -> np.ndarray:
            return np.concatenate([unit.bits(layer, begin, end) for unit in units])

        of_layer = triggers.of_layer(
            read, active[layer], grams, most=meta.most, orders=meta.ngrams, budget=budget
        )
        for n, each in of_layer.triggers.items():
            found[n].append(each)
        for neuron, places in of_layer.places.items():
            examples[layer, neuron, : len(places)] = places
        _first_examples(units, layer, active[layer], examples[layer])
    tables = {n: Table.of(layers, grams[n]) for n, layers in found.items()}
    return Counters(active=active, first=first, position=position, tables=tables, examples=examples)


def _first_examples(units: Sequence[Unit], layer: int, active: np.ndarray, found: np.ndarray) -> None:
    """Fill in the first tokens at which each neuron was active; int32 [neurons, EXAMPLES], -1 where unknown."""
    have = (found >= 0).sum(axis=1)
    want = np.minimum(active, EXAMPLES)
    offset = 0
    for unit in units:
        if (have >= want).all():
            break
        bits = unit.bits(layer, 0, (len(active) + 7) // 8)
        for begin in range(0, len(bits), _STRETCH):
            wanting = np.flatnonzero(have < want)
            if not wanting.size:
                break
            columns, column = np.unique(wanting // 8, return_inverse=True)
            stretch = bits[begin : begin + _STRETCH][:, columns]
            stretch = np.unpackbits(stretch, axis=1, bitorder="little")[:, 8 * column + wanting % 8]
            number = np.cumsum(stretch, axis=0, dtype=np.uint8)  # of each activation, from 1
            wanted = np.minimum(want[wanting] - have[wanting], _STRETCH).astype(np.uint8)
            places, columns = np.nonzero(stretch.view(bool) & (number <= wanted))
            neurons = wanting[columns]
            found[neurons, have[neurons] + number[places, columns] - 1] = offset + begin + places
            have[wanting] += np.minimum(number[-1], wanted)
        offset += len(bits)
