"""Sentence pairs: JSON Lines or Parquet with `text`, `translation`, `source_lang` and `target_lang`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sulan.corpus import samples
from sulan.documents import convert, reader
from sulan.errors import InputError

FIELDS = {
    "text": "text",
    "translation": "translation",
    "source_lang": "source_lang",
    "target_lang": "target_lang",
}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A sentence and its translation."""

    id: str
    text: str
    translation: str
    source_lang: str
    target_lang: str

    @property
    def direction(self) -> str:
        """Both languages, `en-es`."""
        return f"{self.source_lang}-{self.target_lang}"


def read(paths: Sequence[Path]) -> list[Pair]:
    """Read files and corpora of pairs; those without text on either side are left out.

    Raises
    ------
    MissingFile
        A path does not exist.
    InputError
        A field is missing, or there is no pair.
    """
    found = []
    for path in paths:
        with TemporaryDirectory() as folder:
            place = Path(folder) / "pairs"
            convert.convert(samples.pairs(path), place, columns=FIELDS, errors="skip")
            for batch in reader.batches(place, ["id", *FIELDS]):
                found += [Pair(**row) for row in batch.to_pylist()]
    good = [pair for pair in found if pair.text.strip() and pair.translation.strip()]
    if not good:
        raise InputError(f"no sentence pairs in {', '.join(map(str, paths))}")
    return good
