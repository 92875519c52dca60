import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sulan.digest import database
from sulan.digest.paper import Paper
from sulan.digest.store import FILE, LOCK, Saved, Store
from sulan.errors import BrokenArtefact, InputError, MissingFile

DAY = date(2026, 5, 18)


def paper(number: int, **fields: object) -> Paper:
    usual = {"title": f"Paper {number}", "abstract": "We do it.", "authors": ("Ada",), "source": "hf"}
    return Paper.model_validate({"id": f"2605.{number:05}", **usual, **fields})


def save(store: Store, papers: list[Paper], hour: int = 10, *, day: date = DAY, **more: object) -> Saved:
    arguments = {"source": "hf", "state": "open", "fetched_at": f"2026-05-18T{hour:02}:00:00Z", **more}
    return store.save(day, papers, **arguments)  # pyrefly: ignore[bad-argument-type]


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    papers = [paper(2, upvotes=3, comments=0, stars=9), paper(1, keywords=("数据",), abstract="")]
    with Store.open(tmp_path / "new" / "folder") as store:
        assert save(store, papers) == Saved(papers=2, new=2, revised=0, absent=(), revision=1)
    with Store.open(tmp_path / "new" / "folder") as store:
        snapshot = store.papers(DAY)
        assert snapshot is not None
        assert snapshot.papers == tuple(papers)
        assert (snapshot.state, snapshot.revision, snapshot.source) == ("open", 1, "hf")
        assert snapshot.fetched_at == "2026-05-18T10:00:00Z"
        assert store.papers(date(2026, 5, 17)) is None


