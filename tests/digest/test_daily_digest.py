"""The daily run of .github, with a `sulan` that notes how it was called and answers as it was told."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

GITHUB = Path(__file__).parents[2] / ".github"

SULAN = """#!/usr/bin/env python3
import json, os, pathlib, sys
here = pathlib.Path(os.environ["FAKE"])
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
verb = sys.argv[2]
if verb == "status":
    print((here / "status.json").read_text())
print("::error::a title that is a command to the runner")  if verb != "status" else None
sys.exit(json.loads((here / "codes.json").read_text()).get(" ".join(sys.argv[2:4]), 0))
"""


@pytest.fixture
def daily(tmp_path):
    """Run the script with given days in the store, exit codes and environment; returns result and calls."""
    program = tmp_path / "bin" / "sulan"
    program.parent.mkdir()
    program.write_text(SULAN)
    program.chmod(0o755)

    def run(rows=(), codes=None, **environment):
        columns = ["day", "state", "papers"]
        status = {"tables": [{"title": "Days", "columns": columns, "rows": [list(row) for row in rows]}]}
        (tmp_path / "status.json").write_text(json.dumps(status))
        (tmp_path / "codes.json").write_text(json.dumps(codes or {}))
        (tmp_path / "calls").unlink(missing_ok=True)
        given = {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "FAKE": str(tmp_path),
            "EDITIONS": str(tmp_path / "editions"),
            "SITE": str(tmp_path / "site"),
        }
        done = subprocess.run(
            ["bash", str(GITHUB / "daily-digest.sh")],
            env=given | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        calls = tmp_path / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return done, [json.loads(line)[1:] for line in lines]

    return run


def written(calls):
    return [call[1] for call in calls if call[0] == "write"]


def test_days_with_papers_and_no_complete_edition_are_written(daily, tmp_path):
    for day, state in (("2023-09-10", "complete"), ("2023-09-11", "open")):
        folder = tmp_path / "editions" / day
        folder.mkdir(parents=True)
        (folder / "edition.json").write_text(json.dumps({"state": state}))
    rows = [
        ("2023-09-09", "empty", 0),
        ("2023-09-10", "complete", 8),
        ("2023-09-11", "complete", 9),
        ("2023-09-12", "open", 3),
        ("2023-09-13", "missing", None),
    ]
    done, calls = daily(rows)
    assert done.returncode == 0, done.stderr
    assert written(calls) == ["2023-09-11", "2023-09-12"]
    assert [call[0] for call in calls] == ["fetch", "status", "write", "write", "site"]
    assert calls[2][2:] == [
        *("--out", str(tmp_path / "editions/2023-09-11")),
        *("--engine", "extractive", "--lang", "zh", "--lang", "en"),
    ]


def test_a_date_is_that_day_alone(daily):
    _, calls = daily([("2023-09-12", "open", 8)], DATE="2023-09-12", BASE_URL="https://example.org/")
    assert calls[0] == ["fetch", "2023-09-12", "--until", "2023-09-12"]
    assert calls[-1][-2:] == ["--base-url", "https://example.org/"]


def test_without_a_date_a_week_is_looked_at(daily):
    _, calls = daily()
    since, until = calls[0][1], calls[0][3]
    assert (
        re.fullmatch(r"\d{4}-\d\d-\d\d", since) and re.fullmatch(r"\d{4}-\d\d-\d\d", until) and since < until
    )


def test_a_failed_day_stops_no_other_and_is_not_forgotten(daily):
    rows = [("2023-09-11", "open", 1), ("2023-09-12", "open", 1)]
    done, calls = daily(rows, codes={"write 2023-09-11": 2})
    assert written(calls) == ["2023-09-11", "2023-09-12"] and calls[-1][0] == "site"
    assert done.returncode == 1
    assert "error: digest write 2023-09-11 failed (exit 2)" in done.stderr


def test_a_partial_result_is_a_note(daily):
    done, _ = daily([("2023-09-12", "open", 1)], codes={"write 2023-09-12": 3, "fetch 2023-09-12": 3})
    assert done.returncode == 0
    assert "note: digest write 2023-09-12 was partial (exit 3)" in done.stderr


def test_what_verbs_print_never_reaches_the_log(daily):
    done, _ = daily([("2023-09-12", "open", 1)])
    assert "::" not in done.stdout + done.stderr


@pytest.mark.parametrize("date", ["2023-09-12; touch pwned", "$(touch pwned)", "--help", "yesterday"])
def test_a_date_that_is_none_is_refused_before_anything_runs(daily, date):
    done, calls = daily(DATE=date)
    assert done.returncode == 2 and calls == []
    assert done.stderr == "error: not a date: the form is YYYY-MM-DD\n"


def test_no_command_of_the_workflow_is_made_from_an_expression():
    lines = (GITHUB / "workflows" / "daily-digest.yml").read_text(encoding="utf-8").splitlines()
    commands, indent = [], None
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if indent is not None and line.strip() and depth <= indent:
            indent = None
        if indent is not None:
            commands.append(line)
        if match := re.match(r"(\s*)(?:- )?run: (.*)", line):
            commands.append(match[2])
            indent = depth
    assert len(commands) > 10 and any("daily-digest.sh" in line for line in commands)
    assert not [line for line in commands if "${{" in line]
    assert "permissions: {}" in lines
