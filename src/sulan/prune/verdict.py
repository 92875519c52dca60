"""What a comparison found: how much better or worse each model is than the one trained on everything.

Models are compared seed by seed: weights at the start are the same, and so is the seed of the order. With few
seeds the interval is Student's over the seeds' differences, which is wide, and that is what few seeds are
worth; p is that of the bootstrap over held-out documents and seeds, which says less about other seeds. Not
corrected for the number of models: of forty, two differ at p < 0.05 by chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sulan.evaluation.significance import paired_bootstrap, seed_interval
from sulan.prune.plans import NONE, Arm, Comparison
from sulan.prune.scores import bits_per_byte
from sulan.reports import charts
from sulan.reports.charts import Line
from sulan.reports.report import Table


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """What the models are judged on, by document: tokens, bytes, and the source, "" where there is none."""

    tokens: np.ndarray
    bytes: np.ndarray
    sources: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Change:
    """How much lower a perplexity is than another, in percent, with its interval over seeds.

    100 (1 - exp(d)), where d is the mean difference of the losses, nats a token.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.2f} % [{self.low:+.2f}, {self.high:+.2f}]"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one arm.

    Attributes
    ----------
    arm
        What its models were trained on.
    perplexity
        exp of the mean loss over seeds, on all held-out documents.
    improvement
        Against the arm `none`; None for itself.
    p
        Of the bootstrap over documents and seeds against `none`.
    against_random
        Against a random part of the same size; None where there is none.
    bits_per_byte
        By source, mean over seeds.
    """

    arm: Arm
    perplexity: float
    improvement: Change | None
    p: float | None
    against_random: Change | None
    bits_per_byte: Mapping[str, float]


def judge(losses: Mapping[Arm, np.ndarray], held_out: HeldOut) -> list[Verdict]:
    """Compare all arms with `none`.

    Parameters
    ----------
    losses
        Summed negative log-likelihood by arm, float64 [seeds, documents].
    held_out
        The documents.
    """
    scored = held_out.tokens > 0
    tokens = held_out.tokens[scored]
    verdicts = []
    for arm, found in losses.items():
        random = losses.get(Arm(metric="random", percent=arm.percent))
        ours, base = found[:, scored], losses[NONE][:, scored]
        verdicts.append(
            Verdict(
                arm=arm,
                perplexity=float(np.exp(ours.sum(axis=1).mean() / tokens.sum())),
                improvement=change(ours, base, tokens) if arm != NONE else None,
                p=paired_bootstrap(ours, base, weights=tokens).p if arm != NONE else None,
                against_random=change(ours, random[:, scored], tokens)
                if random is not None and arm.metric != "random"
                else None,
                bits_per_byte={
                    source: float(
                        bits_per_byte(found[:, rows].sum(axis=1).mean(), held_out.bytes[rows].sum())
                    )
                    for source in sorted(set(held_out.sources.tolist()))
                    for rows in [held_out.sources == source]
                },
            )
        )
    return verdicts


def lead(first: Verdict, second: Verdict, losses: Mapping[Arm, np.ndarray], held_out: HeldOut) -> Change:
    """Return how much lower the perplexity of one arm is than that of another."""
    scored = held_out.tokens > 0
    return change(losses[first.arm][:, scored], losses[second.arm][:, scored], held_out.tokens[scored])


def change(ours: np.ndarray, base: np.ndarray, tokens: np.ndarray) -> Change:
    """Return how much lower the perplexity of `ours` is.

    Parameters
    ----------
    ours, base
        Summed negative log-likelihoods, [seeds, documents].
    tokens
        [documents].

    Examples
    --------
    One nat less on a hundred tokens, for both seeds: exp(-0.01).

    >>> str(change(np.array([[99.0], [99.0]]), np.array([[100.0], [100.0]]), np.array([100])))
    '+1.00 % [+1.00, +1.00]'
    """
    found = seed_interval((ours - base).sum(axis=1) / tokens.sum())
    value, low, high = (100 * (1 - np.exp(d)) for d in (found.value, found.high, found.low))
    return Change(value=float(value), low=float(low), high=float(high))


def best(verdicts: Sequence[Verdict], *, metric: str, percent: int) -> Verdict | None:
    """Return the side of a metric that did best at a size; None where it was not compared.

    Chosen by the same held-out documents that it is then reported on: a little too good.
    """
    found = [v for v in verdicts if v.arm.metric == metric and v.arm.percent == percent]
    return min(found, key=lambda verdict: verdict.perplexity, default=None)


def tables(verdicts: Sequence[Verdict]) -> tuple[Table, ...]:
    """Return the table of the comparison, and bits per byte by source."""
    rows = []
    for each in verdicts:
        ours, random = each.improvement, each.against_random
        rows.append(
            (each.arm.metric, each.arm.side, each.arm.percent, round(each.perplexity, 4))
            + ((round(ours.value, 3), round(ours.low, 3), round(ours.high, 3)) if ours else (None,) * 3)
            + (round(each.p, 4) if each.p is not None else None,)
            + (
                (round(random.value, 3), round(random.low, 3), round(random.high, 3))
                if random
                else (None,) * 3
            )
        )
    columns = ("metric", "side", "kept %", "perplexity", "better by %", "low", "high", "p")
    columns += ("better than random by %", "low ", "high ")
    sources = list(verdicts[0].bits_per_byte)
    by_source = [
        (str(each.arm), float(np.mean(list(each.bits_per_byte.values()))), *each.bits_per_byte.values())
        for each in verdicts
    ]
    return (
        Table(title="Held-out perplexity against no pruning", columns=columns, rows=tuple(rows)),
        Table(
            title="Bits per byte by source; the mean gives each source the same weight",
            columns=("trained on", "mean of sources", *(source or "(all)" for source in sources)),
            rows=tuple(by_source),
        ),
    )


def drawn(verdicts: Sequence[Verdict], plan: Comparison) -> dict[str, str]:
    """Return a chart for each metric: what each side does to held-out perplexity, by how much is kept."""
    drawings = {}
    for metric in plan.metrics:
        series = []
        for name, of, side in [*((side, metric, side) for side in plan.sides), ("random", "random", "")]:
            found = [v for v in verdicts if v.arm.metric == of and v.arm.side == side and v.improvement]
            changes = [v.improvement for v in found if v.improvement]
            series.append(
                Line(
                    name=name,
                    x=[v.arm.percent for v in found],
                    y=[change.value for change in changes],
                    low=[change.low for change in changes],
                    high=[change.high for change in changes],
                )
            )
        drawings[f"{metric}: lower held-out perplexity than without pruning, in percent"] = charts.lines(
            series, title=f"Pruning by {metric}", x="kept, %", y="better by, %"
        )
    return drawings
