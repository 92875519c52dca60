"""What is in a corpus, by language: counts that need one pass and no memory but the counters."""

import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sulan.corpus import columns
from sulan.corpus.sentences import Texts, measure, split
from sulan.documents import reader


@dataclass(kw_only=True)
class Row:
    """Counts of one language."""

    documents: int = 0
    sentences: int = 0
    words: int = 0
    characters: int = 0


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """Counts by language."""

    rows: dict[str, Row]

    def ordered(self) -> list[tuple[str, Row]]:
        """Return the languages, most documents first."""
        return sorted(self.rows.items(), key=lambda each: (-each[1].documents, each[0]))

    def totals(self) -> dict[str, int]:
        """Return sums over languages, and the median language's counts."""
        rows = self.rows.values()
        names = ("documents", "sentences", "words", "characters")
        return {
            "languages": len(self.rows),
            **{name: sum(getattr(row, name) for row in rows) for name in names},
            **{
                f"{name} of the median language": int(
                    statistics.median([getattr(row, name) for row in rows] or [0])
                )
                for name in names[:3]
            },
        }


def take(corpus: Path, *, column: str) -> Inventory:
    """Count a corpus; sentences are those that were found before, or found now."""
    present = reader.schema(corpus).names
    stored = [columns.STARTS, columns.ENDS] if columns.STARTS in present else []
    rows: dict[str, Row] = {}
    hint = "sulan corpus identify adds lang; or name another column"
    for batch in reader.batches(corpus, ["text", column, *stored], hint=hint):
        texts = Texts.of(batch.column("text"))
        found = columns.sentences(batch, texts) if stored else split(texts)
        measures = measure(texts, found)
        owner = found.owner()
        languages = batch.column(column).fill_null("").dictionary_encode()
        codes = languages.indices.to_numpy()
        for code, name in enumerate(languages.dictionary.to_pylist()):
            own = codes == code
            inside = own[owner]
            row = rows.setdefault(name or "none", Row())
            row.documents += int(own.sum())
            row.sentences += int(inside.sum())
            row.words += int(np.sum(measures.words[inside]))
            row.characters += int(np.sum(measures.characters[inside]))
    return Inventory(rows=rows)


def documents(corpus: Path, *, column: str) -> dict[str, int]:
    """Return how many documents each language has; a document without one counts for "" ."""
    values = reader.columns(corpus, [column])[column].fill_null("")
    return {pair["values"]: pair["counts"] for pair in values.value_counts().to_pylist()}
