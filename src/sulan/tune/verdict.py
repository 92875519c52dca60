"""What a comparison says: rows, differences with intervals, the ladder, and a recommendation.

Intervals are 95 %, of resampled test examples and seeds (`evaluation.significance`); of three seeds they are too narrow
for a claim about other seeds, which the report says. Not covered: corrections for many comparisons.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from sulan.evaluation.significance import Difference, paired_bootstrap
from sulan.reports import charts
from sulan.reports.report import Cell, Report, Table
from sulan.tune import metrics
from sulan.tune.experiment import Compared, answers
from sulan.tune.plans import BASE, LADDER, METHODS, VARIANTS

IN_CONTEXT = ("zero-shot", "ICL", "ICL + CoT")
ALONE = ("fine-tuning", "+ PEFT", "+ instructions", "distillation")
"""Rows that need no frozen model once they are trained."""

SATURATED = 0.94
"""Accuracy of the small model by itself from which a task counts as saturated (the paper's has 94.7 %, table 3)."""


class Verdict:
    """The reading of a comparison."""

    def __init__(self, compared: Compared) -> None:
        self._compared = compared
        self._setup = compared.setup
        self._answers = answers(self._setup.task, compared.test)
        self._variants = [name for name in VARIANTS if name in compared.results["FIAT"][0].chances]
        self._rows = list(compared.results)

    @property
    def scale(self) -> str:
        """At what scale all of this was measured."""
        setup = self._setup
        counts = {name: len(setup.task.split(name)) for name in ("train", "dev", "test")}
        return (
            f"{setup.task.name}: {counts['train']} training, {counts['dev']} dev and {counts['test']} test examples, "
            f"{len(setup.task.labels)} labels; {setup.comparing.seeds} seeds; {setup.student} tuned, "
            f"{self._compared.reasoned.origin.teacher} frozen"
        )

    @cached_property
    def _right(self) -> Mapping[str, np.ndarray]:
        """Whether each answer is right, float64 [seeds, examples], by row and variant."""
        return {
            name: np.stack(
                [metrics.right(chances, self._answers) for chances in self._compared.chances(name)]
            )
            for name in [*self._rows, *self._variants]
        }

    def accuracy(self, name: str) -> float:
        """Return the mean accuracy of a row."""
        return float(self._right[name].mean())

    def difference(self, one: str, other: str) -> Difference:
        """Return how much more often one row is right than another."""
        first, second = self._right[one], self._right[other]
        shape = np.broadcast_shapes(first.shape, second.shape)
        return paired_bootstrap(np.broadcast_to(first, shape), np.broadcast_to(second, shape))

    def best(self, names: tuple[str, ...]) -> str | None:
        """Return the most accurate of some rows."""
        there = [name for name in names if name in self._right]
        return max(there, key=self.accuracy) if there else None

    def metrics(self) -> Iterator[tuple[str, float, str]]:
        """Give name, value and claim of what is recorded."""
        for name in [*self._rows, *self._variants]:
            chances = self._compared.chances(name)
            key = name.replace("+ ", "plus_").replace(", ", ".").replace(" ", "_").lower()
            yield f"accuracy.{key}", round(self.accuracy(name), 4), ""
            yield f"auc_pr.{key}", round(self._mean(metrics.auc_pr, chances), 4), ""
            yield f"f1.{key}", round(self._mean(metrics.macro_f1, chances), 4), ""
        best = self.best((*IN_CONTEXT, *ALONE))
        saturated = self.accuracy("+ instructions") >= SATURATED if "+ instructions" in self._right else False
        if best and not saturated:
            claim = "attriqa" if len(self._setup.task.labels) == 2 else "indic"
            name = "improvement.best_baseline" if claim == "attriqa" else "improvement.low_resource"
            yield name, self._points("FIAT", best), claim
        if LADDER[-1] in self._right:
            yield "ladder.total", self._points("FIAT", LADDER[-1]), "instruction-tuned-base"
        if "distillation" in self._right:
            yield "difference.distillation", self._points("FIAT", "distillation"), "reasoning-as-input"
        if "+ instructions" in self._right:
            points = self._points("FIAT", "+ instructions")
            yield "difference.no_reasoning", points, ""
            if saturated:
                yield "difference.no_reasoning.saturated", points, "saturated"

    def _points(self, one: str, other: str) -> float:
        return round(100 * self.difference(one, other).mean, 2)

    def _mean(self, measure: Callable[[np.ndarray, Sequence[int]], float], chances: np.ndarray) -> float:
        return float(np.mean([measure(each, self._answers) for each in chances]))

    def report(self, ledger: Mapping[str, Cell]) -> Report:
        """Return the page."""
        tables = [self._results(), self._differences(), self._ladder()]
        if any(example.group for example in self._compared.test):
            tables.append(self._groups())
        tables += [self._costs(), self._causes()]
        return Report(
            title=f"tune compare {self._setup.task.name}",
            summary={
                "recommendation": self.recommendation(),
                "FIAT": round(100 * self.accuracy("FIAT"), 1),
                **{
                    name: round(100 * self.accuracy(name), 1)
                    for name in (self.best(IN_CONTEXT), self.best(ALONE))
                    if name
                },
                "scale": self.scale,
                **{f"ledger: {name}": value for name, value in ledger.items()},
            },
            tables=tuple(tables),
            notes=(*self._notes(), *self._setup.task.notes),
            charts={"Accuracy on test; a line from the lowest to the highest seed": self._chart()},
        )

    def recommendation(self) -> str:
        """Return which way to take, in a sentence: the simplest that nothing beats beyond chance."""
        alone, inside = self.best(ALONE), self.best(IN_CONTEXT)
        if alone is None and inside is None:
            return "FIAT alone was run: there is nothing to compare it with."
        if alone is not None:
            fiat = self.difference("FIAT", alone)
            context = self.difference(inside, alone) if inside else None
            if fiat.low <= 0 and (context is None or context.low <= 0):
                return (
                    f"You do not need the large model: {alone} has {self._percent(alone)} %; FIAT is "
                    f"{_signed(fiat)} points from it, which chance may give."
                )
        if inside is not None:
            over = self.difference("FIAT", inside)
            if over.low <= 0:
                return (
                    f"Use the large model by itself ({inside}): it has {self._percent(inside)} %; FIAT is "
                    f"{_signed(over)} points from it, which chance may give; nothing has to be tuned."
                )
        seconds = self._compared.reasoned.seconds
        price = f", for {seconds:.2f} CPU seconds more a prediction" if np.isfinite(seconds) else ""
        gains = [
            f"{_signed(self.difference('FIAT', each))} points over {each}" for each in (alone, inside) if each
        ]
        return f"Use FIAT: {' and '.join(gains)}{price}."

    def _percent(self, name: str) -> str:
        return f"{100 * self.accuracy(name):.1f}"

    def _results(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        about = {method.name: method.about for method in METHODS} | VARIANTS
        for name in self._rows:
            chances = self._compared.chances(name)
            by_seed = self._right[name].mean(axis=1)
            rows.append(
                (
                    name,
                    round(100 * self.accuracy(name), 1),
                    " ".join(f"{100 * each:.1f}" for each in by_seed) if len(by_seed) > 1 else "",
                    round(100 * self._mean(metrics.auc_pr, chances), 1),
                    round(100 * self._mean(metrics.macro_f1, chances), 1),
                    about.get(name, "Full tuning of a model without instruction tuning."),
                )
            )
        return Table(
            title="Test, per cent",
            columns=("row", "accuracy", "by seed", "AUC-PR", "macro F1", "what it is"),
            rows=tuple(rows),
        )

    def _differences(self) -> Table:
        rows = [self._row("FIAT", other) for other in self._rows if other != "FIAT"]
        return Table(
            title="FIAT against the others, points of accuracy",
            columns=("against", "difference", "from", "to", "p"),
            rows=tuple(row[1:] for row in rows),
        )

    def _row(self, one: str, other: str) -> tuple[Cell, ...]:
        found = self.difference(one, other)
        return (
            one,
            other,
            *(round(100 * each, 1) for each in (found.mean, found.low, found.high)),
            round(found.p, 4),
        )

    def _ladder(self) -> Table:
        names = [name for name in (*LADDER, BASE) if name in self._right]
        rows: list[tuple[Cell, ...]] = []
        for number, name in enumerate(names):
            chances = self._compared.chances(name)
            lost = None if not number else self._points(names[number - 1], name)
            rows.append(
                (name, self._percent(name), round(100 * self._mean(metrics.auc_pr, chances), 1), lost)
            )
        return Table(
            title="The ladder of the paper's table 3: one thing less in every line",
            columns=("row", "accuracy", "AUC-PR", "points lost"),
            rows=tuple(rows),
        )

    def _groups(self) -> Table:
        groups = sorted({example.group for example in self._compared.test})
        at = {
            group: [n for n, each in enumerate(self._compared.test) if each.group == group]
            for group in groups
        }
        rows = tuple(
            (name, *(round(100 * float(self._right[name][:, at[group]].mean()), 1) for group in groups))
            for name in self._rows
        )
        heads = tuple(f"{group} ({len(at[group])})" for group in groups)
        return Table(title="Accuracy by group, per cent", columns=("row", *heads), rows=rows)

    def _costs(self) -> Table:
        reasoned = self._compared.reasoned
        size = len(self._compared.test)
        worst = self.best(ALONE)
        rows: list[tuple[Cell, ...]] = []
        for name in self._rows:
            found = self._compared.results[name]
            reasons = name in ("FIAT", "ICL + CoT")
            read, written = (round(each) for each in reasoned.tokens) if reasons else (0, 0)
            seconds = float(np.mean([each.test_seconds for each in found])) / size
            whole = seconds + (reasoned.seconds if reasons else 0.0)
            gain = 100 * (self.accuracy(name) - self.accuracy(worst)) if worst else 0.0
            extra = 1000 * reasoned.seconds / gain if name == "FIAT" and gain > 0 else None
            rows.append(
                (
                    name,
                    round(float(np.mean([each.train_seconds for each in found])), 1),
                    f"{whole:.3f}" if np.isfinite(whole) else "not known",
                    read,
                    written,
                    None if extra is None or not np.isfinite(extra) else round(extra, 1),
                )
            )
        return Table(
            title="Cost: CPU seconds of training a seed and of one prediction, and the frozen model's tokens of one",
            columns=(
                "row",
                "training",
                "prediction",
                "tokens read",
                "written",
                "seconds per point and 1,000 predictions",
            ),
            rows=tuple(rows),
        )

    def _causes(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        for name in self._variants:
            rows.append((name, self._percent(name), *self._row(name, "FIAT")[2:]))
        return Table(
            title="FIAT, once tuned, with other rationales: does it read them?",
            columns=("shown", "accuracy", "difference to its own", "from", "to", "p"),
            rows=tuple(rows),
        )

    def _notes(self) -> tuple[str, ...]:
        found = [
            "Intervals are 95 %, over resampled test examples and seeds; three seeds say little about a fourth.",
            "The epoch that is best on dev is kept; rows that read no rationale may take "
            f"{self._setup.comparing.longer} times the epochs.",
        ]
        if BASE not in self._right:
            found.append(
                "The ladder's last line, without an instruction-tuned base, was not run: --base names a model."
            )
        return tuple(found)

    def _chart(self) -> str:
        names = [*self._rows, *self._variants]
        seeds = [100 * self._right[name].mean(axis=1) for name in names]
        return charts.bars(
            names,
            {"accuracy": [100 * self.accuracy(name) for name in names]},
            title="Accuracy on test by method",
            y="per cent",
            intervals={"accuracy": [(float(each.min()), float(each.max())) for each in seeds]},
        )


def _signed(found: Difference) -> str:
    return f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
