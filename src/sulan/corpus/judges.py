"""An identifier as an auditor: it sees wrong languages and nothing else."""

from pathlib import Path

from sulan.corpus.audits import LabelRow
from sulan.corpus.codes import UNKNOWN, spelled
from sulan.corpus.identifiers import opened, wholes
from sulan.corpus.sentences import Texts
from sulan.documents import reader


def label(sample: Path, judge: str, *, by: str, auditor: str, round: str) -> list[LabelRow]:
    """Return the labels that an identifier gives.

    Parameters
    ----------
    sample
        Sampled documents.
    judge
        Name or folder of the identifier.
    by
        Column of the languages under audit.
    auditor, round
        What the rows say.
    """
    tells = opened(judge)
    rows = []
    for batch in reader.batches(sample, ["id", "text", by]):
        codes = wholes(tells, Texts.of(batch.column("text")))
        for id_, claimed, code in zip(
            batch.column(0).to_pylist(), batch.column(2).to_pylist(), codes, strict=True
        ):
            told = tells.labels[code]
            right = told in (UNKNOWN, spelled(claimed or UNKNOWN))
            rows.append(
                LabelRow(
                    id=id_,
                    language=claimed or "",
                    label="ok" if right else "wrong-language",
                    to="" if right else told,
                    auditor=auditor,
                    round=round,
                )
            )
    return sorted(rows, key=lambda row: (row.language, row.id))
