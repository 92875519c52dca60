import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from digest.service import Answer, Request, as_json, entry, feed, serve
from sulan.digest import database, days, fetch, status
from sulan.digest.store import FILE, LOCK, Store
from sulan.errors import BackendError, BrokenArtefact, InputError
from sulan.reports.report import Report


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("SULAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody: a test that needs a service starts one
    monkeypatch.setenv("ARXIV_ENDPOINT", "http://127.0.0.1:9")


def item(number: int, **fields: object) -> dict[str, object]:
    return {"paper": {"id": f"2309.{number:05}", "title": f"Paper {number}", "summary": "S.", **fields}}


def by_date(answers: dict[str, Answer]) -> Callable[[Request], Answer]:
    return lambda request: answers.get(request.query["date"], as_json([]))


def rows(report: Report) -> dict[object, tuple[object, ...]]:
    return {row[0]: row[1:] for row in report.tables[0].rows}


REFUSED = as_json({"error": "no"}, status=404)


def test_a_day_by_its_file_and_then_its_status(tmp_path: Path, shared: Path) -> None:
    source = shared / "data" / "daily_papers_2023-09-12.json"
    report = fetch("2023-09-12", input=source, out=tmp_path)
    assert report.exit_code == 0
    assert rows(report) == {"2023-09-12": (8, 8, 0, "complete", "")}
    assert rows(fetch("2023-09-12", input=source, out=tmp_path)) == {"2023-09-12": (8, 0, 0, "complete", "")}
    shown = status(since="2023-09-11", until="2023-09-13", store=tmp_path)
    assert [row[:5] for row in shown.tables[0].rows] == [
        ("2023-09-11", "missing", None, None, None),
        ("2023-09-12", "complete", 8, 1, "file"),
        ("2023-09-13", "missing", None, None, None),
    ]
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["verb"], record["status"]) == ("digest fetch", "complete")
    assert list(record["inputs"]) == [str(source)]
    assert FILE in record["outputs"]


def test_a_range_goes_on_after_a_failed_day_and_resumes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers = {
        "2023-09-11": as_json([item(1), item(2)]),
        "2023-09-12": REFUSED,
        "2023-09-13": as_json([]),
        "2023-09-14": as_json([item(3), None]),
    }
    with serve(by_date(answers)) as service:
        monkeypatch.setenv("HF_ENDPOINT", service.endpoint)
        report = fetch("2023-09-11", until="2023-09-14", out=tmp_path)
        assert report.exit_code == 3
        assert rows(report) == {
            "2023-09-11": (2, 2, 0, "complete", ""),
            "2023-09-12": (None, None, None, "missing", "failed: 127.0.0.1 answered 404: no"),
            "2023-09-13": (0, 0, 0, "empty", ""),
            "2023-09-14": (1, 1, 0, "complete", "item 2: not an object but nothing"),
        }
        assert report.summary["failed"] == 1
        asked = len(service.requests)
        answers["2023-09-12"] = as_json([item(9)])
        again = fetch("2023-09-11", until="2023-09-14", out=tmp_path)
        assert service.days()[asked:] == ["2023-09-12"]
        assert again.exit_code == 0
        assert rows(again)["2023-09-11"] == (2, None, None, "complete", "already stored")
        answers["2023-09-11"] = as_json([item(2, title="Renamed")])
        forced = fetch("2023-09-11", out=tmp_path, refresh=True)
        assert rows(forced)["2023-09-11"] == (
            2, 0, 1, "complete", "1 known papers are missing from this answer and stay listed: 2309.00001",
        )  # fmt: skip
    shown = rows(status(since="2023-09-11", until="2023-09-14", store=tmp_path))
    assert [row[:3] for row in shown.values()] == [
        ("complete", 2, 2), ("complete", 1, 1), ("empty", 0, 1), ("complete", 1, 1),
    ]  # fmt: skip


def test_one_day_that_fails_is_one_line_and_keeps_what_is_stored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve(as_json([item(1)]), REFUSED, as_json({"not": "a list"})) as service:
        monkeypatch.setenv("HF_ENDPOINT", service.endpoint)
        fetch("2023-09-12", out=tmp_path)
        for message in ("answered 404", "something else than a list"):
            with pytest.raises(BackendError, match=message) as caught:
                fetch("2023-09-12", out=tmp_path, refresh=True)
            assert caught.value.exit_code == 3
    with Store.open(tmp_path) as store:
        standing = store.days(days.FIRST_DAY, days.clock().date())[0]
        assert (standing.papers, standing.revision, standing.failures) == (1, 1, 2)
    shown = rows(status(since="2023-09-12", store=tmp_path))["2023-09-12"]
    assert shown[0] == "complete" and shown[5] == 2 and "something else" in str(shown[6])


