"""What charts are drawn on: matplotlib's axes in the house's look, and what they have in common."""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sulan.errors import MissingExtra
from sulan.reports.svg import INK, inline, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b4579a", "#8c6d1f", "#6f6bc8", "#7f7f7f", "#c2456b")
"""Blue, vermilion and green of Okabe and Ito's palette; the others were chosen beside them so that each has a
contrast of 3 : 1 or more against both pages (WCAG 1.4.11; a test computes it)."""

DASHES: tuple[Any, ...] = ("solid", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))
MARKS = "osD^vPX*"
_WIDTH, HEIGHT = 7.2, 3.4  # inches of 72 units

_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sulan",
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.formatter.use_mathtext": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "grid.color": INK,
    "grid.alpha": 0.12,
    "legend.frameon": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.size": 10,
}


@contextmanager
def drawn(title: str, said: str, *, height: float = HEIGHT) -> Iterator[tuple["Axes", list[str]]]:
    """Give axes to draw on and a list; when the block ends the finished chart stands in the list."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("matplotlib", extra="charts") from error
    chart: list[str] = []
    settings = {**matplotlib.rcParamsDefault, **_SETTINGS}
    del settings["backend"]  # nothing is shown; the user's own backend stays as it is
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The page's font draws the texts; matplotlib's own only measures them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        yield figure.add_subplot(), chart
        stream = io.BytesIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(stream, format="svg", metadata=nothing)
    chart.append(inline(stream.getvalue(), title=title, description=said))


def legend(axes: "Axes", names: Sequence[str]) -> None:
    """Name the groups above the chart, in as many columns as fit; a single one needs no legend."""
    if len(names) < 2:
        return
    columns = max(1, min(len(names), 95 // (max(map(len, names)) + 7)))
    axes.figure.legend(loc="outside upper left", ncols=columns)


def logarithmic(axes: "Axes", axis: str) -> None:
    """Make the axis `x` or `y` logarithmic, with plain numbers at its ticks."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set(**{f"{axis}scale": "log"})
    scale = axes.xaxis if axis == "x" else axes.yaxis
    low, high = scale.get_view_interval()
    scale.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 1000 else (1.0,)))
    scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    scale.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def label(text: str) -> str:
    """Return a text as matplotlib may have it."""
    # A label that begins with an underscore is one that matplotlib leaves out of the legend.
    return "\u200b" + printable(text) if text.startswith("_") else printable(text)
