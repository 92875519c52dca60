"""A report as one self-contained HTML page: no script, no network reference, every text escaped."""

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from sulan.reports.report import Cell, Report
from sulan.runs import outputs


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("sulan.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = _cell
    environment.filters["base64"] = _base64
    return environment.get_template("report.html.j2")


@cache
def _style() -> tuple[str, str]:
    """Return the style sheet and its hash for the content security policy."""
    css = (Path(__file__).parent / "templates" / "report.css").read_text()
    return css, "sha256-" + base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()


def render(report: Report) -> str:
    """Return the page.

    Parameters
    ----------
    report
        What a verb returned. Its charts are inserted as they are: `sulan.reports.charts` made them, which
        escapes what it draws.
    """
    css, digest = _style()
    return _template().render(report=report, css=css, style_hash=digest)


def write(report: Report, folder: Path) -> None:
    """Write `report.json` and `report.html` into a folder."""
    outputs.write_text(folder / "report.json", report.to_json() + "\n")
    outputs.write_text(folder / "report.html", render(report))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
