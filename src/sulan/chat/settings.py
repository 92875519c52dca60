"""The knobs of a chat model, as one dataclass for the signatures of verbs. Imports nothing heavy."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class ChatSettings:
    """How to reach a chat model and what it costs.

    The key of a remote service is read from `OPENAI_API_KEY` and is no setting: settings are written to
    `run.json`.

    Parameters
    ----------
    base_url
        Where an OpenAI-compatible server listens, with its `/v1`. Default: `OPENAI_BASE_URL`, else OpenAI.
    concurrency
        Most requests under way at once, of everything that uses this chat.
    timeout
        Seconds for one attempt of a request, from connecting to the last byte.
    retries
        Further attempts after a passing failure (429, 5xx, broken connection, unreadable reply).
    threads
        Threads of an in-process model. Default: the cores that are free now, 1 where `CI` is set.
    context
        Tokens that an in-process model can hold, prompt and reply together.
    cache
        SQLite file of earlier replies. Default: `replies.sqlite3` in the user's cache folder; a scripted
        chat has none unless it is named.
    replay
        Answer from the cache what was asked before.
    price_in
        Price of a million prompt tokens, in any one currency. There is no built-in price list: it would be out
        of date.
    price_out
        Price of a million reply tokens.
    """

    base_url: str = ""
    concurrency: int = 8
    timeout: float = 120.0
    retries: int = 4
    threads: int | None = None
    context: int = 4096
    cache: Path | None = None
    replay: bool = True
    price_in: float | None = None
    price_out: float | None = None
