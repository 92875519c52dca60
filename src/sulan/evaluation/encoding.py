"""Prompts and continuations as tokens, cut where lm-eval cuts them.

Texts are plain text: one that holds `<|endoftext|>` holds those letters (`models.tokens`). Who needs special
tokens inside a prompt, a chat template for example, passes tokens instead of text. Not covered: tokenizers that
end every text with a token of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from sulan.errors import InputError
from sulan.models import tokens


@dataclass(frozen=True, kw_only=True)
class Row:
    """Tokens of a context and its continuation; those from `start` on are the continuation's."""

    tokens: tuple[int, ...]
    start: int


def prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, ...]:
    """Return a prompt's tokens, with the beginning-of-text token where the tokenizer sets one by itself.

    An empty prompt is the token that stands before a document.

    Raises
    ------
    InputError
        The prompt is empty and the tokenizer has no such token.
    """
    found = (*_leading(tokenizer), *_plain(tokenizer, text))
    return found or (_first(tokenizer),)


def pair(tokenizer: PreTrainedTokenizerBase, context: str, continuation: str) -> Row:
    """Return the tokens of a context and its continuation, encoded as one text and then cut.

    White space at the end of the context belongs to the continuation, as most vocabularies have it at the
    beginning of a word. The cut is after as many tokens as the context has alone (lm-eval's rule, so that its
    numbers can be compared); where the continuation has merged into the context altogether, its last token is
    what is scored. An empty context is the token that stands before a document.

    Raises
    ------
    InputError
        There is nothing to score, or nothing to condition on.
    """
    if not context:
        return _row((_first(tokenizer),), _plain(tokenizer, continuation), continuation)
    bare = context.rstrip()
    leading = _leading(tokenizer)
    before = (*leading, *_plain(tokenizer, bare))
    whole = (*leading, *_plain(tokenizer, context + continuation))
    if not before:
        return _row((_first(tokenizer),), whole, continuation)
    start = min(len(before), len(whole) - 1)
    return _row(whole[:start], whole[start:], continuation)


def _row(before: Sequence[int], after: Sequence[int], continuation: str) -> Row:
    if not continuation or not after:
        raise InputError("there is an empty continuation: it has no token to score")
    return Row(tokens=(*before, *after), start=len(before))


def _plain(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, ...]:
    return tuple(next(tokens.encode(tokenizer, [text])).tolist())


def _leading(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Return the beginning-of-text token if the tokenizer puts it before a text by itself."""
    added = tokenizer("")["input_ids"]
    return tuple(token for token in added[:1] if token == tokenizer.bos_token_id)


def _first(tokenizer: PreTrainedTokenizerBase) -> int:
    first = tokens.first_context(tokenizer)
    if first is None:
        raise InputError("an empty context needs a beginning-of-text token, and this tokenizer has none")
    return first
