"""A conversation: turns made of text and media, in the order in which they were said."""

from dataclasses import dataclass
from typing import Literal

from sulan.anytoany.media import Media


@dataclass(frozen=True, kw_only=True)
class Text:
    """Words of a turn."""

    text: str


Part = Text | Media


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn. Several media stay apart and in their order."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]
