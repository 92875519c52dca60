"""Small seeded checkpoints on disk, and texts, for the room's tests."""

from functools import cache
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from sulan.models import saving, tiny
from sulan.quantize import texts


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    pages = [text for _, text in texts.documents(Path(texts.PYTHON))][:20]
    return tiny.tokenizer(pages, vocabulary=512)


def saved(model: PreTrainedModel, folder: Path) -> Path:
    folder.mkdir(parents=True)
    saving.save(model, tokenizer(), folder)
    return folder


def llama(folder: Path, *, width: int = 64, hidden: int = 128, layers: int = 2, tied: bool = True) -> Path:
    return saved(tiny.llama(width=width, hidden=hidden, layers=layers, tied=tied), folder)