def test_an_empty_day_is_known_to_be_empty(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        save(store, [], state="complete")
        snapshot = store.papers(DAY)
        assert snapshot is not None and snapshot.papers == () and snapshot.state == "complete"


def test_only_what_the_list_says_makes_a_revision(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        save(store, [paper(1, upvotes=1), paper(2)], 10)
        assert save(store, [paper(2), paper(1, upvotes=50)], 11, state="complete").revision == 1
        snapshot = store.papers(DAY)
        assert snapshot is not None
        assert [(p.id[-1], p.upvotes) for p in snapshot.papers] == [("1", 50), ("2", None)]
        assert (snapshot.state, snapshot.fetched_at) == ("complete", "2026-05-18T11:00:00Z")
        assert save(store, [paper(1, title="Renamed"), paper(2), paper(3)], 12) == Saved(
            papers=3, new=1, revised=1, absent=(), revision=2
        )


def test_a_shrunken_answer_loses_nothing_and_says_so(tmp_path: Path) -> None:
    """A refresh that saw one paper overwrote a good day elsewhere: takara-ai/papers-api, issue 17."""
    with Store.open(tmp_path) as store:
        save(store, [paper(number, upvotes=number) for number in range(8)], 10)
        saved = save(store, [paper(3, upvotes=99)], 11)
        assert (saved.papers, saved.new, saved.revised, saved.revision) == (8, 0, 0, 1)
        assert saved.absent == tuple(f"2605.{number:05}" for number in (0, 1, 2, 4, 5, 6, 7))
        assert save(store, [], 12).papers == 8
        snapshot = store.papers(DAY)
        assert snapshot is not None
        assert [p.upvotes for p in snapshot.papers] == [0, 1, 2, 99, 4, 5, 6, 7]


def test_an_emptied_field_keeps_its_value_but_votes_do_not(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        save(store, [paper(1, upvotes=5, categories=("cs.CL",))], 10)
        saved = save(store, [paper(1, abstract="", authors=(), upvotes=None)], 11)
        assert (saved.revised, saved.revision) == (0, 1)
        snapshot = store.papers(DAY)
        assert snapshot is not None
        assert snapshot.papers == (paper(1, categories=("cs.CL",)),)


def test_a_file_s_list_is_replaced_on_the_user_s_word(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        save(store, [paper(1), paper(2)], 10, source="file", replace=True)
        saved = save(store, [paper(2), paper(3)], 11, source="file", replace=True)
        assert (saved.papers, saved.new, saved.absent, saved.revision) == (2, 1, ("2605.00001",), 2)


def test_the_hub_s_list_is_preferred_and_sources_stay_apart(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        save(store, [paper(7)], source="arxiv")
        save(store, [paper(8, upvotes=1)], source="file")
        assert store.papers(DAY).source == "file"  # pyrefly: ignore[missing-attribute]
        save(store, [paper(9), paper(8)])
        assert store.papers(DAY).source == "hf"  # pyrefly: ignore[missing-attribute]
        kept = store.papers(DAY, source="file")
        assert kept is not None and kept.papers == (paper(8, upvotes=1),)


def test_days_and_the_failures_since(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.fail(DAY, source="hf", at="2026-05-18T09:00:00Z", message="before")
        save(store, [paper(1)], 10)
        save(store, [paper(1), paper(2)], 11)
        store.fail(DAY, source="hf", at="2026-05-18T12:00:00Z", message="status 500")
        store.fail(date(2026, 5, 20), source="hf", at="2026-05-20T12:00:00Z", message="no route")
        found = store.days(date(2026, 5, 1), date(2026, 5, 31))
        assert [
            (each.day.day, each.papers, each.revision, each.failures, each.failure) for each in found
        ] == [
            (18, 2, 2, 1, "status 500"),
            (20, None, None, 1, "no route"),
        ]
        assert store.days(date(2026, 5, 19), date(2026, 5, 19)) == ()


def test_arxiv_records_are_kept_by_version(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.save_arxiv({("2605.00001", 1): {"comment": "old"}}, fetched_at="2026-05-18T09:00:00Z")
        store.save_arxiv({("2605.00001", 2): {"comment": "新"}}, fetched_at="2026-05-19T09:00:00Z")
        store.save_arxiv({("2605.00001", 1): {"comment": "changed"}}, fetched_at="2026-05-20T09:00:00Z")
        assert store.arxiv(["2605.00001", "2605.00002"]) == {"2605.00001": {"comment": "新"}}


lists = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["", "A", "B"])), max_size=6, unique_by=lambda x: x[0]
)


@settings(max_examples=25, deadline=None)
@given(answers=st.lists(lists, min_size=1, max_size=5))
def test_nothing_known_is_ever_lost(
    tmp_path_factory: pytest.TempPathFactory, answers: list[list[tuple[int, str]]]
) -> None:
    with Store.open(tmp_path_factory.mktemp("store")) as store:
        seen: dict[str, str] = {}
        revision = 0
        for hour, answer in enumerate(answers):
            before = dict(seen)
            saved = save(store, [paper(number, abstract=text) for number, text in answer], hour)
            seen |= {f"2605.{n:05}": text or seen.get(f"2605.{n:05}", "") for n, text in answer}
            snapshot = store.papers(DAY)
            assert snapshot is not None
            assert {p.id: p.abstract for p in snapshot.papers} == seen
            assert saved.revision - revision == (1 if seen != before or hour == 0 else 0)
            revision = saved.revision


def test_no_store_and_none_wanted(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no store"):
        Store.open(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"not a database at all, but long enough to be read as one" * 40, b"SQLite format 3\0" + b"\xff" * 4096],
)
def test_a_damaged_file_is_refused_in_one_line_and_left(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(BrokenArtefact) as caught:
        Store.open(tmp_path)
    assert "\n" not in str(caught.value) and str(tmp_path / FILE) in str(caught.value)
    assert (tmp_path / FILE).read_bytes() == content


def test_damage_in_the_middle_is_found_when_read(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        save(store, [paper(number, abstract="word " * 500) for number in range(40)])
    path = tmp_path / FILE
    data = bytearray(path.read_bytes())
    data[4096 * 2 :] = b"\x55" * (len(data) - 4096 * 2)
    path.write_bytes(data)
    with pytest.raises(BrokenArtefact, match="damaged"), Store.open(tmp_path) as store:
        store.papers(DAY)
        store.days(DAY, DAY)
    assert path.read_bytes() == data


def test_a_record_that_is_none(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        save(store, [paper(1)])
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("""UPDATE papers SET record = '{"id": 3}'""")
    connection.close()
    with Store.open(tmp_path) as store, pytest.raises(BrokenArtefact, match="damaged"):
        store.papers(DAY)


def test_another_program_s_file_and_a_newer_sulan_s(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    with pytest.raises(BrokenArtefact, match="another program"):
        Store.open(tmp_path)
    Store.open(tmp_path / "ours").close()
    ours = sqlite3.connect(tmp_path / "ours" / FILE)
    ours.execute(f"PRAGMA user_version = {database.VERSION + 1}")
    ours.close()
    with pytest.raises(BrokenArtefact, match="this Sulan knows") as caught:
        Store.open(tmp_path / "ours")
    assert caught.value.hint == "upgrade Sulan"


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be used"):
        Store.open(tmp_path / "file")


def test_two_fetches_at_once(tmp_path: Path) -> None:
    with (
        database.alone(tmp_path / LOCK),
        pytest.raises(InputError, match="another run"),
        database.alone(tmp_path / LOCK),
    ):
        pass
    with database.alone(tmp_path / LOCK):
        pass


WRITER = """
import sys
from datetime import date, timedelta
from pathlib import Path
from sulan.digest.paper import Paper
from sulan.digest.store import Store

folder, name, days = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
with Store.open(folder) as store:
    for number in range(days):
        papers = [
            Paper(id=f"{name}.{number}.{n}", title="T", abstract="word " * 300, upvotes=n) for n in range(20)
        ]
        # One day of one's own, and one that both writers add to.
        for day in (date(2026, 1, 1) + timedelta(days=2 * number + (name == "b")), date(2030, 1, 1)):
            at = "2026-05-18T10:00:00Z"
            store.save(day, papers, source="hf", state="open", fetched_at=at, body=b"x" * 50_000)
        print(number, flush=True)
"""


def start(folder: Path, name: str, days: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), name, str(days)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    writers = [start(tmp_path, name, 8) for name in "ab"]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    with Store.open(tmp_path) as store:
        found = store.days(date(2026, 1, 1), date(2026, 12, 31))
        assert [each.papers for each in found] == [20] * 16
        both = store.papers(date(2030, 1, 1))
        assert both is not None
        assert len(both.papers) == 2 * 8 * 20
        assert both.revision == 16


def test_a_writer_killed_at_any_point_leaves_whole_days(tmp_path: Path) -> None:
    finished = 0
    for attempt in range(3):
        writer = start(tmp_path, "ab"[attempt % 2], 10_000)
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(3 + attempt)]
        time.sleep(0.003 * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        finished = max(finished, int(lines[-1]))
        with Store.open(tmp_path) as store:
            found = store.days(date(2026, 1, 1), date(2029, 12, 31))
            assert {each.papers for each in found} == {20}
            assert len(found) >= finished
        check = sqlite3.connect(tmp_path / FILE)
        assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert check.execute("PRAGMA foreign_key_check").fetchall() == []
        check.close()
