"""Pretraining of decoder-only language models: a packed token stream, a loop, checkpoints that resume exactly.

`pack` turns documents into a token file, `TokenStream` reads it in an order that depends on the seed and the
step alone, `train` is the loop, for one process or under `torchrun`. Importing this package loads no torch.

Example::

    stream = pack(documents, folder / "tokens", vocabulary=8192, end=0)
    trained = train(model, stream, config=TrainingConfig(steps=1000, batch=16, context=256), folder=folder / "work")
    model.save_pretrained(folder / "model")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sulan.training.config import TrainingConfig as TrainingConfig
    from sulan.training.loop import Trained as Trained
    from sulan.training.loop import train as train
    from sulan.training.packing import pack as pack
    from sulan.training.packing import pack_corpus as pack_corpus
    from sulan.training.stream import TokenStream as TokenStream

_HOMES = {
    "TokenStream": "stream",
    "Trained": "loop",
    "TrainingConfig": "config",
    "pack": "packing",
    "pack_corpus": "packing",
    "train": "loop",
}

__all__ = ["TokenStream", "Trained", "TrainingConfig", "pack", "pack_corpus", "train"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"sulan.training.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
