"""Small tasks and models for the tests of the tune room."""

import json
from pathlib import Path
from typing import Any

from sulan import models
from sulan.models import tiny
from sulan.tune import archive
from sulan.tune.miniature import LANGUAGE, Miniature

SIZES = archive.Sizes(train=10, dev=5, test=15, exemplars=5)


def task(folder: Path, *, kind: archive.Kind = "section", sizes: archive.Sizes = SIZES) -> Path:
    """The made-up archive as a task."""
    folder.mkdir(parents=True)
    found = archive.packages(Miniature().fetch, suite="any", languages=[LANGUAGE])
    archive.build(found, folder, kind=kind, languages=[LANGUAGE], sizes=sizes, seed=0)
    return folder


def written(folder: Path, rows: list[dict[str, Any]], *, toml: str = "") -> Path:
    """A task of rows."""
    folder.mkdir(parents=True)
    (folder / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "task.toml").write_text(toml)
    return folder


def row(name: str, split: str, text: str = "", answer: str = "a") -> dict[str, str]:
    return {"id": name, "text": text or f"the input {name}", "answer": answer, "split": split}


def model(folder: Path, *, seed: int = 0, context: int = 1024) -> Path:
    """A checkpoint of a small random Llama of three blocks."""
    folder.mkdir(parents=True)
    words = tiny.tokenizer(
        ["which section of the archive is it in: games, web, sound"], vocabulary=300, context=context
    )
    made = tiny.llama(
        vocabulary=len(words), layers=3, width=32, hidden=64, heads=2, context=context, seed=seed
    )
    models.save(made, words, folder)
    return folder
