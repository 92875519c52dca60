"""Tokens as text that a reader can see: spaces marked, nothing in it that acts on a page or a terminal."""

from functools import lru_cache

from transformers import PreTrainedTokenizerBase

from sulan.neurons.sequences import Sequences

SPACE = "␣"


def visible(text: str) -> str:
    """Return text with control and direction characters written out.

    Examples
    --------
    >>> visible("a\\tb"), visible("\\u202eabc")
    ('a\\\\tb', '\\\\u202eabc')
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


class Speller:
    """Spells the tokens of one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self.token = lru_cache(maxsize=None)(self._token)

    def _token(self, token: int) -> str:
        return visible(str(self._tokenizer.decode([int(token)]))).replace(" ", SPACE)

    def text(self, tokens: tuple[int, ...]) -> str:
        """Return an n-gram, its tokens divided by bars."""
        return "|".join(self.token(token) for token in tokens)

    def context(self, text: Sequences, at: int, *, before: int, after: int) -> list[str]:
        """Return what stands before a token in its document, the token, and what comes after."""
        begin = at - min(before, int(text.left[at]))
        end = at + 1
        while end < len(text.tokens) and end <= at + after and text.left[end]:
            end += 1
        pieces = (text.tokens[begin:at], text.tokens[at : at + 1], text.tokens[at + 1 : end])
        return [visible(str(self._tokenizer.decode(piece.tolist()))) for piece in pieces]
