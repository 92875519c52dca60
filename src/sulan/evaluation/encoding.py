"""Prompts and continuations as tokens, cut where lm-eval cuts them.

Texts are plain text: one that holds `<|endoftext|>` holds those letters (`models.tokens`). Who needs special
tokens inside a prompt, a chat template for example, passes tokens instead of text. Not covered: tokenizers that
end every text with a token of their own.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from sulan.errors import InputError
from sulan.models import tokens


@dataclass(frozen=True, kw_only=True)
class Row:
    """Tokens of a context and its continuation; those from `start` on are the continuation's."""

    tokens: tuple[int, ...]
    start: int


def prompts(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Iterator[tuple[int, ...]]:
    """Yield the tokens of prompts, with the beginning-of-text token where the tokenizer sets one by itself.

    An empty prompt is the token that stands before a document.

    Raises
    ------
    InputError
        A prompt is empty and the tokenizer has no such token.
    """
    leading = _leading(tokenizer)
    for plain in tokens.encode(tokenizer, texts):
        yield (*leading, *plain.tolist()) or (_first(tokenizer),)


def pairs(tokenizer: PreTrainedTokenizerBase, texts: Sequence[tuple[str, str]]) -> Iterator[Row]:
    """Yield the tokens of contexts and their continuations, each pair encoded as one text and then cut.

    White space at the end of the context belongs to the continuation, as most vocabularies have it at the
    beginning of a word. The cut is after as many tokens as the context has alone (lm-eval's rule, so that its
    numbers can be compared); where the continuation has merged into the context altogether, its last token is
    what is scored. An empty context is the token that stands before a document.

    Parameters
    ----------
    tokenizer
        The model's.
    texts
        (context, continuation).

    Raises
    ------
    InputError
        A continuation is empty, or a context is and the tokenizer has no token to stand for it.
    """
    leading = _leading(tokenizer)
    bare = list(dict.fromkeys(context.rstrip() for context, _ in texts))  # choices share their context
    alone = dict(zip(bare, tokens.encode(tokenizer, bare), strict=True))
    wholes = tokens.encode(tokenizer, (context + continuation for context, continuation in texts))
    for (context, continuation), encoded in zip(texts, wholes, strict=True):
        if not continuation:
            raise InputError(
                f"there is an empty continuation after {context[-40:]!r}: it has no token to score"
            )
        whole = tuple(encoded.tolist())
        before = (*leading, *alone[context.rstrip()].tolist()) if context else ()
        if before:
            whole = (*leading, *whole)
            yield Row(tokens=whole, start=min(len(before), len(whole) - 1))
        else:
            yield Row(tokens=(_first(tokenizer), *whole), start=1)


def _leading(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Return the beginning-of-text token if the tokenizer puts it before a text by itself."""
    added = tokenizer("")["input_ids"]
    return tuple(token for token in added[:1] if token == tokenizer.bos_token_id)


def _first(tokenizer: PreTrainedTokenizerBase) -> int:
    first = tokens.first_context(tokenizer)
    if first is None:
        raise InputError("an empty context needs a beginning- or end-of-text token; this tokenizer has none")
    return first
