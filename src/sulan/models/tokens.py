"""Text to tokens as plain text: a document that holds `<|endoftext|>` holds those letters, not the token.

Not covered: chat templates.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from transformers import PreTrainedTokenizerBase


def encode(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Iterator[np.ndarray]:
    """Give each text's tokens, int32 [tokens], without special tokens around or inside them."""
    for text in texts:
        found = tokenizer(
            text,
            add_special_tokens=False,
            split_special_tokens=True,
            return_attention_mask=False,
            verbose=False,
        )
        yield np.asarray(found["input_ids"], dtype=np.int32)


def first_context(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the token that stands before a document's first: beginning of text, else end of text, else None."""
    return tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
