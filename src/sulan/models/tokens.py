"""Text to tokens as plain text: a document that holds `<|endoftext|>` holds those letters, not the token.

A long text is encoded in pieces, for a tokenizer needs more than a hundred bytes for a token while it works. It is
cut only where the tokens stay those of the whole. Not covered: chat templates.
"""

import re
from collections.abc import Iterable, Iterator

import numpy as np
from transformers import PreTrainedTokenizerBase

from sulan.errors import InputError

PIECE = 1 << 18
"""Characters that are encoded at a time, about."""

LONGEST = 1 << 22
"""Characters without a place to cut after which a text is cut all the same; a token or two may differ there."""

# Between a lone line end and what follows, or before a lone space: pre-tokenizers of every kind split there, or
# (SentencePiece's, which do not split) have no merge that spans the two.
_CUT = re.compile(r"(?<=\S\n)(?=\S)|(?<=[^\W_])(?= [^\W_])")
_TRIED = ("of lines\nand words, 3.14", 'it cut\n"here" or', "two words")


def encode(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Iterator[np.ndarray]:
    """Give each text's tokens, int32 [tokens], without special tokens around or inside them.

    Raises
    ------
    InputError
        A text holds half a surrogate pair, which no encoding can represent.
    """
    whole = not _cuttable(tokenizer)
    for text in texts:
        pieces = [text] if whole or len(text) <= PIECE else _pieces(text)
        yield np.concatenate([_encode(tokenizer, piece) for piece in pieces])


def first_context(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the token that stands before a document's first: beginning of text, else end of text, else None."""
    return tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id


def _encode(tokenizer: PreTrainedTokenizerBase, text: str) -> np.ndarray:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"a text is not Unicode: {error.reason} at character {error.start}") from error
    found = tokenizer(
        text, add_special_tokens=False, split_special_tokens=True, return_attention_mask=False, verbose=False
    )
    return np.asarray(found["input_ids"], dtype=np.int32)


def _cuttable(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether pieces have the tokens of the whole; not where a tokenizer puts something before each text."""
    for text in _TRIED:
        cut = _CUT.search(text)
        parts = [text[: cut.start()], text[cut.start() :]] if cut else [text]
        found = np.concatenate([_encode(tokenizer, part) for part in parts])
        if not np.array_equal(found, _encode(tokenizer, text)):
            return False
    return True


def _pieces(text: str) -> Iterator[str]:
    begin = 0
    while len(text) - begin > PIECE:
        cut = _CUT.search(text, begin + PIECE, begin + LONGEST)
        end = cut.start() if cut else min(begin + LONGEST, len(text))
        yield text[begin:end]
        begin = end
    yield text[begin:]
