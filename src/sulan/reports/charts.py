"""Charts of a report: inline SVG for `Report.charts`, drawn by matplotlib (extra `charts`).

    charts={"Perplexity by source": charts.histogram({"wiki": a, "web": b}, title="...", x="perplexity")}

Same data, same bytes. Colours are told apart on a white and on a black page and without colour vision (lines
also differ in their dashes and marks, bars in their order); texts stay texts, so they can be searched, and
`title` and a description with the numbers stand in for the drawing where it is not seen.

Values that are not finite are left out of histograms and are gaps elsewhere. Not covered: interaction, pie
charts, and drawings of very many marks (each is an element of the page: a `scatter` of thousands of points is
better shown as a `heat_map` of their counts).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import ArrayLike, NDArray

from sulan.errors import InputError
from sulan.reports import canvas
from sulan.reports.svg import INK

_LABELS = 70
"""Characters of category names that fit below a chart; longer ones stand at its side."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a chart.

    Attributes
    ----------
    name
        What it is called in the legend.
    x, y
        `[points]`; a gap where `y` is not finite.
    low, high
        `[points]`: an interval around every point, drawn as a band; None: no interval is known.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


def histogram(
    groups: Mapping[str, ArrayLike], *, title: str, x: str, bins: int = 40, logarithmic: bool = False
) -> str:
    """Draw how the values of each group are distributed, as shares of the group.

    Parameters
    ----------
    groups
        Values by group, in the order of the legend.
    title
        What the chart shows, for those who do not see it; the caption stands in the report.
    x
        What the values are, with their unit.
    bins
        Bins of equal width (of equal ratio where `logarithmic`), common to all groups.
    logarithmic
        Draw x logarithmically; values that are not positive are left out.

    Raises
    ------
    InputError
        No group has a value.
    """
    kept = {}
    for name, values in groups.items():
        array = numpy.asarray(values, dtype=numpy.float64)
        kept[name] = array[numpy.isfinite(array) & ((array > 0) | (not logarithmic))]
    filled = [array for array in kept.values() if array.size]
    if not filled:
        raise InputError(f"the histogram {title!r} has no values")
    low, high = min(float(a.min()) for a in filled), max(float(a.max()) for a in filled)
    if low == high:
        low, high = (low / 2, high * 2) if logarithmic else (low - 0.5, high + 0.5)
    spaced = numpy.geomspace if logarithmic else numpy.linspace
    edges = spaced(low, high, bins + 1)
    edges[0], edges[-1] = low, high  # geomspace may round past its ends
    counts = {name: numpy.histogram(array, edges)[0] for name, array in kept.items()}
    return steps(edges, counts, title=title, x=x, logarithmic=logarithmic)


def steps(
    edges: ArrayLike, counts: Mapping[str, ArrayLike], *, title: str, x: str, logarithmic: bool = False
) -> str:
    """Draw histograms that were counted elsewhere, as shares of each group.

    Parameters
    ----------
    edges
        `[bins + 1]`, rising.
    counts
        `[bins]` by group.
    title, x, logarithmic
        See `histogram`.
    """
    places = numpy.asarray(edges, dtype=numpy.float64)
    shares, said = {}, []
    for name, values in counts.items():
        array = numpy.asarray(values, dtype=numpy.float64)
        if array.shape != (places.size - 1,):
            raise InputError(f"{name} has {array.size} counts for {places.size - 1} bins in {title!r}")
        total = array.sum()
        shares[f"{name} ({total:,.0f})"] = array / max(total, 1.0)
        if total:
            middle = places[:-1][numpy.searchsorted(array.cumsum(), total / 2)]
            said.append(f"{name}: {total:,.0f} values, half of them up to about {middle:.4g}")
    with canvas.drawn(title, "; ".join(said)) as (axes, chart):
        for place, (name, share) in enumerate(shares.items()):
            colour = canvas.COLOURS[place % len(canvas.COLOURS)]
            axes.stairs(share, places, fill=True, color=colour, alpha=0.15)
            axes.stairs(
                share,
                places,
                color=colour,
                label=canvas.label(name),
                linestyle=canvas.DASHES[place % len(canvas.DASHES)],
            )
        if logarithmic:
            canvas.logarithmic(axes, "x")
        axes.set(xlabel=canvas.label(x), ylabel="share")
        canvas.legend(axes, list(shares))
    return chart[0]


