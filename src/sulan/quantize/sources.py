"""Models by name, as checkpoint folders, and what their weights are."""

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from sulan.errors import MissingFile
from sulan.models import builtin
from sulan.models.loading import checkpoint_folder


def folder(name: Path | str) -> Path:
    """Return the checkpoint folder of a model.

    Raises
    ------
    MissingFile, InputError, BackendError
        As `sulan.models.load`.
    """
    return checkpoint_folder(str(name))


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