def test_a_service_that_is_down_is_not_asked_for_every_day_of_a_year(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve(REFUSED) as service:
        monkeypatch.setenv("HF_ENDPOINT", service.endpoint)
        report = fetch("2023-09", out=tmp_path)
    assert len(service.requests) == 3
    messages = [str(row[-1]) for row in rows(report).values()]
    assert len(messages) == 30
    assert all("not tried" in message for message in messages[3:])
    assert (report.exit_code, report.summary["failed"]) == (3, 30)


def test_today_stays_open_and_is_asked_for_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    today = days.clock().date() - timedelta(days=1)  # open at any time of the day, also across midnight
    with serve(as_json([item(1)]), as_json([item(1), item(2)])) as service:
        monkeypatch.setenv("HF_ENDPOINT", service.endpoint)
        assert rows(fetch(today.isoformat(), out=tmp_path))[today.isoformat()] == (1, 1, 0, "open", "")
        assert rows(fetch(today.isoformat(), out=tmp_path))[today.isoformat()] == (2, 1, 0, "open", "")
    report = status(since=today.isoformat(), store=tmp_path)
    assert report.summary["open"] == 1 and "sulan digest fetch" in report.notes[0]


@pytest.mark.parametrize("date", ["2099-01-01", "2023-05-03", "2023-02-30", "yesterday", "2099-W01"])
def test_a_bad_date_costs_no_call_and_makes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, date: str
) -> None:
    with serve(as_json([])) as service:
        monkeypatch.setenv("HF_ENDPOINT", service.endpoint)
        with pytest.raises(InputError):
            fetch(date, out=tmp_path / "new")
        with pytest.raises(InputError):
            status(since=date, store=tmp_path)
    assert service.requests == [] and not (tmp_path / "new").exists()


def test_ids_of_a_file_are_asked_for_at_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = tmp_path / "ids.txt"
    source.write_text("2309.00001\n2309.00002\n")

    def answer(request: Request) -> Answer:
        known = {"id": "2309.00001", "title": "One", "submittedOnDailyAt": "2023-09-10T00:00:00Z"}
        return as_json(known) if request.path.endswith("1") else REFUSED

    with serve(answer) as service:
        monkeypatch.setenv("HF_ENDPOINT", service.endpoint)
        report = fetch("2023-09-12", input=source, out=tmp_path / "store")
    assert report.exit_code == 3
    assert rows(report)["2023-09-12"][:2] == (1, 1)
    assert "2309.00002: 127.0.0.1 answered 404" in str(rows(report)["2023-09-12"][-1])


def test_ids_of_a_file_are_asked_for_at_arxiv_once_and_for_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = tmp_path / "ids.txt"
    source.write_text("2605.00001\n2605.00002\n")
    with serve(Answer(body=feed(entry(1), entry(2)))) as service:
        monkeypatch.setenv("ARXIV_ENDPOINT", service.endpoint)
        for _ in range(2):
            report = fetch("2026-05-18", input=source, source="arxiv", out=tmp_path / "store")
            assert report.exit_code == 0
    assert len(service.requests) == 1
    with Store.open(tmp_path / "store") as store:
        snapshot = store.papers(days.parse("2026-05-18", now=days.clock()))
        assert snapshot is not None and snapshot.source == "file"
        assert [(paper.title, paper.categories[0]) for paper in snapshot.papers] == [("A & B", "cs.CL")] * 2


def test_a_day_of_arxiv_submissions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serve(Answer(body=feed(entry(1), entry(2)))) as service:
        monkeypatch.setenv("ARXIV_ENDPOINT", service.endpoint)
        assert rows(fetch("2026-05-18", source="arxiv", out=tmp_path)) == {
            "2026-05-18": (2, 2, 0, "complete", "")
        }
        assert rows(status(since="2026-05-18", store=tmp_path))["2026-05-18"][:4] == (
            "complete",
            2,
            1,
            "arxiv",
        )


