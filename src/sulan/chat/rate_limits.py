"""How long a server asks to wait: the headers Retry-After and RateLimit, in the forms that are in use."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return the seconds of `Retry-After`, which holds seconds or an HTTP date; None when absent or
    unreadable.

    Parameters
    ----------
    headers
        Response headers, looked up without regard to case by the mapping itself.
    now
        The time that a date is compared with, with its time zone.

    Examples
    --------
    >>> from datetime import UTC
    >>> now = datetime(2023, 9, 12, tzinfo=UTC)
    >>> retry_after({"retry-after": "Tue, 12 Sep 2023 00:01:00 GMT"}, now=now)
    60.0
    """
    value = headers.get("retry-after", "").strip()
    if (seconds := _seconds(value)) is not None:
        return seconds
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:  # "-0000": the zone is not known; HTTP dates are in UTC
        date = date.replace(tzinfo=now.tzinfo)
    return max((date - now).total_seconds(), 0.0)


def exhausted_for(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until a used-up quota is renewed; None while something is left of every quota.

    Reads `RateLimit: "policy";r=0;t=30`, one item a policy, and the older `limit=100, remaining=0, reset=30`.

    Examples
    --------
    >>> exhausted_for({"ratelimit": '"burst";r=0;t=4, "day";r=211;t=3600'})
    4.0
    """
    value = headers.get("ratelimit", "")
    waits = [0.0]
    for item in [value.replace(",", ";")] if "remaining=" in value else value.split(","):
        pairs = (part.strip().partition("=") for part in item.split(";"))
        parameters = {name.strip(): text.strip() for name, _, text in pairs}
        left = _seconds(parameters.get("r", parameters.get("remaining", "")))
        wait = _seconds(parameters.get("t", parameters.get("reset", "")))
        if left == 0 and wait is not None:
            waits.append(wait)
    return max(waits) or None


def _seconds(text: str) -> float | None:
    digits = text.replace(".", "", 1)
    return float(text) if digits.isascii() and digits.isdigit() and len(text) <= 12 else None
