"""A corpus and a training of phi that take a second."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from sulan import textbook
from sulan.documents import writer
from sulan.reports.report import Report
from sulan.textbook.presets import Learning, Shape

SHAPE = Shape(vocabulary=320, layers=2, width=32, heads=4, context=64)
STEPS = 12
EVERY = 2
MODELS_EVERY = 4


def corpus(folder: Path, texts: list[str] | None = None) -> Path:
    """Write texts as a corpus; None: those of a small training."""
    if texts is None:
        animals = ("cat", "dog", "owl", "bee", "ant")
        texts = [
            f"A {animal} has {number} friends. Every {animal} counts them: {number}.\n"
            for animal in animals
            for number in range(20)
        ]
    names = [f"text-{number}" for number in range(len(texts))]
    columns = {"id": pa.array(names, pa.string()), "text": pa.array(texts, pa.large_string())}
    writer.write([pa.table(columns)], folder)
    return folder


def learning(**settings: Any) -> Learning:
    small: dict[str, Any] = {
        "steps": STEPS,
        "batch": 4,
        "context": 32,
        "learning_rate": 3e-3,
        "dtype": "float32",
        "checkpoint_every": EVERY,
    }
    return Learning(**{**small, **settings})


def pretrain(*corpora: Path, out: Path, shape: Shape = SHAPE, **settings: Any) -> Report:
    """Pretrain the small model; what the verb does not take is a setting of the learning."""
    own = {name: settings.pop(name) for name in ("models_every", "tokenizer", "mix") if name in settings}
    return textbook.pretrain(
        corpora, out=out, preset="phi-5m", shape=shape, learning=learning(**settings), device="cpu", **own
    )
