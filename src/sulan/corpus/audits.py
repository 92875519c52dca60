"""An audit's files: labels of sampled documents and verdicts on languages, as CSV that people can edit.

Labels come from auditors, often of languages that they do not read, so there are few of them and they are fixed.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from sulan.errors import InputError, MissingFile
from sulan.runs import outputs

Label = Literal["ok", "bible", "jw", "noisy", "porn", "boilerplate", "wrong-language", "remap"]
LABELS: tuple[Label, ...] = get_args(Label)
"""Codes of the paper's notes. `bible` and `jw` are good text of one kind; `remap` is another language's code."""

BAD: frozenset[str] = frozenset({"noisy", "porn", "boilerplate", "wrong-language"})

Verdict = Literal["keep", "drop", "rename", "merge"]

LABELS_FILE, VERDICTS_FILE = "labels.csv", "verdicts.csv"

Row = TypeVar("Row", bound="LabelRow | VerdictRow")


@dataclass(frozen=True, kw_only=True)
class LabelRow:
    """One document's label. `to` is the language that it is really in, where the auditor knows."""

    id: str
    language: str
    label: str
    to: str = ""
    note: str = ""
    auditor: str = ""
    round: str = "1"


@dataclass(frozen=True, kw_only=True)
class VerdictRow:
    """What becomes of a language; `to` is its new name, or the language that it is merged into."""

    language: str
    verdict: str
    to: str = ""
    documents: int = 0
    labelled: int = 0
    bad: float = 0.0
    reason: str = ""


def written(rows: Iterable[LabelRow | VerdictRow], kind: type[Any]) -> str:
    """Return rows as CSV."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [field.name for field in fields(kind)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return stream.getvalue()


def write_labels(path: Path, rows: Iterable[LabelRow]) -> None:
    """Write labels."""
    outputs.write_text(path, written(rows, LabelRow))


def write_verdicts(path: Path, rows: Iterable[VerdictRow]) -> None:
    """Write verdicts."""
    outputs.write_text(path, written(rows, VerdictRow))


def read_labels(path: Path) -> list[LabelRow]:
    """Read labels; rows without one are left out.

    Raises
    ------
    MissingFile
        There is no such file.
    InputError
        It has other columns, or a label that there is not.
    """
    rows = []
    for number, row in _rows(path, LABELS_FILE, ("id", "language", "label")):
        label = row["label"].strip().lower()
        if not label:
            continue
        if label not in LABELS:
            raise InputError(f"{path}:{number}: no label {label!r}", hint=", ".join(LABELS))
        rows.append(LabelRow(**(row | {"label": label})))
    return rows


def read_verdicts(path: Path) -> dict[str, VerdictRow]:
    """Read verdicts by language; see `read_labels`."""
    found = {}
    for number, row in _rows(path, VERDICTS_FILE, ("language", "verdict")):
        verdict = row["verdict"].strip().lower()
        if verdict not in get_args(Verdict):
            raise InputError(f"{path}:{number}: no verdict {verdict!r}", hint=", ".join(get_args(Verdict)))
        if verdict in ("rename", "merge") and not row.get("to"):
            raise InputError(f"{path}:{number}: {verdict} needs a language in the column `to`")
        found[row["language"]] = VerdictRow(language=row["language"], verdict=verdict, to=row.get("to", ""))
    return found


def verdicts(
    labels: Sequence[LabelRow], documents: Mapping[str, int], *, noise: float, fewest: int
) -> list[VerdictRow]:
    """Return what becomes of every language.

    Parameters
    ----------
    labels
        Labels of all auditors; each counts.
    documents
        Documents of every language in the corpus.
    noise
        A language with a larger share of bad labels is dropped; where most of the labels say that it is one other
        language, it is renamed, or merged where the corpus has that language.
    fewest
        A language of so many documents or fewer is dropped.
    """
    rows = []
    for language in sorted(documents):
        own = [row for row in labels if row.language == language]
        count = len(own)
        bad = sum(row.label in BAD for row in own) / max(count, 1)
        targets = Counter(row.to for row in own if row.label == "remap" and row.to)
        target, votes = max(targets.items(), key=lambda each: (each[1], each[0])) if targets else ("", 0)
        verdict: Verdict = "keep"
        reason, to = f"{100 * bad:.0f} % bad of {count} labels", ""
        if documents[language] <= fewest:
            verdict, reason = "drop", f"{documents[language]} documents"
        elif not count:
            verdict, reason = "drop", "nobody looked at it"
        elif votes > count * noise:
            verdict, to = "merge" if target in documents else "rename", target
            reason = f"{votes} of {count} labels say {target}"
        elif bad > noise:
            verdict = "drop"
        rows.append(
            VerdictRow(
                language=language,
                verdict=verdict,
                to=to,
                documents=documents[language],
                labelled=count,
                bad=round(bad, 4),
                reason=reason,
            )
        )
    return rows


def _rows(path: Path, name: str, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    path = path / name if path.is_dir() else path
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
        known = {field.name for field in fields(LabelRow)} | {field.name for field in fields(VerdictRow)}
        absent = [column for column in needed if column not in (reader.fieldnames or [])]
        if absent:
            raise InputError(f"{path} has no column {absent[0]}", hint=f"it needs {', '.join(needed)}")
        return [
            (number, {key: value or "" for key, value in row.items() if key in known})
            for number, row in enumerate(reader, 2)
        ]
    except FileNotFoundError as error:
        raise MissingFile(f"no file at {path}") from error
    except (UnicodeDecodeError, csv.Error, IsADirectoryError) as error:
        raise InputError(f"{path} is not CSV: {error}") from error


def round_of(sample: Path) -> str:
    """Return the round that a sample was drawn for; see `read_labels`."""
    rows = _rows(sample, LABELS_FILE, ("id", "language", "label"))
    return rows[0][1]["round"] if rows else "1"
