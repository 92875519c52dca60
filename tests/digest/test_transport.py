import pytest

from digest.service import Answer, Service, as_json, gzipped, serve
from sulan.digest.transport import Client, Patience, Refused
from sulan.errors import BackendError, InputError

QUICK = Patience(attempts=3, first_wait=0.01, longest_wait=0.02, jitter=0.01, obey_up_to=1.0, timeout=2.0)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


def client(
    service: Service, *, token: str = "", max_bytes: int = 2**20, patience: Patience = QUICK
) -> Client:
    return Client(
        service.endpoint, variable="HF_ENDPOINT", token=token, max_bytes=max_bytes, patience=patience
    )


@pytest.mark.parametrize(
    "fault",
    [
        Answer(status=500),
        Answer(status=503, body=b"<html>busy</html>"),
        Answer(status=429, headers={"Retry-After": "0"}),
        Answer(reset=True),
        Answer(body=b'["whole"]', cut=3),
    ],
    ids=["500", "503", "429", "reset", "cut"],
)
def test_what_may_pass_is_tried_again(fault: Answer) -> None:
    with serve(fault, fault, as_json(["whole"])) as service, client(service) as asking:
        assert asking.get_json("/x", a=1) == ["whole"]
    assert len(service.requests) == 3
    assert service.requests[0].query == {"a": "1"}


def test_after_the_last_attempt_the_error_says_what_failed() -> None:
    with (
        serve(Answer(status=502)) as service,
        client(service) as asking,
        pytest.raises(BackendError, match="after 3 attempts: status 502") as caught,
    ):
        asking.get("/x")
    assert len(service.requests) == 3
    assert caught.value.exit_code == 3


def test_nobody_there() -> None:
    with serve() as service:
        pass
    with client(service) as asking, pytest.raises(BackendError, match="after 3 attempts"):
        asking.get("/x")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_not_tried_again_and_is_explained(status: int) -> None:
    refusal = as_json({"error": "date\nmust be a \x1b[31mday"}, status=status)
    with (
        serve(refusal) as service,
        client(service) as asking,
        pytest.raises(Refused, match=rf"answered {status}: date must be a \[31mday") as caught,
    ):
        asking.get("/x")
    assert len(service.requests) == 1
    assert ("token" in caught.value.hint) == (status in (401, 403))
    assert "\x1b" not in str(caught.value)


def test_a_server_that_asks_for_more_than_is_obeyed_ends_the_call_at_once() -> None:
    with (
        serve(Answer(status=429, headers={"Retry-After": "3600"})) as service,
        client(service) as asking,
        pytest.raises(BackendError, match="in 3600 s") as caught,
    ):
        asking.get("/x")
    assert len(service.requests) == 1
    assert "60 minutes" in caught.value.hint


def test_an_exhausted_window_is_waited_for_before_the_next_request() -> None:
    last = Answer(headers={"RateLimit": '"api";r=0;t=9'})
    quick = Patience(attempts=1, obey_up_to=0.3, timeout=2.0)
    with serve(last, Answer()) as service, client(service, patience=quick) as asking:
        asking.get("/x")
        asking.get("/x")
    assert service.gaps()[0] >= 0.25  # not the nine seconds asked for: the wait has a cap


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(body=b"<!doctype html><p>maintenance"), "a web page"),
        (Answer(body=b'[{"id": 1}, {"id"'), "cut"),
        (gzipped([1] * 5000, keep=40), "cut"),
        (Answer(body=b"[" * 100_000), "damaged"),
        (Answer(body=b"[1" + b"0" * 10_000 + b"]"), "damaged"),
        (Answer(body=b"\xff\xfe"), "damaged"),
        (Answer(body=b""), "damaged"),
    ],
    ids=["html", "json", "gzip", "nesting", "digits", "bytes", "nothing"],
)
def test_a_good_status_with_a_bad_body_is_a_failure(answer: Answer, kind: str) -> None:
    with (
        serve(answer) as service,
        client(service) as asking,
        pytest.raises(BackendError, match="instead of JSON") as caught,
    ):
        asking.get_json("/x")
    assert kind in str(caught.value) and "\n" not in str(caught.value)


def test_the_limit_counts_what_comes_out_of_compression() -> None:
    bomb = gzipped("a" * (4 * 2**20))
    assert len(bomb.body) < 10_000
    with (
        serve(bomb) as service,
        client(service) as asking,
        pytest.raises(BackendError, match="more than 1 MB"),
    ):
        asking.get_json("/x")
    assert len(service.requests) == 1


def test_the_token_goes_to_its_host_and_not_along_with_a_redirect() -> None:
    with serve(as_json(["far"])) as far:
        elsewhere = Answer(
            status=302, headers={"Location": f"{far.endpoint.replace('127.0.0.1', 'localhost')}/y"}
        )
        with serve(elsewhere) as near, client(near, token="hf_secret") as asking:
            assert asking.get_json("/x") == ["far"]
    assert near.requests[0].headers["Authorization"] == "Bearer hf_secret"
    assert "Authorization" not in far.requests[0].headers
    assert far.requests[0].headers["User-Agent"].startswith("sulan/")


def test_redirects_without_end() -> None:
    with (
        serve(Answer(status=302, headers={"Location": "/x"})) as service,
        client(service) as asking,
        pytest.raises(BackendError, match="could not be asked"),
    ):
        asking.get("/x")
    assert len(service.requests) == 6


@pytest.mark.parametrize(
    "endpoint", ["", "huggingface.co", "ftp://h", "https://", "http://[::1", "file:///etc"]
)
def test_an_endpoint_that_is_none(endpoint: str) -> None:
    with pytest.raises(InputError, match="no address") as caught:
        Client(endpoint, variable="HF_ENDPOINT")
    assert "HF_ENDPOINT" in caught.value.hint


def test_a_token_that_would_break_a_header() -> None:
    with pytest.raises(InputError, match="token") as caught:
        Client("https://host", variable="HF_ENDPOINT", token="hf_a\r\nX: y")
    assert "hf_a" not in str(caught.value)


def test_requests_keep_their_distance() -> None:
    paced = Patience(attempts=3, interval=0.2, first_wait=0.0, jitter=0.0, timeout=2.0)
    with serve(Answer(status=500), Answer(), Answer()) as service, client(service, patience=paced) as asking:
        asking.get("/x")
        asking.get("/x")
    assert min(service.gaps()) >= 0.15  # a floor, not a speed; the clock of the other thread may lag a little
    assert len(service.gaps()) == 2
