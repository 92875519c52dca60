"""The report: what every verb returns."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sulan.errors import BrokenArtefact, MissingFile

Cell = str | int | float | bool | None
"""What stands in a table."""

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under named columns; every row is as long as `columns`."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a verb found or made.

    Attributes
    ----------
    title
        One line, e.g. `digest write 2023-09-12`.
    summary
        The few facts that everybody wants, by name.
    tables
        The rest, in the order of interest.
    notes
        Full sentences: limits, fallbacks, what to do next.
    exit_code
        0 good, 1 a check failed, 3 partial or a remote service failed.
    charts
        Inline SVG by caption, from `sulan.reports.charts`.
    pictures
        PNG files by caption; they are in the page itself, not beside it.
    """

    title: str
    summary: Mapping[str, Cell]
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    exit_code: int = 0
    charts: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the report as JSON text, charts and pictures left out (they are drawn from what the verb made)."""
        document = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        del document["charts"], document["pictures"]
        return json.dumps(document, ensure_ascii=False, indent=1)


def read(path: Path) -> Report:
    """Read a `report.json`.

    Raises
    ------
    MissingFile
        There is no such file.
    BrokenArtefact
        It is not a report of this schema.
    """
    try:
        document = json.loads(path.read_text())
        if document["schema_version"] != SCHEMA_VERSION:
            raise BrokenArtefact(f"{path} is not a report of schema {SCHEMA_VERSION}")
        tables = tuple(
            Table(
                title=table["title"],
                columns=tuple(table["columns"]),
                rows=tuple(tuple(row) for row in table["rows"]),
            )
            for table in document["tables"]
        )
        return Report(
            title=document["title"],
            summary=document["summary"],
            tables=tables,
            notes=tuple(document["notes"]),
            exit_code=document["exit_code"],
        )
    except FileNotFoundError as error:
        raise MissingFile(f"no report at {path}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenArtefact(f"{path} is not a report: {error}") from error
