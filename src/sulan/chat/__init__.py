"""Chat models behind one protocol: remote, in this process, or scripted.

`open("openai:MODEL")` speaks to any OpenAI-compatible server, `open("gguf:PATH|smollm2|gemma")` runs a model
in this process, `open("scripted:FILE")` replays a file of replies. What is opened is a `Session`: the model
with its replay cache and its ledger. Importing this package imports neither a model nor an HTTP client.

Example::

    with chat.open("gguf:smollm2") as session:
        answer = structured.ask(session, request, Summary)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from sulan.chat.protocol import Chat, Message, Reply, Request
from sulan.chat.settings import ChatSettings
from sulan.errors import InputError

if TYPE_CHECKING:
    from sulan.chat.session import Session

__all__ = ["Chat", "ChatSettings", "Message", "Reply", "Request", "open"]

BACKENDS = {
    "openai": "sulan.chat.openai:connect",
    "gguf": "sulan.chat.gguf:connect",
    "scripted": "sulan.chat.scripted:connect",
}
"""Scheme -> function of (what follows the colon, settings) that returns a `Chat`, by import string."""

DEFAULTS = {"openai": "", "gguf": "smollm2"}
"""What follows the colon where there is none: the server's only model, the built-in one."""


def open(spec: str, settings: ChatSettings | None = None, *, max_cost: float | None = None) -> "Session":
    """Open a chat model with its cache and its ledger.

    Parameters
    ----------
    spec
        `openai:MODEL`, `gguf:PATH`, `gguf:smollm2`, `gguf:gemma` or `scripted:FILE`. Plain `openai` is the one
        model of a server that has one; plain `gguf` is `gguf:smollm2`.
    settings
        How to reach it and what it costs; the defaults of `ChatSettings` when None.
    max_cost
        Stop before a request that might take the total above this, in the currency of the prices.

    Returns
    -------
    Session
        A `Chat`, and a context manager that closes it.

    Raises
    ------
    InputError
        Unknown scheme, a setting out of range, or a cost limit without prices.
    MissingExtra, MissingFile
        The backend or its model is not there; the hint says what to type.
    """
    scheme, _, rest = spec.partition(":")
    choices = "openai:MODEL, gguf:PATH, gguf:smollm2, gguf:gemma, scripted:FILE"
    if spec in DEFAULTS:
        rest = DEFAULTS[spec]
    elif scheme not in BACKENDS or not rest:
        raise InputError(f"no chat model {spec!r}", hint=f"choose one of {choices}")
    from sulan.chat import session

    settings = settings or ChatSettings()
    # Before the backend: a wrong limit should not load a model.
    ledger = session.ledger(scheme, rest, settings, max_cost=max_cost)
    module, _, function = BACKENDS[scheme].partition(":")
    backend = getattr(import_module(module), function)(rest, settings)
    return session.Session(backend, ledger=ledger, cache=session.cache_path(scheme, settings))
