from collections.abc import Callable, Iterator
from datetime import date

import pytest

from digest.service import Answer, Request, as_json, gzipped, serve
from sulan.digest import huggingface
from sulan.digest.transport import Patience
from sulan.errors import BackendError

DAY = date(2026, 5, 18)
QUICK = Patience(attempts=2, first_wait=0.01, longest_wait=0.01, jitter=0.0, timeout=2.0)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield


def item(number: int, **fields: object) -> dict[str, object]:
    paper = {"id": f"2605.{number:05}", "title": f"Paper {number}", "summary": "We do it.", "upvotes": number}
    return {"paper": {**paper, **fields}, "numComments": 1}


def ask(
    monkeypatch: pytest.MonkeyPatch, *script: Answer | Callable[[Request], Answer]
) -> tuple[huggingface.Day, list[Request]]:
    with serve(*script) as service:
        monkeypatch.setenv("HF_ENDPOINT", service.endpoint)
        with huggingface.client(patience=QUICK) as client:
            return huggingface.day(DAY, client), service.requests


def pages(size: int, total: int) -> Callable[[Request], Answer]:
    """An API that gives at most `size` items a page, whatever it is asked for."""

    def answer(request: Request) -> Answer:
        size_here = min(size, int(request.query["limit"]))
        start = int(request.query["p"]) * size_here
        return as_json([item(number) for number in range(start, min(start + size_here, total))])

    return answer


@pytest.mark.parametrize(
    ("size", "total", "asked"),
    [(100, 8, 1), (100, 100, 2), (100, 250, 3), (50, 120, 3), (50, 50, 2), (100, 0, 1)],
)
def test_pages_are_read_to_the_end(
    monkeypatch: pytest.MonkeyPatch, size: int, total: int, asked: int
) -> None:
    found, requests = ask(monkeypatch, pages(size, total))
    assert [paper.id for paper in found.listing.papers] == [f"2605.{number:05}" for number in range(total)]
    assert [request.query for request in requests] == [
        {"date": "2026-05-18", "limit": "100", "p": str(page)} for page in range(asked)
    ]
    assert {request.path for request in requests} == {"/api/daily_papers"}


def test_a_mirror_that_does_not_look_at_the_page_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    found, requests = ask(monkeypatch, as_json([item(number) for number in range(100)]))
    assert len(found.listing.papers) == 100
    assert len(requests) == 2


def test_a_service_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendError, match="did not end"):
        ask(monkeypatch, pages(100, 10**6))


def test_an_item_that_moves_to_the_next_page_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = [item(number) for number in range(100)]
    found, _ = ask(monkeypatch, as_json(first), as_json([{**first[99], "numComments": 2}, item(100)]))
    assert len(found.listing.papers) == 101
    assert found.listing.remarks == ("2605.00099: listed twice, the first one is kept",)


def test_the_featured_day_is_the_records_own_or_the_one_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    other = item(2, submittedOnDailyAt="2026-05-17T23:00:00.000Z")
    found, _ = ask(monkeypatch, as_json([item(1), other]))
    assert [paper.featured_on for paper in found.listing.papers] == ["2026-05-18", "2026-05-17"]


def test_a_day_without_papers_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = ask(monkeypatch, as_json([]))
    assert found.listing.papers == () and found.body == b"[]"


def test_bad_items_are_reported_and_the_day_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = ask(
        monkeypatch, as_json([item(1), None, {"paper": 3}, item(2, authors=None, upvotes="1.2k"), item(1)])
    )
    assert [paper.id for paper in found.listing.papers] == ["2605.00001", "2605.00002"]
    assert found.listing.papers[1].upvotes == 1200
    assert [line[:6] for line in found.listing.skipped] == ["item 2", "item 3"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"<!doctype html><h1>Service"),
        as_json({"error": "no"}),
        as_json({"papers": [item(1)]}),
        as_json([{"unknown": 1}, {"shape": 2}]),
        as_json(["2605.00001"]),
        Answer(body=b'[{"paper": {"id": "2605.00001"'),
        gzipped([item(1)], keep=30),
        as_json({"error": "Invalid date"}, status=400),
        Answer(status=500),
    ],
    ids=["html", "object", "wrapped", "shape", "ids", "cut", "gzip", "400", "500"],
)
def test_what_is_no_list_of_papers_is_one_line(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    with pytest.raises(BackendError) as caught:
        ask(monkeypatch, answer)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value) and "127.0.0.1" in str(caught.value)


def test_a_failure_on_the_second_page_is_a_failure_of_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendError):
        ask(monkeypatch, as_json([item(number) for number in range(100)]), Answer(status=500))


def test_the_token_is_sent_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _, requests = ask(monkeypatch, as_json([]))
    assert "Authorization" not in requests[0].headers
    monkeypatch.setenv("HF_TOKEN", " hf_secret\n")
    _, requests = ask(monkeypatch, as_json([]))
    assert requests[0].headers["Authorization"] == "Bearer hf_secret"


def test_single_papers_of_which_one_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/api/papers/2605.00001":
            return as_json({"id": "2605.00001", "title": "One", "summary": "S.", "githubStars": 5})
        return as_json({"error": "Paper not found"}, status=404)

    with serve(answer) as service:
        monkeypatch.setenv("HF_ENDPOINT", service.endpoint)
        with huggingface.client(patience=QUICK) as client:
            found = huggingface.papers(["2605.00001", "math.AG/0501001"], client)
            with pytest.raises(BackendError, match="could be fetched"):
                huggingface.papers(["2605.00009"], client)
    assert [(paper.id, paper.stars) for paper in found.papers] == [("2605.00001", 5)]
    assert "math.AG/0501001: 127.0.0.1 answered 404: Paper not found" in found.skipped
    assert service.requests[1].path == "/api/papers/math.AG/0501001"
