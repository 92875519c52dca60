"""A system of a few hundred thousand random weights, for tests."""

from pathlib import Path

from sulan.anytoany import system
from sulan.anytoany.config import DecoderConfig, EncoderConfig, InputConfig, OutputConfig, SystemConfig
from sulan.anytoany.media import KINDS, Kind
from sulan.anytoany.protocols import Condition
from sulan.models import tiny

HIDDEN = 32
_SIGNALS: dict[Kind, int] = {"image": 4, "audio": 8, "video": 24}

CONFIG = SystemConfig(
    encoders={kind: EncoderConfig(width=16, layers=1, heads=2) for kind in KINDS},
    inputs={kind: InputConfig(width=16, hidden=HIDDEN) for kind in KINDS},
    decoders={
        kind: DecoderConfig(condition=Condition(tokens=3, width=16), channels=(8, 16), letters=32)
        for kind in KINDS
    },
    outputs={
        kind: OutputConfig(
            signals=_SIGNALS[kind],
            hidden=HIDDEN,
            tokens=3,
            width=16,
            inner=16,
            layers=1,
            heads=2,
            feedforward=32,
        )
        for kind in KINDS
    },
)


def folder(place: Path) -> Path:
    """Make the system's folder in a place and return it."""
    words = tiny.tokenizer(["a red circle moves to the left"] * 3, vocabulary=300, context=256)
    model = tiny.llama(vocabulary=len(words), layers=2, width=HIDDEN, heads=4, hidden=64, context=256)
    made = place / "system"
    made.mkdir()
    system.create(CONFIG, model, words, seed=0).save(made)
    return made
