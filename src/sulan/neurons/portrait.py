"""Everything that the tables say about one neuron."""

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sulan.errors import InputError
from sulan.neurons.tables import Tables
from sulan.reports.report import Report, Table

_STRETCHES = 16
"""Stretches of positions that a curve is told in."""


def of(tables: Tables, layer: int, neuron: int) -> Report:
    """Return the portrait of a neuron.

    Raises
    ------
    InputError
        There is no such neuron.
    """

    def rows(table: pa.Table) -> list[dict[str, Any]]:
        return table.filter((pc.field("layer") == layer) & (pc.field("neuron") == neuron)).to_pylist()

    found = rows(tables.neurons)
    if not found:
        meta = tables.meta
        raise InputError(
            f"no neuron {layer}.{neuron}: layers {meta.layers[0]} to {meta.layers[-1]} were counted, with "
            f"{meta.neurons} neurons each"
        )
    row, words = found[0], rows(tables.words)[0]
    summary = {name: value for name, value in row.items() if name not in ("layer", "neuron") and value != ""}
    parts = [
        Table(
            title="Triggers",
            columns=("n", "text", "occurrences", "active", "recall", "recall at least", "covered"),
            rows=tuple(
                (t["n"], t["text"], t["total"], t["active"], t["recall"], t["recall_low"], t["covered"])
                for t in rows(tables.triggers)
            ),
        ),
        Table(
            title="Contexts",
            columns=("before", "token", "after"),
            rows=tuple(tuple(example) for example in words["examples"]),
        ),
        Table(
            title="Written to the logits",
            columns=("promoted", "suppressed"),
            rows=tuple(zip(words["promoted"], words["suppressed"], strict=True)),
        ),
    ]
    curves = rows(tables.curves)
    if curves:
        curve = np.asarray(curves[0]["frequency"])
        edges = np.linspace(0, len(curve), min(_STRETCHES, len(curve)) + 1).astype(int)
        parts.append(
            Table(
                title="Frequency by position",
                columns=("positions", "frequency"),
                rows=tuple((f"{a} to {b - 1}", float(curve[a:b].mean())) for a, b in pairwise(edges)),
            )
        )
    return Report(title=f"neuron {layer}.{neuron}", summary=summary, tables=tuple(parts))
