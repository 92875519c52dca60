"""A report on a terminal: facts, tables and notes, as plain text that cannot act on the terminal."""

from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from sulan.reports.report import Cell, Report, Table

PIPE_WIDTH = 160
"""Columns where stdout is not a terminal and has no width of its own."""


def show(report: Report, *, console: Console | None = None) -> None:
    """Print a report.

    Parameters
    ----------
    report
        What a verb returned.
    console
        Where to; stdout when not given.
    """
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=PIPE_WIDTH)
    console.print(_text(report.title), style="bold")
    facts = Grid.grid(padding=(0, 2))
    for name, value in report.summary.items():
        facts.add_row(Text(name, style="dim"), _text(value))
    console.print(Padding(facts, (0, 0, 0, 2)))
    for table in report.tables:
        console.print()
        console.print(_grid(table))
    for note in report.notes:
        console.print(_text(note))


def _grid(table: Table) -> Grid:
    grid = Grid(title=_text(table.title), title_justify="left", title_style="", box=None, pad_edge=False)
    for index, column in enumerate(table.columns):
        numeric = all(isinstance(row[index], int | float) or row[index] is None for row in table.rows)
        grid.add_column(column, justify="right" if numeric and table.rows else "left", header_style="dim")
    for row in table.rows:
        grid.add_row(*(_text(cell) for cell in row))
    return grid


def _text(cell: Cell) -> Text:
    """Return a cell as text: markup in it is not interpreted, control characters are dropped."""
    if cell is None:
        return Text("")
    if isinstance(cell, float):
        return Text(f"{cell:.6g}")
    return Text("".join(c for c in str(cell) if c == "\n" or c.isprintable()))
