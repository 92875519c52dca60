"""Small real things: WARC records, corpora, and corpora that are identified without an identifier."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from sulan.corpus import columns
from sulan.corpus.sentences import Texts, split
from sulan.documents import writer


def record(url: str, body: bytes, *, mime: str = "text/html", extra: int = 0, status: int = 200) -> bytes:
    """One gzipped WARC response; `extra` falsifies its Content-Length."""
    http = f"HTTP/1.1 {status} X\r\nContent-Type: {mime}\r\n\r\n".encode() + body
    header = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <{url}>\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
        f"WARC-Target-URI: {url}\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(http) + extra}\r\n\r\n"
    )
    return gzip.compress(header.encode() + http + b"\r\n\r\n", mtime=0)


def page(text: str) -> bytes:
    return f"<html><body><main><p>{text}</p></main></body></html>".encode()


def corpus(folder: Path, texts: Sequence[str], *, ids: Sequence[str] | None = None, parts: int = 1) -> Path:
    """A corpus in as many parts as asked for."""
    table = pa.table(
        {
            "id": pa.array(ids or [f"document-{number}" for number in range(len(texts))], pa.string()),
            "text": pa.array(texts, pa.large_string()),
        }
    )
    return written(folder, table, parts=parts)


def identified(
    folder: Path,
    texts: Sequence[str],
    *,
    langs: Sequence[str] | None = None,
    other: Sequence[Sequence[int]] | None = None,
    ids: Sequence[str] | None = None,
    parts: int = 1,
) -> Path:
    """A corpus as `identify` leaves it: all sentences in their document's language, but those in `other`."""
    array = pa.array(texts, pa.large_string())
    found = split(Texts.of(array))
    langs = langs or ["en"] * len(texts)
    said = [langs[owner] for owner in found.owner()]
    for document, numbers in enumerate(other or []):
        for number in numbers:
            said[found.first[document] + number] = "xx"
    table = pa.table(
        {
            "id": pa.array(ids or [f"document-{number}" for number in range(len(texts))], pa.string()),
            "text": array,
            columns.LANG: pa.array(langs, pa.string()),
            **columns.boundaries(found, Texts.of(array)),
            columns.SENTENCE_LANGS: columns.lists(pa.array(said, pa.string()), found.first, columns.LABELS),
        }
    )
    return written(folder, table, parts=parts)


def written(folder: Path, table: pa.Table, *, parts: int) -> Path:
    rows = -(-len(table) // parts) if len(table) else 1
    with writer.Writer(folder, schema=table.schema, part_rows=rows) as writing:
        writing.write(table)
    return folder
