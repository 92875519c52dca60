"""Language models as every room uses them: load and save checkpoints, score text, small ones for tests.

A model on disk is an ordinary Hugging Face checkpoint folder. `load` gives it with its tokenizer; `logprobs` scores
documents with it, `continuation` lets it go on greedily. Importing this package imports neither torch nor
transformers: its names come on first use.

Example::

    from sulan import models
    from sulan.models import logprobs, tokens

    model = models.load("smollm2")
    scores = list(logprobs.score(model, tokens.encode(model.tokenizer, texts)))

Not covered: encoder models, encoder-decoder models, and weights that need code of their own
(`trust_remote_code`).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sulan.models.loading import LanguageModel, load, save

__all__ = ["LanguageModel", "load", "save"]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module("sulan.models.loading"), name)
    raise AttributeError(f"module 'sulan.models' has no attribute {name!r}")
