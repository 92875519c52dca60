"""What auditors fill in: a page that works from the file system, and a CSV file."""

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from sulan.corpus.audits import LABELS, LABELS_FILE, LabelRow, write_labels
from sulan.documents import reader
from sulan.runs import outputs

PAGE = "label.html"
SHOWN = 2000
"""Characters of a document that the page shows."""


def write(folder: Path, *, by: str, round: int) -> None:
    """Write `label.html` and `labels.csv` beside a sample; documents are ordered by language, then id."""
    rows = []
    for batch in reader.batches(folder, ["id", "text", by]):
        rows += batch.rename_columns(["id", "text", "language"]).to_pylist()
    rows.sort(key=lambda row: (row["language"] or "", row["id"]))
    for row in rows:
        row["language"] = row["language"] or ""
        row["shown"] = row["text"][:SHOWN]
    write_labels(
        folder / LABELS_FILE,
        (LabelRow(id=row["id"], language=row["language"], label="", round=str(round)) for row in rows),
    )
    script, digest = _script()
    page = _template().render(rows=rows, labels=LABELS, round=round, script=script, digest=digest)
    outputs.write_text(folder / PAGE, page)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("sulan.corpus"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("label.html.j2")


@cache
def _script() -> tuple[str, str]:
    """Return the page's script and its hash for the content security policy: no other runs."""
    script = (Path(__file__).parent / "templates" / "label.js").read_text()
    return script, "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
