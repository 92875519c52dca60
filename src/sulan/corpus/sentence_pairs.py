"""Sentences of a corpus with their translations, as a corpus of pairs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from sulan.corpus import columns, guards
from sulan.corpus.codes import spelled
from sulan.corpus.identifiers import Identifier, wholes
from sulan.corpus.judging import strings
from sulan.corpus.sentences import Texts, split
from sulan.corpus.translator import Translator
from sulan.documents import reader

ROUND_TRIP = "round trip"

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("translation", pa.string()),
        ("source_lang", pa.string()),
        ("target_lang", pa.string()),
        ("fails", pa.list_(pa.string())),
        ("document", pa.string()),
    ]
)


def sentences(corpus: Path, *, column: str, without: str, limit: int) -> list[dict[str, Any]]:
    """Return sentences of documents that are not in the language `without`, in order, at most `limit`."""
    present = reader.schema(corpus).names
    stored = [columns.STARTS, columns.ENDS] if columns.STARTS in present else []
    rows: list[dict[str, Any]] = []
    for batch in reader.batches(corpus, ["id", "text", column, *stored]):
        texts = Texts.of(batch.column("text"))
        found = columns.sentences(batch, texts) if stored else split(texts)
        said = strings(texts, found).to_pylist()
        ids, languages = batch.column("id").to_pylist(), batch.column(column).to_pylist()
        for place, owner in enumerate(found.owner().tolist()):
            if languages[owner] and spelled(languages[owner]) != spelled(without):
                rows.append(
                    {
                        "id": f"{ids[owner]}-{place - int(found.first[owner])}",
                        "text": said[place],
                        "source_lang": spelled(languages[owner]),
                        "document": ids[owner],
                    }
                )
                if len(rows) == limit:
                    return rows
    return rows


def translated(
    rows: Sequence[Mapping[str, Any]], model: Translator, tells: Identifier, *, to: str, beams: int
) -> list[dict[str, Any]]:
    """Return rows with translation, target language and the guards that it fails."""
    outputs = model.translate([row["text"] for row in rows], to, beams=beams)
    codes = wholes(tells, Texts.of(pa.array(outputs, pa.large_string())))
    return [
        {
            **row,
            "translation": output,
            "target_lang": to,
            "fails": guards.fails(row["text"], output, told=tells.labels[code], wanted=spelled(to)),
        }
        for row, output, code in zip(rows, outputs, codes, strict=True)
    ]


def back_translated(
    rows: Sequence[Mapping[str, Any]], model: Translator, *, beams: int
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Return the pairs that pass all filters, turned round, and how many fail the round trip alone."""
    good = [row for row in rows if not row["fails"]]
    kept, counted = [], Counter[str]()
    for language in sorted({row["source_lang"] for row in good}):
        own = [row for row in good if row["source_lang"] == language]
        returned = model.translate([row["translation"] for row in own], language, beams=beams)
        for row, back in zip(own, returned, strict=True):
            if guards.chrf(back, row["text"]) < guards.ROUND_TRIP:
                counted[ROUND_TRIP] += 1
            else:
                kept.append(
                    {
                        **row,
                        "text": row["translation"],
                        "translation": row["text"],
                        "source_lang": row["target_lang"],
                        "target_lang": row["source_lang"],
                    }
                )
    return kept, counted


def table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as a table."""
    return pa.Table.from_pylist([dict(row) for row in rows], SCHEMA)
