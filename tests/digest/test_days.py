from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sulan.digest import days
from sulan.errors import InputError

NOW = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2023-9-12",
        "2023-09-12 ",
        " 2023-09-12",
        "20230912",
        "2023-09-12T00:00",
        "２０２３-09-12",
        "",
        "yesterday",
    ],
)
def test_only_the_strict_form_is_a_day(text: str) -> None:
    with pytest.raises(InputError, match="is not a day") as caught:
        days.parse(text, now=NOW)
    assert "2023-09-12" in caught.value.hint


@pytest.mark.parametrize("text", ["2023-02-29", "2023-13-01", "2023-00-10", "2023-04-31", "0000-01-01"])
def test_a_day_that_the_calendar_lacks(text: str) -> None:
    with pytest.raises(InputError, match="not in the calendar"):
        days.parse(text, now=NOW)


def test_the_first_day_today_and_the_days_beyond() -> None:
    assert days.parse("2023-05-04", now=NOW) == date(2023, 5, 4)
    assert days.parse("2026-03-10", now=NOW) == NOW.date()
    with pytest.raises(InputError, match="future"):
        days.parse("2026-03-11", now=NOW)
    with pytest.raises(InputError, match="too early") as caught:
        days.parse("2023-05-03", now=NOW)
    assert "2023-05-04" in caught.value.hint


def test_today_is_todays_date_in_utc_wherever_the_clock_stands() -> None:
    morning_in_shanghai = datetime(2026, 3, 11, 7, 0, tzinfo=timezone(timedelta(hours=8)))
    with pytest.raises(InputError, match="future"):
        days.parse("2026-03-11", now=morning_in_shanghai)


def test_a_leap_day_and_a_year_end_lie_in_their_ranges() -> None:
    assert days.expand("2024-02-28", until="2024-03-01", now=NOW) == (
        date(2024, 2, 28),
        date(2024, 2, 29),
        date(2024, 3, 1),
    )
    assert [day.year for day in days.expand("2024-12-31", until="2025-01-01", now=NOW)] == [2024, 2025]
    assert len(days.expand("2024-02", now=NOW)) == 29
    assert days.expand("2024-12", now=NOW)[-1] == date(2024, 12, 31)


def test_iso_weeks_at_the_turn_of_the_year() -> None:
    # 2020 and 2026 are the long years around here (ISO 8601: a year that starts on a Thursday has 53 weeks).
    late = datetime(2027, 6, 1, tzinfo=UTC)
    week = days.expand("2026-W53", now=late)
    assert (week[0], week[-1]) == (date(2026, 12, 28), date(2027, 1, 3))
    assert days.expand("2025-W01", now=late)[0] == date(2024, 12, 30)
    with pytest.raises(InputError, match="not in the calendar"):
        days.expand("2025-W53", now=late)
    with pytest.raises(InputError, match="not in the calendar"):
        days.expand("2025-W00", now=late)


def test_weeks_and_months_are_cut_to_the_days_that_can_be() -> None:
    assert days.expand("2026-W11", now=NOW) == (date(2026, 3, 9), date(2026, 3, 10))
    assert days.expand("2023-05", now=NOW)[0] == days.FIRST_DAY
    for text in ("2026-W12", "2026-04"):
        with pytest.raises(InputError, match="future"):
            days.expand(text, now=NOW)
    for text in ("2023-04", "2023-W01"):
        with pytest.raises(InputError, match="too early"):
            days.expand(text, now=NOW)


def test_a_range_that_runs_backwards() -> None:
    with pytest.raises(InputError, match="comes before"):
        days.expand("2024-01-02", until="2024-01-01", now=NOW)


@given(st.dates(days.FIRST_DAY, NOW.date()), st.dates(days.FIRST_DAY, NOW.date()))
def test_a_range_has_every_day_once_and_in_order(one: date, other: date) -> None:
    first, last = sorted((one, other))
    found = days.expand(first.isoformat(), until=last.isoformat(), now=NOW)
    assert len(found) == (last - first).days + 1
    assert (found[0], found[-1]) == (first, last)
    assert all(b - a == timedelta(days=1) for a, b in pairwise(found))


@given(st.dates(date(2023, 5, 8), date(2026, 3, 1)))
def test_every_day_is_in_its_own_week_and_month(day: date) -> None:
    year, week, _ = day.isocalendar()
    assert day in days.expand(f"{year}-W{week:02}", now=NOW)
    assert day in days.expand(f"{day:%Y-%m}", now=NOW)


@given(st.text(max_size=30))
def test_any_text_is_a_day_or_one_clear_line(text: str) -> None:
    try:
        assert days.expand(text, now=NOW)
    except InputError as error:
        assert "\n" not in error.message and error.message.isascii()


@given(st.dates(days.FIRST_DAY, date(2026, 1, 1)), st.timedeltas(timedelta(0), timedelta(days=30)))
def test_a_day_closes_once_at_noon_two_days_later(day: date, after: timedelta) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert days.is_open(day, start + after) == (after < timedelta(days=2, hours=12))
