"""What a scan says about itself: its facts, its layers, and its limits in words."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from sulan.neurons.counters import Counters, Meta
from sulan.neurons.statistics import never_bound
from sulan.reports.report import Cell, Table

FEW = 100
"""Full windows below which positional information is said to be uncertain. Its bias is 1/(2 * windows) nats, 0.005
at 100, a tenth of the paper's threshold."""


def facts(meta: Meta) -> dict[str, Cell]:
    """Return the facts that everybody wants of a scan."""
    return {
        "rule": meta.rule,
        "layers": len(meta.layers),
        "neurons a layer": meta.neurons,
        "tokens": meta.tokens,
        "windows": meta.windows,
        "full windows": meta.full,
    }


def by_layer(counters: Counters, meta: Meta) -> Table:
    """Return mean activity by layer."""
    rows = []
    for index, layer in enumerate(meta.layers):
        active = counters.active[index]
        alive = (active > 0) | (counters.first[index] > 0)
        rows.append(
            (
                layer,
                int((~alive).sum()),
                float(np.mean(active[alive]) / meta.tokens) if alive.any() else 0.0,
            )
        )
    return Table(
        title="Activity by layer",
        columns=("layer", "never active", "mean frequency of the others"),
        rows=tuple(rows),
    )


def warnings(meta: Meta) -> tuple[str, ...]:
    """Return what a reader of these counters must know."""
    found = []
    if meta.full < FEW:
        found.append(
            f"Only {meta.full} of {meta.windows} windows are full ({meta.context} tokens): positional information is "
            f"uncertain below {FEW}. Give more text, a shorter reading.context, or reading.packed."
        )
    if meta.rule != "nonzero":
        found.append(
            f"The rule is {meta.rule}: a neuron that is not active may still add to the output "
            f"({meta.activation} is not 0 below 0)."
        )
    return tuple(found)


def layers(table: pa.Table, meta: Meta) -> Table:
    """Return the counts by layer that a reader wants first."""
    rows = table.to_pylist()
    shown = ["never", "proved", "first_only", "rare", "always", "frequency"]
    for order in meta.ngrams:
        shown += [f"covering_{order}_1_5", f"detectors_{order}", f"new_{order}"]
    shown.append("positional")
    return Table(
        title="Neurons by layer",
        columns=("layer", *(name.replace("_", " ") for name in shown)),
        rows=tuple((row["layer"], *(row[name] for name in shown)) for row in rows),
    )


def bound(meta: Meta, measured: Mapping[str, float | int]) -> tuple[str, ...]:
    """Return what 'observed' means here, in words."""
    never = "dead" if "dead.count" in measured else "never"
    count, proved = measured[f"{never}.count"], measured[f"{never}.proved.count"]
    if not count:
        return ()
    most = never_bound(meta.tokens + meta.windows * (meta.bos >= 0))
    what = "dead" if never == "dead" else "never active"
    return (
        f"Of {count} neurons that are {what}, {proved} are proved by the weights; the other {int(count - proved)} are "
        f"observed: each may still be active at up to {most:.2g} of all tokens (95 %).",
    )
