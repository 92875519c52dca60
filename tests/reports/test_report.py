"""A report is one thing in three forms, and none of them can be acted on by its texts."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sulan.errors import BrokenArtefact, MissingFile
from sulan.reports import html, report, terminal
from sulan.reports.report import Report, Table

HOSTILE = "<script>alert(1)</script>\x1b[31m[bold]red[/bold]"


def example(text: str = "plain") -> Report:
    return Report(
        title=f"prune keep {text}",
        summary={"kept": 5, "share": 0.5, "why": text, "nothing": None},
        tables=(Table(title=text, columns=("name", "value"), rows=((text, 1), ("b", 2.25))),),
        notes=(f"A note on {text}.",),
        exit_code=1,
    )


def test_json_comes_back_the_same(tmp_path: Path) -> None:
    html.write(example(), tmp_path)
    assert report.read(tmp_path / "report.json") == example()


@given(text=st.text(max_size=40))
def test_any_text_comes_back_from_json(text: str) -> None:
    document = json.loads(example(text).to_json())
    assert document["title"] == f"prune keep {text}"
    assert document["tables"][0]["rows"][0] == [text, 1]


def test_page_is_inert_and_self_contained() -> None:
    page = html.render(example(HOSTILE))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")


def test_terminal_shows_markup_as_text_and_drops_control_characters() -> None:
    stream = io.StringIO()
    terminal.show(example(HOSTILE), console=Console(file=stream))
    shown = stream.getvalue()
    assert "\x1b" not in shown
    assert "[bold]red[/bold]" in shown
    assert "2.25" in shown


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema_version": 1, "title": "x"}', '{"schema_version": 9}']
)
def test_what_is_no_report_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(BrokenArtefact):
        report.read(tmp_path / "report.json")
    with pytest.raises(MissingFile):
        report.read(tmp_path / "absent.json")
