"""Days of the daily list: parsing what a user types, ranges, and when a day can no longer grow.

Every day here is a day in UTC, as the Hub counts them. Nothing here reads a clock except `clock`, which the
verbs call once; everything else is given `now`.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile

from sulan.errors import InputError

FIRST_DAY = date(2023, 5, 4)
"""The first day of the Hub's daily list."""

GROWS_FOR = timedelta(hours=36)
"""How long after its last second a day may still grow: papers are added and moved late, from every time zone.
No source says how late; 36 hours cover the next working day everywhere."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_HINT = "write a day as 2023-09-12, an ISO week as 2023-W37 or a month as 2023-09"


def clock() -> datetime:
    """Return the present time in UTC: the one place where the digest's verbs ask for it."""
    return datetime.now(UTC)


def parse(text: str, *, now: datetime, first: date = FIRST_DAY) -> date:
    """Return the day that `text` names, strictly `YYYY-MM-DD`.

    Parameters
    ----------
    text
        What the user typed.
    now
        The present time, with its zone.
    first
        The earliest day that makes sense; default: where the Hub's list starts.

    Raises
    ------
    InputError
        It is not a day, lies in the future, or before `first`.

    Examples
    --------
    >>> parse("2024-02-29", now=datetime(2026, 1, 1, tzinfo=UTC))
    datetime.date(2024, 2, 29)
    """
    if not _DAY.fullmatch(text):
        raise InputError(f"{_shown(text)} is not a day", hint=_HINT)
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text} is not in the calendar", hint=_HINT) from error
    _check(day, day, text, now=now, first=first)
    return day


def expand(
    since: str, *, until: str | None = None, now: datetime, first: date = FIRST_DAY
) -> tuple[date, ...]:
    """Return the days that the user's words name, in order.

    Parameters
    ----------
    since
        A day, an ISO week (`2023-W37`) or a month (`2023-09`). A week or month that has begun but not ended
        gives its days up to today; one in which the list starts gives its days from `first`.
    until
        The same for the other end; its last day is the last one returned.
    now, first
        As for `parse`.

    Raises
    ------
    InputError
        Either is none of these, lies wholly in the future or before `first`, or `until` comes before `since`.

    Examples
    --------
    >>> [day.day for day in expand("2023-W37", now=datetime(2024, 1, 1, tzinfo=UTC))]
    [11, 12, 13, 14, 15, 16, 17]
    """
    start, end = _span(since, now=now, first=first)
    if until is not None:
        end = _span(until, now=now, first=first)[1]
        if end < start:
            raise InputError(
                f"{_shown(until)} comes before {_shown(since)}", hint="the earlier one goes first"
            )
    return tuple(between(start, end))


def between(start: date, end: date) -> Iterator[date]:
    """Yield every day from `start` to `end`, both included."""
    return takewhile(
        lambda day: day <= end, (start + timedelta(days=n) for n in range((end - start).days + 1))
    )


def is_open(day: date, now: datetime) -> bool:
    """Tell whether the list of `day` may still grow at `now`.

    A day is open until exactly `GROWS_FOR` after its end, that is until 12:00 UTC two days later; from that
    instant on it is complete. A list fetched while its day was open has to be fetched once more.

    Examples
    --------
    >>> is_open(date(2023, 9, 12), datetime(2023, 9, 14, 11, 59, 59, tzinfo=UTC))
    True
    >>> is_open(date(2023, 9, 12), datetime(2023, 9, 14, 12, 0, 0, tzinfo=UTC))
    False
    """
    end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return now < end + GROWS_FOR


def _span(text: str, *, now: datetime, first: date) -> tuple[date, date]:
    """First and last day that one word names, cut to those that the list can have."""
    try:
        if week := _WEEK.fullmatch(text):
            start = date.fromisocalendar(int(week[1]), int(week[2]), 1)
            end = start + timedelta(days=6)
        elif month := _MONTH.fullmatch(text):
            start = date(int(month[1]), int(month[2]), 1)
            end = (start + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        else:
            start = end = parse(text, now=now, first=first)
    except InputError:
        raise
    except (ValueError, OverflowError) as error:  # week 53 of a year with 52, month 13, year 0, year 9999
        raise InputError(f"{text} is not in the calendar", hint=_HINT) from error
    _check(start, end, text, now=now, first=first)
    return max(start, first), min(end, now.astimezone(UTC).date())


def _check(start: date, end: date, text: str, *, now: datetime, first: date) -> None:
    today = now.astimezone(UTC).date()
    if start > today:
        raise InputError(f"{text} lies in the future", hint=f"today is {today} in UTC")
    if end < first:
        raise InputError(f"{text} is too early", hint=f"the list starts on {first}")


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 40 else f"{text[:40]}...")
