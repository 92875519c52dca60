"""Extraction of one unit of the input: a stage of `runs.shards`.

Whatever is wrong with a record costs that record and is counted, by reason: in = documents + sum of dropped. After
damage in a WARC the next record is looked for in the file, so a broken length or a flipped bit costs one record.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from sulan.corpus import sandbox, sources
from sulan.corpus.sandbox import Sandbox
from sulan.corpus.sources import Unit
from sulan.documents import convert, reader
from sulan.documents.convert import text_id
from sulan.documents.writer import Writer
from sulan.errors import InputError

DAMAGED = "damaged record"
TOO_LARGE = "larger than max_bytes"
NOT_A_PAGE = "not a page (status or media type)"
EMPTY = "no text"
BROKEN = "broken line"
REASONS = (DAMAGED, TOO_LARGE, NOT_A_PAGE, sandbox.TOO_LONG, sandbox.CRASHED, EMPTY, BROKEN)

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("url", pa.string()),
        ("source", pa.string()),
        ("title", pa.string()),
        ("charset", pa.string()),
        ("label", pa.string()),
    ]
)

_KINDS = WarcRecordType.response | WarcRecordType.conversion | WarcRecordType.resource
_MARKUP = re.compile(r"(text|application)/(html|xhtml\+xml|xml|plain)")
_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """How pages are extracted.

    Attributes
    ----------
    seconds
        CPU seconds that a page may take.
    max_bytes
        Longest page.
    label
        Regular expression whose first group, found in the URL, becomes the column `label`; empty: none.
    """

    seconds: float
    max_bytes: int
    label: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page as it was found."""

    url: str
    body: bytes
    mime: str
    charset: str | None


def extract_unit(unit: Unit, folder: Path, *, how: Extraction) -> dict[str, int]:
    """Write the documents of one unit as a corpus; return how many records there were, and became what."""
    counted: Counter[str] = Counter({"records": 0, "documents": 0, **dict.fromkeys(REASONS, 0)})
    if unit.kind == "records":
        _records(unit, folder, how, counted)
        return dict(counted)
    found = _archive(unit, how) if unit.kind == "warc" else _files(unit, how)
    label = re.compile(how.label) if how.label else None
    with Sandbox(seconds=how.seconds) as child, Writer(folder, schema=SCHEMA) as writer:
        rows: list[dict[str, Any]] = []
        for page in found:
            counted["records"] += 1
            if isinstance(page, str):
                counted[page] += 1
                continue
            read = child.read(page.body, mime=page.mime, charset=page.charset)
            reason = read.get("failed") or ("" if read["text"] else EMPTY)
            if reason:
                counted[reason] += 1
                continue
            rows.append(_row(page, read, Path(unit.root).name, label))
            if len(rows) == _BATCH:
                writer.write(pa.Table.from_pylist(rows, SCHEMA))
                rows.clear()
        writer.write(pa.Table.from_pylist(rows, SCHEMA))
    counted["documents"] = writer.documents
    return dict(counted)


def _row(page: Page, read: Any, source: str, label: re.Pattern[str] | None) -> dict[str, Any]:
    found = label.search(page.url) if label else None
    return {
        # With the URL, because two pages of one text are two documents until they are deduplicated.
        "id": text_id(f"{page.url}\0{read['text']}"),
        "text": read["text"],
        "url": page.url,
        "source": source,
        "title": read["title"],
        "charset": read["charset"],
        "label": found[1] if found else None,
    }


def _archive(unit: Unit, how: Extraction) -> Iterator[Page | str]:
    """Yield the pages of a range of a WARC, or why a record is none."""
    path, position = Path(unit.root), unit.start
    seekable = sources.is_gzip(path)
    with path.open("rb") as stream:
        while position < unit.stop:
            stream.seek(position)
            damaged = False
            records = ArchiveIterator(stream, record_types=_KINDS, auto_decode="all")
            while not damaged:
                try:
                    record = next(records)
                    position = record.stream_pos
                    if seekable and position >= unit.stop:
                        return
                    page = _page(record, how)
                except StopIteration:
                    return
                except (OSError, ValueError):
                    page = DAMAGED
                damaged = page == DAMAGED
                yield page
            if not seekable:
                return
            position = sources.next_record(stream, position + 1, unit.stop)


def _page(record: WarcRecord, how: Extraction) -> Page | str:
    url = record.headers.get("WARC-Target-URI")
    if not url:
        return DAMAGED
    if record.content_length > how.max_bytes:
        return TOO_LARGE
    length = record.content_length
    body = record.reader.read(how.max_bytes + 1)
    if len(body) > how.max_bytes:  # a small record may decode to a large page
        return TOO_LARGE
    if len(body) < length and not (record.http_headers or {}).get("Content-Encoding"):
        return DAMAGED
    if record.record_type == WarcRecordType.conversion:
        return Page(url=url, body=body, mime="text/plain", charset="utf-8")
    status = record.http_headers.status_code if record.http_headers else 200
    mime = record.http_content_type or (record.headers.get("Content-Type") or "").partition(";")[0]
    if status != 200 or not _MARKUP.fullmatch(mime.strip().lower()):
        return NOT_A_PAGE
    return Page(url=url, body=body, mime=mime.strip().lower(), charset=record.http_charset)


def _files(unit: Unit, how: Extraction) -> Iterator[Page | str]:
    for name in unit.names:
        path = Path(unit.root) / name
        if path.stat().st_size > how.max_bytes:
            yield TOO_LARGE
        else:
            yield Page(url=name, body=path.read_bytes(), mime="text/html", charset=None)


def _records(unit: Unit, folder: Path, how: Extraction, counted: Counter[str]) -> None:
    """Read one file of records; those with ids keep them, fields of fixed meaning come along."""
    from sulan.corpus.charsets import clean

    aside = folder / "converted"
    try:
        made = convert.convert(
            Path(unit.root), aside, errors="replace", max_document=how.max_bytes, max_errors=1 << 40
        )
    except InputError as error:
        if "no document" not in str(error):
            raise
        counted["records"] += 1  # the file, of which nothing could be read
        counted[BROKEN] += 1
        with Writer(folder, schema=SCHEMA):
            return
    counted["records"] = made.documents + sum(made.skipped.values())
    counted[BROKEN] = sum(made.skipped.values())
    present = [name for name in made.columns if name in (*SCHEMA.names, "lang")]
    with Writer(folder, schema=SCHEMA) as writer:
        for batch in reader.batches(aside, present):
            rows = batch.to_pylist()
            for row in rows:
                row["text"] = clean(row["text"])
                row["source"] = row.get("source") or Path(unit.root).name
                row["label"] = row.pop("lang", None)  # what the file claims
            kept = [row for row in rows if row["text"]]
            counted[EMPTY] += len(rows) - len(kept)
            writer.write(pa.Table.from_pylist(kept, SCHEMA))
    counted["documents"] = writer.documents
    for path in aside.iterdir():
        path.unlink()
    aside.rmdir()
