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
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sulan.errors import MissingExtra

if TYPE_CHECKING:
    from sulan.models.loading import LanguageModel, load, save

__all__ = ["LanguageModel", "load", "save"]

_LIGHT = ("builtin",)
"""Modules that work without torch."""


def __getattr__(name: str) -> object:
    if not name.startswith("_") and name not in _LIGHT:  # `from sulan.models import logprobs` asks here first
        for package in ("torch", "transformers"):
            if find_spec(package) is None:
                raise MissingExtra(package, extra="lm")
    if name in __all__:
        return getattr(import_module("sulan.models.loading"), name)
    raise AttributeError(f"module 'sulan.models' has no attribute {name!r}")
