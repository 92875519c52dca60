from datetime import date

import pytest

from digest.service import Answer, Request, entry, feed, serve
from sulan.digest import arxiv
from sulan.digest.paper import Paper
from sulan.digest.records import Unusable
from sulan.digest.transport import Patience
from sulan.errors import BackendError

DAY = date(2026, 5, 18)
QUICK = Patience(attempts=2, first_wait=0.01, longest_wait=0.01, jitter=0.0, timeout=2.0)


def test_a_record_in_full() -> None:
    found, skipped, total = arxiv.parse(feed(entry(7)))
    assert (skipped, total) == ([], 1)
    assert found == [
        arxiv.Record(
            id="2605.00007",
            version=2,
            title="A & B",
            abstract="We do it, with $x < y$.",
            authors=("Ada", "Bo"),
            published_at="2026-05-18T01:00:00Z",
            updated_at="2026-05-19T00:00:00Z",
            categories=("cs.CL", "cs.LG"),
            comment="12 pages",
            doi="10.1/x",
        )
    ]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "not an Atom feed"),
        (b"Rate exceeded.", "not an Atom feed"),
        (b"<html><body>406</body></html>", "but <html>"),
        (feed(entry(1))[:-20], "not an Atom feed"),
        (b'<!DOCTYPE f [<!ENTITY a "b">]><feed>&a;</feed>', "document type or entities"),
        (
            feed(
                "<entry><id>http://arxiv.org/api/errors#incorrect_id_format</id>"
                "<title>Error</title><summary>incorrect id format for x</summary></entry>"
            ),
            "arXiv says: incorrect id format",
        ),
    ],
)
def test_what_is_no_feed(document: bytes, reason: str) -> None:
    with pytest.raises(Unusable, match=reason) as caught:
        arxiv.parse(document)
    assert "\n" not in str(caught.value)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


def test_ids_go_in_batches_one_request_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: Request) -> Answer:
        ids = request.query["id_list"].split(",")
        return Answer(body=feed(*(entry(int(each[5:])) for each in ids)))

    ids = [f"2605.{number:05}" for number in range(arxiv.BATCH + 1)]
    with serve(answer) as service:
        monkeypatch.setenv("ARXIV_ENDPOINT", service.endpoint)
        with arxiv.client(patience=QUICK) as client:
            batches = list(arxiv.by_id(ids, client))
    assert [len(batch) for batch in batches] == [arxiv.BATCH, 1]
    assert [record.id for batch in batches for record in batch] == ids
    assert [request.path for request in service.requests] == ["/api/query"] * 2


def test_the_etiquette_holds_without_being_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with arxiv.client() as client:
        assert client.endpoint == "https://export.arxiv.org"
        assert client.patience.interval == 3.0  # "make no more than one request every three seconds"


def test_a_day_of_submissions_is_paged_and_cut_to_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    total = arxiv.PAGE + 3
    late = entry(99_999, published="2026-05-19T00:00:00Z")

    def answer(request: Request) -> Answer:
        start = int(request.query["start"])
        numbers = range(start, min(start + arxiv.PAGE, total))
        return Answer(body=feed(*map(entry, numbers), *([late] if start else []), total=total + 1))

    with serve(answer) as service:
        monkeypatch.setenv("ARXIV_ENDPOINT", service.endpoint)
        with arxiv.client(patience=QUICK) as client:
            found = arxiv.submitted(DAY, client, categories=("cs.CL", "cs.LG"))
    assert [record.id for record in found] == [f"2605.{number:05}" for number in range(total)]
    assert [request.query["start"] for request in service.requests] == ["0", "500"]
    assert service.requests[0].query["search_query"] == (
        "(cat:cs.CL OR cat:cs.LG) AND submittedDate:[202605180000 TO 202605190000]"
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (feed(total=7), "0 of the 7"),
        (feed(entry(1), total=9_999), "cannot be right"),
        (b"Rate exceeded.", "no list"),
    ],
)
def test_fewer_records_than_there_are_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, body: bytes, reason: str
) -> None:
    with serve(Answer(body=body)) as service:
        monkeypatch.setenv("ARXIV_ENDPOINT", service.endpoint)
        with arxiv.client(patience=QUICK) as client, pytest.raises(BackendError, match=reason):
            arxiv.submitted(DAY, client)


def test_a_day_without_submissions(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(Answer(body=feed())) as service:
        monkeypatch.setenv("ARXIV_ENDPOINT", service.endpoint)
        with arxiv.client(patience=QUICK) as client:
            assert arxiv.submitted(DAY, client) == []


def test_enrichment_adds_and_never_overwrites() -> None:
    record = arxiv.as_json(arxiv.parse(feed(entry(1)))[0][0])
    known = Paper(id="2605.00001", title="The Hub's title", abstract="Kept.", upvotes=3, source="hf")
    bare = Paper(id="2605.00001", title="")
    stranger = Paper(id="2605.00002", title="T")
    first, second, third = arxiv.enriched([known, bare, stranger], {"2605.00001": record})
    assert first == known.model_copy(
        update={
            "categories": ("cs.CL", "cs.LG"),
            "authors": ("Ada", "Bo"),
            "published_at": "2026-05-18T01:00:00Z",
        }
    )
    assert (second.title, second.abstract) == ("A & B", "We do it, with $x < y$.")
    assert third == stranger
