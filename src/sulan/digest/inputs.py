"""Papers from a file or from stdin, whatever it holds: recognised by its content, never by its name.

Read are the Hub's JSON (array, one item, single papers), flat records, JSON Lines, an edition of ours,
arXiv Atom, BibTeX and plain lists of arXiv ids; each may be compressed with gzip or zstandard. A list of
ids, and an id among records, gives papers that have nothing but the id (`bare`): whoever reads them has to
ask a source for the rest, or to say that there is none.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sulan.digest import identifiers, records
from sulan.digest.paper import Paper
from sulan.digest.records import Listing, Unusable
from sulan.errors import InputError, MissingFile

_log = logging.getLogger(__name__)

MAX_BYTES = 64 * 2**20
"""Largest input, before and after decompression. The first year of the daily list takes 8 MB."""

_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_BIBTEX = re.compile(r"^[ \t]*@[A-Za-z]+[ \t]*[{(]", re.MULTILINE)
_KINDS = "JSON, JSON Lines, an edition, arXiv ids one a line, Atom or BibTeX"


def read(path: Path) -> tuple[Paper, ...]:
    """Return the papers of a file, one of each id, in its order.

    Parameters
    ----------
    path
        A file; `-` is stdin.

    Raises
    ------
    MissingFile
        There is no such file.
    InputError
        It is too large, damaged, cut, of no known kind, or no record in it can be used.
    """
    return read_listing(path).papers


def read_listing(path: Path) -> Listing:
    """Return the papers of a file with a line for each record that could not be used (see `read`)."""
    name = "stdin" if path == Path("-") else str(path)
    text = _text(_decompressed(_bytes(path, name), name), name)
    listing = _listing(text, name)
    for line in (*listing.skipped, *listing.remarks):
        _log.warning("%s: %s", name, line)
    if listing.skipped and not listing.papers:
        raise InputError(f"no paper in {name} can be used: {listing.skipped[0]}", hint=f"give {_KINDS}")
    return listing


def bare(papers: tuple[Paper, ...]) -> tuple[str, ...]:
    """Return the ids of those papers that have nothing but their id."""
    return tuple(paper.id for paper in papers if not paper.title)


def _bytes(path: Path, name: str) -> bytes:
    try:
        if path == Path("-"):
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise MissingFile(f"no file at {name}") from error
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from error
    return _within_limit(data, name)


def _decompressed(data: bytes, name: str) -> bytes:
    kind = next((kind for magic, kind in _COMPRESSED.items() if data.startswith(magic)), None)
    if kind is None:
        return data
    import pyarrow  # only here: it takes longer to import than most files to read

    try:
        with pyarrow.CompressedInputStream(pyarrow.BufferReader(data), kind) as stream:
            return _within_limit(stream.read(MAX_BYTES + 1), name)
    except OSError as error:
        raise InputError(f"{name} is damaged or cut {kind}: {error}") from error


def _within_limit(data: bytes, name: str) -> bytes:
    if len(data) > MAX_BYTES:
        raise InputError(f"{name} holds more than {MAX_BYTES // 2**20} MB", hint="split it by month")
    return data


def _text(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name} is not UTF-8: line {line}", hint="convert it with iconv") from error
    if not text.strip():
        raise InputError(f"{name} is empty", hint=f"give {_KINDS}")
    return text


def _listing(text: str, name: str) -> Listing:
    start = text.lstrip()[:1]
    if start == "<":
        return _atom(text, name)
    if start == "[":
        items = _json(text, name)
    elif start == "{":
        items = _objects(text, name)
    elif _BIBTEX.search(text):
        return _bibtex(text)
    else:
        items = list(_ids(text, name))
    return records.listing(items, source="file", ids=True)


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{name} is damaged or cut JSON: line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, nesting of thousands
        raise InputError(f"{name} is JSON that cannot be read: {error}") from error


def _objects(text: str, name: str) -> list[Any]:
    """Items of JSON Lines where the first line is a whole object, else of one object over many lines."""
    first, _, rest = text.lstrip().partition("\n")
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return _inside(_json(text, name))
    if not rest.strip():
        return _inside(_json(text, name))
    items = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                items.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"{name} is damaged or cut JSON Lines: line {number}",
                    hint="mend or delete that line",
                ) from error
    return items


def _inside(document: Any) -> list[Any]:
    """The items of one object: an edition's entries, a list under `papers`, or the object itself."""
    for key in ("entries", "papers"):
        if isinstance(document.get(key), list):
            return document[key]
    return [document]


def _ids(text: str, name: str) -> Iterator[str]:
    """The ids of a list, one a line; empty lines and what follows a # are left out."""
    for number, line in enumerate(text.splitlines(), start=1):
        word = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        if word and identifiers.parse(word) is None:
            raise InputError(
                f"{name} holds nothing that can be read as papers: line {number} is {word[:60]!a}",
                hint=f"give {_KINDS}",
            )
        if word:
            yield word


def _atom(text: str, name: str) -> Listing:
    from sulan.digest import arxiv  # only here: it brings the client of a service that a file does not need

    try:
        found, skipped, _ = arxiv.parse(text)
    except Unusable as error:
        raise InputError(f"{name} is {error}", hint=f"give {_KINDS}") from error
    papers: dict[str, Paper] = {}
    for record in found:
        papers.setdefault(record.id, arxiv.paper(record).model_copy(update={"source": "file"}))
    return Listing(papers=tuple(papers.values()), skipped=tuple(skipped))


def _bibtex(text: str) -> Listing:
    from sulan.digest import bibtex  # only here: its libraries serve nothing else

    entries = list(bibtex.records(text))
    listing = records.listing(
        [entry for entry in entries if not isinstance(entry, str)], source="file", place="entry"
    )
    broken = tuple(entry for entry in entries if isinstance(entry, str))
    return Listing(papers=listing.papers, skipped=broken + listing.skipped, remarks=listing.remarks)
