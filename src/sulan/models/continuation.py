"""What a model writes after given tokens when it always takes the likeliest next one.

Prompts go through the model in batches of one fixed shape with a key-value cache, so a continuation does not depend on
what shares its batch. Not covered: sampling, prompts of different lengths, stopping early (`evaluation.generation`).
"""

import numpy as np
import torch
from transformers import DynamicCache

from sulan.errors import InputError
from sulan.models import head
from sulan.models.loading import LanguageModel

BATCH = 64
"""Prompts that go through the model at once. Fewer leave it waiting for its weights: each step reads all of them
for one token a prompt."""


@torch.inference_mode()
def greedy_continuation(
    language_model: LanguageModel, prompts: np.ndarray, count: int, *, batch: int = BATCH
) -> np.ndarray:
    """Continue prompts greedily.

    Parameters
    ----------
    language_model
        As `load` gives it.
    prompts
        Integers [prompts, tokens]; nothing is put before them.
    count
        Tokens to add; of equally likely ones the first in the vocabulary is taken. End-of-text is a token like
        any other.
    batch
        Prompts that go through the model at once; the last batch is filled up.

    Returns
    -------
    numpy.ndarray
        int32 [prompts, count].

    Raises
    ------
    InputError
        Prompts are empty or not in a table, a token is outside the vocabulary, or prompt and continuation are
        longer than the model's context.
    """
    model = language_model.model
    if prompts.ndim != 2 or not np.issubdtype(prompts.dtype, np.integer) or prompts.shape[1] == 0:
        raise InputError(f"prompts are integers [prompts, tokens], not {prompts.dtype} {list(prompts.shape)}")
    if prompts.shape[1] + count > language_model.context:
        raise InputError(
            f"{prompts.shape[1]} + {count} tokens are more than {language_model.context}, the model's context"
        )
    size = head.vocabulary(model)
    if prompts.size and not 0 <= prompts.min() <= prompts.max() < size:
        raise InputError(f"a token is outside the vocabulary of {language_model.name}, 0 to {size - 1}")
    result = np.empty((len(prompts), count), dtype=np.int32)
    for begin in range(0, len(prompts), batch):
        some = prompts[begin : begin + batch]
        filled = np.concatenate([some, np.repeat(some[:1], batch - len(some), axis=0)])
        step = torch.from_numpy(filled.astype(np.int64)).to(model.device)
        cache = DynamicCache(config=model.config)
        for at in range(count):
            logits = model(input_ids=step, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
            step = logits[:, -1:].argmax(dim=-1)
            result[begin : begin + batch, at] = step[: len(some), 0].cpu().numpy()
    return result
