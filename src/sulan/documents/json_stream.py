"""JSON values out of a stream of text, one at a time: memory is that of one value, not of the file.

Not covered: JSON Lines, where a line is a value (`streams.blocks`), and going on after an error: in an array
nothing tells where the next element starts.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sulan.errors import InputError

_PIECE = 1 << 20


def values(stream: Iterable[str], *, limit: int) -> Iterator[tuple[int, Any]]:
    """Yield the elements of a JSON array, or JSON values one after another, each with its line.

    Parameters
    ----------
    stream
        The file's text in pieces.
    limit
        Characters of one element; memory is bounded by twice that.

    Raises
    ------
    InputError
        The text is not JSON, ends early, or an element is longer than `limit`.

    Examples
    --------
    >>> list(values(['[{"a": ', '1},', ' {"a": 2}]'], limit=100))
    [(1, {'a': 1}), (1, {'a': 2})]
    """
    decoder, source = json.JSONDecoder(), iter(stream)
    text, place, line = "", 0, 1
    array: bool | None = None  # not known yet
    after_value = closed = False
    while True:
        end = place
        while end < len(text) and text[end] in " \t\r\n":
            end += 1
        line, place = line + text.count("\n", place, end), end
        if place == len(text):
            text, place = next(source, ""), 0
            if not text:
                break
            continue
        mark = text[place]
        if array is None:
            array = mark == "["
            place += array
        elif closed:
            raise InputError(f"line {line}: something follows the end of the array")
        elif array and mark == "]":
            closed, place = True, place + 1
        elif array and after_value:
            if mark != ",":
                raise InputError(f"line {line}: an array element is followed by {mark!r}")
            after_value, place = False, place + 1
        else:
            start, wanted = place, _PIECE
            while True:
                try:
                    value, place = decoder.raw_decode(text, start)
                    break
                except RecursionError as error:
                    raise InputError(f"line {line}: nested too deeply") from error
                except json.JSONDecodeError as error:
                    more = _more(source, wanted)
                    if not more or len(text) - start > limit:
                        why = "an element is too long" if more else f"broken JSON: {error.msg}"
                        at = line + (0 if more else text.count("\n", start, error.pos))
                        raise InputError(f"line {at}: {why}") from error
                    text, start = text[start:] + more, 0
                    wanted = len(text)  # doubling keeps the retries linear
            yield line, value
            line, after_value = line + text.count("\n", start, place), array
    if array and not closed:
        raise InputError(f"line {line}: the array is not closed: the file is cut off")


def _more(source: Iterator[str], wanted: int) -> str:
    taken: list[str] = []
    size = 0
    while size < wanted and (piece := next(source, "")):
        taken.append(piece)
        size += len(piece)
    return "".join(taken)