def lines(
    series: Sequence[Line],
    *,
    title: str,
    x: str,
    y: str,
    logarithmic_x: bool = False,
    logarithmic_y: bool = False,
) -> str:
    """Draw lines, each with a band where its interval is known.

    Parameters
    ----------
    series
        In the order of the legend.
    title
        What the chart shows, for those who do not see it.
    x, y
        What stands on the axes, with units.
    logarithmic_x, logarithmic_y
        Draw an axis logarithmically.

    Raises
    ------
    InputError
        No line, or one whose parts differ in length.
    """
    if not series:
        raise InputError(f"the chart {title!r} has no lines")
    said = []
    for line in series:
        lengths = {len(part) for part in (line.x, line.y, line.low, line.high) if part is not None}
        if len(lengths) != 1 or (line.low is None) != (line.high is None):
            raise InputError(f"the line {line.name!r} in {title!r} has parts of different lengths")
        known = [(a, b) for a, b in zip(line.x, line.y, strict=True) if numpy.isfinite(b)]
        if known:
            (x0, y0), (x1, y1) = known[0], known[-1]
            said.append(f"{line.name}: {y0:.4g} at {x0:.4g} to {y1:.4g} at {x1:.4g}")
    with canvas.drawn(title, "; ".join(said)) as (axes, chart):
        for place, line in enumerate(series):
            colour = canvas.COLOURS[place % len(canvas.COLOURS)]
            if line.low is not None and line.high is not None:
                axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(
                line.x,
                line.y,
                color=colour,
                label=canvas.label(line.name),
                linestyle=canvas.DASHES[place % len(canvas.DASHES)],
                marker=canvas.MARKS[place % len(canvas.MARKS)] if len(line.x) <= 30 else "",
                markersize=4,
            )
        for axis, chosen in (("x", logarithmic_x), ("y", logarithmic_y)):
            if chosen:
                canvas.logarithmic(axes, axis)
        axes.set(xlabel=canvas.label(x), ylabel=canvas.label(y))
        canvas.legend(axes, [line.name for line in series])
    return chart[0]


def bars(
    categories: Sequence[str],
    groups: Mapping[str, Sequence[float]],
    *,
    title: str,
    y: str,
    intervals: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    stacked: bool = False,
) -> str:
    """Draw bars by category: side by side, or stacked; on their side where the names are long.

    Parameters
    ----------
    categories
        Names below the bars.
    groups
        One value per category, by group.
    title
        What the chart shows, for those who do not see it.
    y
        What the values are, with their unit.
    intervals
        (low, high) per category, for some groups or all; not with `stacked`.
    stacked
        Put the groups upon each other: parts of a whole.

    Raises
    ------
    InputError
        No category or no group, a group of another length, or `intervals` with `stacked`.
    """
    if not categories or not groups:
        raise InputError(f"the chart {title!r} has no bars")
    if stacked and intervals:
        raise InputError("stacked bars have no intervals: their ends would not be the parts' own")
    values = {name: _row(row, len(categories), name=name, title=title) for name, row in groups.items()}
    said = [
        f"{name}: " + ", ".join(f"{category} {v:.4g}" for category, v in zip(categories, row, strict=True))
        for name, row in values.items()
    ]
    sideways = sum(map(len, categories)) > _LABELS or len(categories) > 12
    rows = len(categories) * (1 if stacked else len(groups))
    height = max(canvas.HEIGHT, 1 + 0.22 * rows + 0.1 * len(categories)) if sideways else canvas.HEIGHT
    with canvas.drawn(title, "; ".join(said), height=height) as (axes, chart):
        draw = axes.barh if sideways else axes.bar
        places = numpy.arange(len(categories), dtype=numpy.float64)
        size = 0.8 if stacked else 0.8 / len(groups)
        below = numpy.zeros(len(categories))
        for place, (name, row) in enumerate(values.items()):
            shift = 0.0 if stacked else (place - (len(groups) - 1) / 2) * size
            ends = (intervals or {}).get(name)
            bar: dict[str, Any] = {
                "color": canvas.COLOURS[place % len(canvas.COLOURS)],
                "label": canvas.label(name),
            }
            if ends is not None:
                low, high = _row(ends, len(categories), name=name, title=title).T
                bar["yerr" if not sideways else "xerr"] = numpy.clip([row - low, high - row], 0, None)
                bar["error_kw"] = {"ecolor": INK, "capsize": 2.5, "elinewidth": 1}
            if stacked:
                bar["left" if sideways else "bottom"] = below.copy()
                below += numpy.nan_to_num(row)
            draw(places + shift, row, size, **bar)
        labels = [canvas.label(category) for category in categories]
        # Said, because a group that has no value at an end does not reach it by itself.
        outer = (-0.5, len(categories) - 0.5)
        if sideways:
            axes.set_yticks(places, labels)
            axes.set_ylim(*outer[::-1])
            axes.grid(False, axis="y")
            axes.set_xlabel(canvas.label(y))
        else:
            axes.set_xticks(places, labels)
            axes.set_xlim(*outer)
            axes.grid(False, axis="x")
            axes.set_ylabel(canvas.label(y))
        canvas.legend(axes, list(groups))
    return chart[0]


