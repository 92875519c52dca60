"""What a method answered, kept by everything that it depends on: a comparison that is run again costs next to nothing.

Each result is a file in the user's cache folder, named by the SHA-256 of what it was made of; a killed comparison
loses the training that it was at. Not covered: removing old ones (delete the folder).
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from sulan.runs import folders, outputs
from sulan.runs.record import plain

VERSION = 1
"""Changes with what the numbers mean."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One method with one seed.

    Attributes
    ----------
    chances
        Probability of every label for every test example by name of the variant, float64 [examples, labels].
    dev
        Loss on dev of the kept epoch; NaN without.
    train_seconds, test_seconds
        CPU seconds of this process for training, and for answering the test examples, the frozen model's own left out.
    tokens
        Tokens that went through the tuned layers in training.
    """

    chances: Mapping[str, np.ndarray]
    dev: float
    train_seconds: float
    test_seconds: float
    tokens: int


def kept(about: Mapping[str, Any], make: Callable[[], Result]) -> Result:
    """Return the result of `about`, from the cache where it is there."""
    text = json.dumps({"version": VERSION, **plain(about)}, sort_keys=True)
    path = folders.cache() / "tune" / f"{hashlib.sha256(text.encode()).hexdigest()}.npz"
    if (found := _read(path.read_bytes() if path.exists() else b"")) is not None:
        return found
    made = make()
    data = BytesIO()
    facts = np.array([made.dev, made.train_seconds, made.test_seconds, made.tokens])
    np.savez(
        data,
        allow_pickle=False,
        facts=facts,
        **{f"chances {name}": each for name, each in made.chances.items()},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    outputs.write_bytes(path, data.getvalue())
    return made


def _read(data: bytes) -> Result | None:
    """Return what a file holds; None where it is absent or damaged, which costs the training again."""
    if not data:
        return None
    try:
        with np.load(BytesIO(data), allow_pickle=False) as file:
            dev, train_seconds, test_seconds, tokens = file["facts"].tolist()
            chances = {
                name.removeprefix("chances "): file[name]
                for name in file.files
                if name.startswith("chances ")
            }
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        return None
    return Result(
        chances=chances,
        dev=dev,
        train_seconds=train_seconds,
        test_seconds=test_seconds,
        tokens=int(tokens),
    )
