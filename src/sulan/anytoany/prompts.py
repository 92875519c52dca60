"""A conversation as what a language model reads: text as tokens, media as an encoder's soft tokens.

Not covered: chat templates of published models; the format is the official code's, `### Human:` and `### Assistant:`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from sulan.anytoany.media import KINDS, Kind, Media
from sulan.anytoany.messages import Message, Text
from sulan.errors import InputError

SPEAKERS: Mapping[str, str] = {"system": "", "user": "### Human: ", "assistant": "### Assistant: "}


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """Pieces in their order.

    Attributes
    ----------
    pieces
        Token ids, or one medium.
    """

    pieces: tuple[tuple[int, ...] | Media, ...]


def prompt(
    messages: Sequence[Message],
    tokenizer: PreTrainedTokenizerBase,
    *,
    spans: Mapping[Kind, tuple[int, ...]],
    readable: Sequence[Kind] = KINDS,
) -> Prompt:
    """Return what the assistant answers to.

    Text never becomes a special token: who writes `<image_00>` says these letters. A medium of the user is itself; one
    that the assistant made is its span of signals, and then itself where it can be read.

    Parameters
    ----------
    messages
        The conversation; the last is not the assistant's.
    tokenizer, spans
        Of the system.
    readable
        Kinds that have an encoder.

    Raises
    ------
    InputError
        There is no message, the last is the assistant's, or the user sends a medium that cannot be read.
    """
    if not messages or messages[-1].role == "assistant":
        raise InputError("there is nothing to answer: the last message is not the user's")
    pieces: list[tuple[int, ...] | Media] = []
    for message in messages:
        pieces.append(words(SPEAKERS[message.role], tokenizer))
        pieces.extend(
            piece for part in message.parts for piece in _pieces(part, message, tokenizer, spans, readable)
        )
        pieces.append(ending(tokenizer) if message.role == "assistant" else words("\n", tokenizer))
    pieces.append(words(SPEAKERS["assistant"], tokenizer))
    return Prompt(pieces=tuple(piece for piece in pieces if piece != ()))


def answer(
    message: Message, tokenizer: PreTrainedTokenizerBase, *, spans: Mapping[Kind, tuple[int, ...]]
) -> tuple[int, ...]:
    """Return the tokens of an assistant's turn as it is learned: media are their spans, the end is said."""
    said: list[int] = []
    for part in message.parts:
        said.extend(words(part.text, tokenizer) if isinstance(part, Text) else spans[part.kind])
    return (*said, *ending(tokenizer))


def words(text: str, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Return the tokens of a text, none of them special."""
    return tuple(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))


def ending(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Return the token that ends an assistant's turn."""
    return (int(tokenizer.eos_token_id),)  # pyrefly: ignore[bad-argument-type]


def _pieces(
    part: Text | Media,
    message: Message,
    tokenizer: PreTrainedTokenizerBase,
    spans: Mapping[Kind, tuple[int, ...]],
    readable: Sequence[Kind],
) -> list[tuple[int, ...] | Media]:
    if isinstance(part, Text):
        return [words(part.text, tokenizer)]
    shown: list[tuple[int, ...] | Media] = [part] if part.kind in readable else []
    if message.role == "assistant":
        return [spans.get(part.kind, ()), *shown]
    if not shown:
        raise InputError(
            f"the system reads no {part.kind}", hint=f"it reads {', '.join(readable) or 'text alone'}"
        )
    return shown
