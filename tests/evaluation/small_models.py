"""Seeded small models with a tokenizer, as `models.load` would give them."""

from transformers import PreTrainedModel

from sulan.evaluation import encoding
from sulan.models import LanguageModel, tiny

TEXTS = (
    "The cat sat on the mat and the dog sat on the log; then a quick brown fox came by. " * 20,
    "Naïve readers ask: what is 17 + 25? The answer is 42. 速览 means a quick look.\n" * 20,
)
TOKENIZER = tiny.tokenizer(TEXTS)
CONTEXT = 64


def language_model(model: PreTrainedModel) -> LanguageModel:
    return LanguageModel(
        model=model.requires_grad_(False),
        tokenizer=TOKENIZER,
        name=type(model).__name__,
        fingerprint="",
        tokenizer_fingerprint="",
        context=CONTEXT,
    )


MODELS = {
    "llama": language_model(tiny.llama(context=CONTEXT, seed=1)),
    "opt": language_model(tiny.opt(context=CONTEXT, seed=2)),
    "phi": language_model(tiny.phi(context=CONTEXT, seed=3)),
}


def prompt(text: str) -> tuple[int, ...]:
    return next(encoding.prompts(TOKENIZER, [text]))