def test_enrichment_that_fails_does_not_fail_the_day(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serve(as_json([item(1)])) as hub, serve(Answer(status=406, body=b"no")) as archive:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("ARXIV_ENDPOINT", archive.endpoint)
        report = fetch("2023-09-12", out=tmp_path, enrich=True)
    assert report.exit_code == 0
    assert rows(report)["2023-09-12"][:4] == (1, 1, 0, "complete")
    assert "without arXiv's categories: 127.0.0.1 answered 406" in str(rows(report)["2023-09-12"][-1])


def test_enrichment_adds_categories(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paper = {"paper": {"id": "2605.00001", "title": "Mine", "summary": "S."}}
    with serve(as_json([paper])) as hub, serve(Answer(body=feed(entry(1)))) as archive:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("ARXIV_ENDPOINT", archive.endpoint)
        fetch("2026-05-18", out=tmp_path, enrich=True)
        again = fetch("2026-05-18", out=tmp_path, refresh=True)  # without asking arXiv: nothing is revised
        assert rows(again)["2026-05-18"] == (1, 0, 0, "complete", "")
    with Store.open(tmp_path) as store:
        snapshot = store.papers(days.parse("2026-05-18", now=days.clock()))
        assert snapshot is not None and snapshot.papers[0].categories == ("cs.CL", "cs.LG")
        assert snapshot.papers[0].title == "Mine"


def test_a_damaged_store_is_left_with_its_record(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 1000)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(BrokenArtefact):
        fetch("2023-09-12", out=tmp_path)
    assert (tmp_path / FILE).read_bytes() == b"no database" * 1000
    assert (tmp_path / "run.json").read_text() == "{}"


def test_a_fetch_beside_another_is_refused(tmp_path: Path) -> None:
    with database.alone(tmp_path / LOCK), pytest.raises(InputError, match="another run"):
        fetch("2023-09-12", out=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK]


def test_killed_in_the_middle_of_a_range(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The third day's answer never comes: the process is killed while it waits, and two days are there."""
    waiting, over = threading.Event(), threading.Event()

    def answer(request: Request) -> Answer:
        if request.query["date"] == "2023-09-13":
            waiting.set()
            over.wait(30)
        return as_json([item(int(request.query["date"][-2:]))])

    with serve(answer) as service:
        words = ["digest", "fetch", "2023-09-11", "--until", "2023-09-14", "--out", str(tmp_path)]
        process = subprocess.Popen(
            [sys.executable, "-m", "sulan", *words], env={**os.environ, "HF_ENDPOINT": service.endpoint}
        )
        assert waiting.wait(30)
        process.send_signal(signal.SIGKILL)
        process.wait()
        over.set()
        assert json.loads((tmp_path / "run.json").read_text())["status"] == "running"
        shown = rows(status(since="2023-09-11", until="2023-09-14", store=tmp_path))
        assert [row[0] for row in shown.values()] == ["complete", "complete", "missing", "missing"]
        monkeypatch.setenv("HF_ENDPOINT", service.endpoint)
        report = fetch("2023-09-11", until="2023-09-14", out=tmp_path)
        assert report.exit_code == 0
        assert [row[0] for row in rows(report).values()] == [1, 1, 1, 1]
    assert sorted(service.days()) == ["2023-09-11", "2023-09-12", "2023-09-13", "2023-09-13", "2023-09-14"]


def test_the_default_folder_and_an_empty_one(tmp_path: Path) -> None:
    assert status(since="2023-09").summary["missing"] == 30
    assert not (tmp_path / "home").exists()
    source = tmp_path / "one.json"
    source.write_text(json.dumps([item(1)]))
    fetch("2023-09-12", input=source)
    assert (tmp_path / "home" / "data" / "digest" / FILE).exists()
    assert status(since="2023-09").summary["complete"] == 1


def test_the_command_line_says_it_in_one_line(tmp_path: Path) -> None:
    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sulan", "digest", *words],
            capture_output=True,
            text=True,
            input=more.get("stdin"),
        )

    future = run("fetch", "2099-01-01", "--out", str(tmp_path / "x"))
    assert future.returncode == 2
    assert future.stderr.splitlines()[0] == "error: 2099-01-01 lies in the future"
    missing = run("status", "--since", "2023-09-12", "--store", str(tmp_path / "x"))
    assert missing.returncode == 2 and missing.stderr.startswith("error: no store at ")
    from_stdin = ("fetch", "2023-09-12", "--input", "-", "--out", str(tmp_path / "x"))
    piped = run(*from_stdin, "--json", stdin=json.dumps([item(1)]))
    assert piped.returncode == 0, piped.stderr
    assert json.loads(piped.stdout)["tables"][0]["rows"] == [["2023-09-12", 1, 1, 0, "complete", ""]]
    broken = run(*from_stdin, stdin='[{"id"')
    assert broken.returncode == 2
    assert [line.split(":")[0] for line in broken.stderr.splitlines()] == ["error"]


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys; from sulan.digest import fetch, status; "
        "print([m for m in ('pydantic', 'pyarrow', 'torch', 'transformers', 'httpx2') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
