"""What a chat model is to the rest of the house: a request, a reply, and the object that turns one into the
other.

Everything is synchronous and thread-safe; many calls at once are made with threads (`sulan.chat.parallel`).
Streaming, tools and images are not covered: no room reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """One question to a model, with everything that may change the answer.

    Attributes
    ----------
    messages
        The conversation so far; the last message is the question.
    max_tokens
        Most tokens the reply may have. There is no default: it bounds the cost, so the caller knows it.
    temperature
        0, the default, is greedy decoding: the same request gives the same reply where the server keeps to
        it.
    seed
        For sampling at a temperature above 0; servers may ignore it.
    schema
        JSON schema that the reply must satisfy, or None for free text. Servers enforce it, ignore it or
        refuse it; `sulan.chat.structured` checks the reply in any case.
    stop
        Strings at which the reply ends.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    schema: Mapping[str, Any] | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a model answered.

    Attributes
    ----------
    text
        The answer; reasoning that the server sends apart from it is left out.
    finish
        `stop`: the model ended by itself. `length`: the text was cut at a token limit. `content_filter`: the
        model or its server refused.
    prompt_tokens, completion_tokens
        As the server counted them; None where it does not say.
    model
        The model that the server says answered, which may be more exact than the name asked for.
    cached
        The reply was made earlier and cost nothing now.
    """

    text: str
    finish: Finish
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    model: str = ""
    cached: bool = False


class Chat(Protocol):
    """A model that answers requests, one at a time or from many threads at once."""

    @property
    def model(self) -> str:
        """Identity of what answers: two chats with the same `model` may share cached replies."""
        ...

    def reply(self, request: Request) -> Reply:
        """Answer one request.

        Raises
        ------
        BackendError
            No answer after every retry.
        InputError
            The request or the settings cannot work: no such model, no valid key.
        """
        ...

    def close(self) -> None:
        """Free connections, memory and files."""
        ...
