"""Models by name, as checkpoint folders: what `sulan.models` knows, and `tiny`, a small random one made on the spot.

`tiny` is a Llama of 2 blocks with seeded random weights and a tokenizer trained on the language reference that
comes with Python: too small to say anything, large enough to show every verb in seconds without a network.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from sulan.errors import MissingFile
from sulan.models import builtin, saving, tiny
from sulan.models.loading import checkpoint_folder
from sulan.quantize import texts
from sulan.runs import folders

TINY = "tiny"
FORMAT = 1
"""Raised when the tiny model changes."""


def folder(name: Path | str) -> Path:
    """Return the checkpoint folder of a model.

    Raises
    ------
    MissingFile, InputError, BackendError
        As `sulan.models.load`.
    """
    text = str(name)
    if text == TINY:
        return _tiny()
    return checkpoint_folder(text)


def teacher(name: Path | str) -> str:
    """Return what the weights of a model are, in words: those of a GGUF file were quantised before.

    Examples
    --------
    >>> teacher("models/phi"), teacher("phi.gguf")
    ('models/phi', 'phi.gguf, dequantised')
    """
    text = str(name)
    if text in builtin.BUILT_IN:
        return f"{text}, dequantised from {builtin.BUILT_IN[text]().name}"
    return f"{text}, dequantised" if text.endswith(".gguf") else text


def tokenizer(checkpoint: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a checkpoint folder.

    Raises
    ------
    MissingFile
        It has none.
    """
    try:
        found: Any = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MissingFile(f"{checkpoint} has no usable tokenizer: {reason}") from error
    return found


def _tiny() -> Path:
    place = folders.cache() / "models" / f"tiny-{FORMAT}"
    if not place.is_dir():
        aside = place.with_name(f".{place.name}.{os.getpid()}")
        aside.mkdir(parents=True)
        try:
            made = tiny.tokenizer((text for _, text in texts.documents(Path(texts.PYTHON))), vocabulary=512)
            saving.save(tiny.llama(width=64, hidden=160, layers=2), made, aside)
            if not place.is_dir():
                aside.rename(place)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return place
