"""What the layers of a classification have in common and where they differ: the numbers of the paper's figures."""

from typing import Any

import numpy as np
import pyarrow as pa

from sulan.neurons.counters import Meta
from sulan.neurons.detectors import Verdict, coverage

BINS = ((1, 5), (6, 50))
"""Covering numbers that are counted together; the paper names the first, "1 to 5". Above come "more"."""


def by_layer(columns: dict[str, np.ndarray], verdicts: dict[int, dict[int, Verdict]], meta: Meta) -> pa.Table:
    """Return one row a layer: shares and counts behind every figure of the report.

    Parameters
    ----------
    columns
        Columns of the table of neurons.
    verdicts
        By n and number of the neuron.
    meta
        How they were counted.
    """
    rows: list[dict[str, Any]] = []
    ensembles = {order: coverage(_detected(found, meta)) for order, found in verdicts.items()}
    for index, layer in enumerate(meta.layers):
        place = slice(index * meta.neurons, (index + 1) * meta.neurons)
        of = {name: values[place] for name, values in columns.items()}
        never = of["proof"] != ""
        row: dict[str, Any] = {
            "layer": layer,
            "never": int(never.sum()),
            "never_share": float(never.mean()),
            "proved": int((of["proof"] == "proved").sum()),
            "first_only": int((of["status"] == "first only").sum()),
            "rare": int((of["status"] == "rare").sum()),
            "always": int((of["status"] == "always").sum()),
            "frequency": float(of["frequency"][~never].mean()) if (~never).any() else 0.0,
            "positional": int(of["positional"].sum()),
        }
        for order in verdicts:
            covering = of[f"covering_{order}"]
            for low, high in BINS:
                row[f"covering_{order}_{low}_{high}"] = int(((covering >= low) & (covering <= high)).sum())
            row[f"covering_{order}_more"] = int((covering > BINS[-1][1]).sum())
            row[f"detectors_{order}"] = int(of[f"detector_{order}"].sum())
            detected, new, against_below, known = ensembles[order][index]
            row |= {
                f"detected_{order}": detected,
                f"new_{order}": new,
                f"new_against_below_{order}": against_below,
                f"cumulative_{order}": known,
            }
        if 1 in verdicts:
            effect = of["effect"][of["detector_1"]]
            row["suppressing"] = int((effect < 0).sum())
        rows.append(row)
    return pa.Table.from_pylist(rows)


def _detected(verdicts: dict[int, Verdict], meta: Meta) -> list[set[tuple[int, ...]]]:
    found: list[set[tuple[int, ...]]] = [set() for _ in meta.layers]
    for at, verdict in verdicts.items():
        if verdict.detector:
            found[at // meta.neurons] |= {trigger.tokens for trigger in verdict.triggers if trigger.covered}
    return found


def measured(
    columns: dict[str, np.ndarray], layers: pa.Table, meta: Meta, *, can_die: bool
) -> dict[str, float | int]:
    """Return what a run records, by metric.

    Parameters
    ----------
    columns, layers
        Columns of the table of neurons; the table of layers.
    meta
        How they were counted.
    can_die
        Whether never being active means adding nothing; only then is anything called dead.
    """
    rows = layers.to_pylist()
    never = "dead" if can_die else "never"
    found: dict[str, float | int] = {
        f"{never}.count": sum(row["never"] for row in rows),
        f"{never}.proved.count": sum(row["proved"] for row in rows),
        f"{never}.share.maximum": max(row["never_share"] for row in rows),
        "rare.count": sum(row["rare"] for row in rows),
        "always.count": sum(row["always"] for row in rows),
        "frequency.mean": float(np.mean([row["frequency"] for row in rows])),
    }
    late = [row["never_share"] for row in rows if row["layer"] >= (meta.depth + 1) // 2]
    if late:
        found[f"{never}.share.second_half"] = float(np.mean(late))
    for order, name in ((1, "token"), (2, "bigram"), (3, "trigram")):
        if f"detector_{order}" not in columns:
            continue
        found |= {
            f"detectors.{name}.count": int(columns[f"detector_{order}"].sum()),
            f"detectors.{name}.sure.count": int(columns[f"sure_{order}"].sum()),
            f"detectors.{name}.covered": rows[-1][f"cumulative_{order}"],
            f"detectors.{name}.covered.maximum": max(row[f"detected_{order}"] for row in rows),
        }
    if columns.get("detector_1", np.zeros(0)).any():
        effects = columns["effect"][columns["detector_1"]]
        found["detectors.token.suppressing.share"] = float((effects < 0).mean())
    if meta.full:
        found["positional.count"] = int(columns["positional"].sum())
        for kind in ("oscillatory", "both extremes", "one extreme", "other"):
            found[f"positional.{kind.replace(' ', '_')}.count"] = int((columns["type"] == kind).sum())
    return found