def scatter(
    groups: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    title: str,
    x: str,
    y: str,
    logarithmic_x: bool = False,
    logarithmic_y: bool = False,
) -> str:
    """Draw points.

    Parameters
    ----------
    groups
        (x `[points]`, y `[points]`) by group.
    title
        What the chart shows, for those who do not see it.
    x, y
        What stands on the axes, with units.
    logarithmic_x, logarithmic_y
        Draw an axis logarithmically.
    """
    points = {
        name: (numpy.asarray(across, dtype=numpy.float64), numpy.asarray(up, dtype=numpy.float64))
        for name, (across, up) in groups.items()
    }
    if not any(across.size for across, _ in points.values()):
        raise InputError(f"the chart {title!r} has no points")
    said = [f"{name}: {across.size:,} points" for name, (across, _) in points.items()]
    with canvas.drawn(title, "; ".join(said)) as (axes, chart):
        for place, (name, (across, up)) in enumerate(points.items()):
            axes.plot(
                across,
                up,
                linestyle="none",
                marker=canvas.MARKS[place % len(canvas.MARKS)],
                markersize=4,
                markeredgewidth=0,
                alpha=0.8,
                color=canvas.COLOURS[place % len(canvas.COLOURS)],
                label=canvas.label(name),
            )
        for axis, chosen in (("x", logarithmic_x), ("y", logarithmic_y)):
            if chosen:
                canvas.logarithmic(axes, axis)
        axes.set(xlabel=canvas.label(x), ylabel=canvas.label(y))
        canvas.legend(axes, list(groups))
    return chart[0]


def heat_map(
    values: ArrayLike,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    x: str = "",
    y: str = "",
    digits: int = 2,
) -> str:
    """Draw a table as colours, with the numbers in the cells; cells that are not finite stay empty.

    Parameters
    ----------
    values
        `[rows, columns]`.
    rows, columns
        Names at the sides.
    title
        What the chart shows, for those who do not see it.
    x, y
        What the columns and the rows are.
    digits
        Significant digits in the cells.
    """
    array = numpy.asarray(values, dtype=numpy.float64)
    if array.shape != (len(rows), len(columns)) or not numpy.isfinite(array).any():
        raise InputError(
            f"the heat map {title!r} has shape {array.shape} for {len(rows)} rows and {len(columns)} columns,"
            " or no value"
        )
    low, high = float(numpy.nanmin(array)), float(numpy.nanmax(array))
    said = f"{len(rows)} rows and {len(columns)} columns, values from {low:.4g} to {high:.4g}"
    with canvas.drawn(title, said, height=max(1.6, 1 + 0.34 * len(rows))) as (axes, chart):
        axes.pcolormesh(array, cmap="cividis", vmin=low, vmax=high if high > low else low + 1)
        axes.set_xticks(numpy.arange(len(columns)) + 0.5, [canvas.label(name) for name in columns])
        axes.set_yticks(numpy.arange(len(rows)) + 0.5, [canvas.label(name) for name in rows])
        axes.invert_yaxis()
        axes.grid(False)
        axes.set(xlabel=canvas.label(x), ylabel=canvas.label(y))
        for (row, column), value in numpy.ndenumerate(array):
            if numpy.isfinite(value):
                dark = value < low + 0.55 * (high - low)
                axes.text(
                    column + 0.5,
                    row + 0.5,
                    f"{value:.{digits}g}",
                    ha="center",
                    va="center",
                    color="#ffffff" if dark else "#000000",
                )
    return chart[0]


def _row(values: ArrayLike, count: int, *, name: str, title: str) -> NDArray[numpy.float64]:
    array = numpy.asarray(values, dtype=numpy.float64)
    if len(array) != count:
        raise InputError(f"{name} has {len(array)} values for {count} categories in {title!r}")
    return array
