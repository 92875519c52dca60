"""Words of the command line that stand for numbers."""

import re

from sulan.errors import InputError

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def shard(text: str) -> tuple[int, int]:
    """Return which part of how many `i/n` means.

    Examples
    --------
    >>> shard("2/8")
    (2, 8)
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"no shard {text!r}", hint="i/n with i from 1 to n, such as 2/8")
    return int(found[1]), int(found[2])


def size(text: str) -> int:
    """Return the bytes that a number with k, m or g means.

    Examples
    --------
    >>> size("512m"), size("1.5g")
    (536870912, 1610612736)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmg]?)b?", text.strip().lower())
    if not found:
        raise InputError(f"no size {text!r}", hint="bytes, or a number with k, m or g, such as 4g")
    return int(float(found[1]) * _UNITS[found[2]])


def neuron(text: str) -> tuple[int, int]:
    """Return layer and neuron of `L.N`; `L5N123`, as dashboards write it, is understood too.

    Examples
    --------
    >>> neuron("5.123"), neuron("L5N123")
    ((5, 123), (5, 123))
    """
    found = re.fullmatch(r"L?(\d+)[.N](\d+)", text, re.IGNORECASE)
    if not found:
        raise InputError(f"no neuron {text!r}", hint="layer.neuron, both from 0, such as 5.123")
    return int(found[1]), int(found[2])
