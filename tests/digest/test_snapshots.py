import socket
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from digest.service import Answer, as_json, serve
from sulan.digest import huggingface, snapshots
from sulan.digest.paper import Paper
from sulan.digest.records import Listing
from sulan.digest.store import Store
from sulan.digest.transport import Patience
from sulan.errors import BackendError, InputError, MissingFile

DAY = date(2026, 5, 18)
OPEN = datetime(2026, 5, 18, 20, tzinfo=UTC)
LATER = datetime(2026, 5, 19, 20, tzinfo=UTC)
CLOSED = datetime(2026, 5, 21, tzinfo=UTC)
QUICK = Patience(attempts=2, first_wait=0.01, longest_wait=0.01, jitter=0.0, timeout=2.0)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def items(*numbers: int) -> Answer:
    return as_json(
        [{"paper": {"id": f"2605.{n:05}", "title": f"Paper {n}", "summary": "S."}} for n in numbers]
    )


def obtain(
    monkeypatch: pytest.MonkeyPatch, store: Store, now: datetime, *script: Answer
) -> tuple[snapshots.Snapshot, int]:
    with serve(*script) as service:
        monkeypatch.setenv("HF_ENDPOINT", service.endpoint)
        with huggingface.client(patience=QUICK) as client:
            snapshot = snapshots.obtain(DAY, store, now=now, client=client)
        return snapshot, len(service.requests)


def test_a_missing_day_is_fetched_and_stored(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    snapshot, asked = obtain(monkeypatch, store, CLOSED, items(1, 2))
    assert asked == 1
    assert [paper.featured_on for paper in snapshot.papers] == ["2026-05-18"] * 2
    assert (snapshot.state, snapshot.notes) == ("complete", ())
    assert store.papers(DAY) == snapshot


def test_a_complete_day_costs_no_call(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    first, _ = obtain(monkeypatch, store, CLOSED, items(1, 2))
    again, asked = obtain(monkeypatch, store, CLOSED, Answer(status=500))
    assert (again, asked) == (first, 0)


def test_an_open_day_grows_until_it_closes(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    assert obtain(monkeypatch, store, OPEN, items(1))[0].state == "open"
    grown, _ = obtain(monkeypatch, store, LATER, items(2, 1))
    assert (len(grown.papers), grown.revision, grown.state) == (2, 2, "open")
    closed, asked = obtain(monkeypatch, store, CLOSED, items(1))
    assert (len(closed.papers), closed.revision, closed.state, asked) == (2, 2, "complete", 1)


@pytest.mark.parametrize(
    "fault", [Answer(status=500), Answer(body=b"<html>"), Answer(body=b"[{"), as_json({"a": 1}), as_json([3])]
)
def test_a_failed_refetch_gives_the_stored_list_with_a_note(
    monkeypatch: pytest.MonkeyPatch, store: Store, fault: Answer
) -> None:
    good, _ = obtain(monkeypatch, store, OPEN, items(1, 2))
    kept, _ = obtain(monkeypatch, store, LATER, fault)
    assert kept.papers == good.papers
    assert len(kept.notes) == 1 and "could not be fetched again" in kept.notes[0]
    assert store.days(DAY, DAY)[0].failures == 1


def test_a_day_that_is_neither_stored_nor_to_be_had(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    with pytest.raises(BackendError, match="status 503"):
        obtain(monkeypatch, store, CLOSED, Answer(status=503))
    assert store.papers(DAY) is None
    assert store.days(DAY, DAY)[0].failure.endswith("status 503")


def test_arxiv_s_submissions_stand_in_only_when_the_hub_fails(
    monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    everything = Paper(id="2605.00009", title="Submitted", source="arxiv")
    store.save(DAY, [everything], source="arxiv", state="complete", fetched_at="2026-05-21T00:00:00Z")
    kept, asked = obtain(monkeypatch, store, CLOSED, Answer(status=500))
    assert (kept.source, asked, len(kept.notes)) == ("arxiv", 2, 1)
    assert obtain(monkeypatch, store, CLOSED, items(1))[0].source == "hf"


def test_offline_opens_no_socket(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    def refuse(*arguments: object, **named: object) -> NoReturn:
        raise AssertionError("a socket was opened offline")

    obtain(monkeypatch, store, OPEN, items(1))
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    kept = snapshots.obtain(DAY, store, now=CLOSED, offline=True)
    assert len(kept.papers) == 1 and "still open" in kept.notes[0]
    with pytest.raises(MissingFile, match="2026-05-17 is not stored") as caught:
        snapshots.obtain(date(2026, 5, 17), store, now=CLOSED, offline=True)
    assert caught.value.hint == "sulan digest fetch 2026-05-17"
    # The same without the word: the guard does see a socket.
    with pytest.raises(AssertionError, match="socket"):
        snapshots.obtain(date(2026, 5, 17), store, now=CLOSED)


def listing(*featured: str) -> Listing:
    papers = (Paper(id=f"2605.{n:05}", title=f"P{n}", featured_on=day) for n, day in enumerate(featured))
    return Listing(papers=tuple(papers))


def test_a_file_s_papers_go_to_their_days() -> None:
    days = (date(2026, 5, 17), DAY)
    found = snapshots.by_day(listing("2026-05-18", "2026-05-17", "2026-05-18", "2026-05-30"), days)
    assert {day.day: [paper.id[-1] for paper in part.papers] for day, part in found.items()} == {
        17: ["1"],
        18: ["0", "2"],
    }
    assert found[DAY].remarks == ("1 papers of other days left out",)


def test_papers_that_do_not_say_their_day_go_to_the_one_asked_for() -> None:
    found = snapshots.by_day(listing("", "2026-05-18"), (DAY,))
    assert [paper.featured_on for paper in found[DAY].papers] == ["2026-05-18"] * 2
    with pytest.raises(InputError, match="does not say on which of 2 days"):
        snapshots.by_day(listing(""), (date(2026, 5, 17), DAY))
    with pytest.raises(InputError, match="but to 2026-05-01"):
        snapshots.by_day(listing("2026-05-01"), (DAY,))
    ids = snapshots.by_day(listing("2026-05-01"), (DAY,), bare=["2605.00000"])
    assert ids[DAY].papers[0].featured_on == "2026-05-18"
    assert snapshots.by_day(Listing(papers=()), (DAY,))[DAY].papers == ()
