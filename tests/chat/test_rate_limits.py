"""The headers by which servers ask to wait."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sulan.chat.rate_limits import exhausted_for, retry_after

NOW = datetime(2023, 9, 12, 8, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("1.5", 1.5),
        ("Tue, 12 Sep 2023 08:00:30 GMT", 30.0),
        ("Tue, 12 Sep 2023 07:00:00 GMT", 0.0),
        ("Tue, 12 Sep 2023 08:00:30 -0000", 30.0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, now=NOW) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ('"api";r=0;t=42', 42.0),
        ('"api";r=3;t=42', None),
        ('"burst";r=0;t=4, "day";r=0;t=90', 90.0),
        ("limit=100, remaining=0, reset=30", 30.0),
        ("limit=100, remaining=1, reset=30", None),
        ("r=0", None),
        ("", None),
    ],
)
def test_ratelimit(value: str, seconds: float | None) -> None:
    assert exhausted_for({"ratelimit": value}) == seconds


@given(st.text(max_size=60))
def test_no_header_is_too_odd(value: str) -> None:
    for seconds in (retry_after({"retry-after": value}, now=NOW), exhausted_for({"ratelimit": value})):
        assert seconds is None or seconds >= 0
