"""A chat that reads its replies from a file: `open("scripted:FILE")`, for tests and examples.

The file is JSONL, one rule a line. A rule with `match` or `regex` answers requests whose user messages
contain it, and with `turn` only the n-th question of a conversation (0: the first, 1: the first repair,
...). Which rule answers then depends on the request alone, so the replies are the same in whatever order
threads ask. Rules with none of the three answer in the order of the file, one request each, to whatever no
other rule fits.

    {"match": "phi-1.5", "reply": {"main_work": "..."}}
    {"regex": "NExT-?GPT", "turn": 0, "reply": "cut in the mid", "finish": "length", "delay": 0.2}
    {"match": "FIAT", "error": "the server is on fire"}
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sulan.chat.protocol import Finish, Reply, Request
from sulan.chat.settings import ChatSettings
from sulan.errors import BackendError, InputError, MissingFile


class Rule(BaseModel):
    """One line of the file.

    Attributes
    ----------
    match, regex
        Text that the user messages contain, joined by line ends; both given: both must fit.
    turn
        Number of the question within its conversation, from 0.
    reply
        Text, or an object that is sent as JSON.
    finish, delay, error
        Finish reason; seconds to wait first; message of a `BackendError` raised instead of a reply.
    prompt_tokens, completion_tokens
        Counts to report; by default the words of the messages and of the reply.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str = ""
    regex: re.Pattern[str] | None = None
    turn: int | None = Field(default=None, ge=0)
    reply: str | dict[str, Any] = ""
    finish: Finish = "stop"
    delay: float = Field(default=0.0, ge=0, le=60)
    error: str = ""
    prompt_tokens: int | None = Field(default=None, ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)

    @property
    def by_content(self) -> bool:
        """Whether the request decides, rather than the order of the file."""
        return bool(self.match) or self.regex is not None or self.turn is not None

    def fits(self, request: Request) -> bool:
        """Whether this rule answers a request."""
        asked = [message.content for message in request.messages if message.role == "user"]
        text = "\n".join(asked)
        return (
            self.match in text
            and (self.regex is None or self.regex.search(text) is not None)
            and self.turn in (None, len(asked) - 1)
        )

    @property
    def text(self) -> str:
        """The reply as the model would send it."""
        return self.reply if isinstance(self.reply, str) else json.dumps(self.reply, ensure_ascii=False)


class ScriptedChat:
    """A chat that follows rules.

    Parameters
    ----------
    rules
        In the order of the file.
    model
        Identity of this script.
    """

    def __init__(self, rules: Sequence[Rule], *, model: str) -> None:
        self.model = model
        self._rules = [rule for rule in rules if rule.by_content]
        self._queue = [rule for rule in reversed(rules) if not rule.by_content]
        self._lock = threading.Lock()

    def reply(self, request: Request) -> Reply:
        """Answer by the first rule that fits."""
        rule = self._rule(request)
        if rule.delay:
            time.sleep(rule.delay)
        if rule.error:
            raise BackendError(rule.error)
        prompt = sum(len(message.content.split()) for message in request.messages)
        completion = len(rule.text.split())
        return Reply(
            text=rule.text,
            finish=rule.finish,
            prompt_tokens=prompt if rule.prompt_tokens is None else rule.prompt_tokens,
            completion_tokens=completion if rule.completion_tokens is None else rule.completion_tokens,
            model=self.model,
        )

    def close(self) -> None:
        """Nothing to free."""

    def _rule(self, request: Request) -> Rule:
        for rule in self._rules:
            if rule.fits(request):
                return rule
        with self._lock:
            if self._queue:
                return self._queue.pop()
        question = " ".join(request.messages[-1].content.split())[:80] if request.messages else ""
        raise InputError(f"{self.model} has no reply to {question!r}", hint="add a rule to the file")


def connect(path: str, settings: ChatSettings) -> ScriptedChat:
    """Read a file of rules.

    Raises
    ------
    MissingFile
        There is no such file.
    InputError
        A line is not a rule; the message has its number.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFile(f"no scripted replies at {path}")
    content = file.read_bytes()
    rules = []
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rules.append(Rule.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "line"
            raise InputError(f"{path}:{number}: {where}: {first['msg']}") from error
    digest = hashlib.sha256(content).hexdigest()[
        :12
    ]  # the identity is the content: an edited script is another
    return ScriptedChat(rules, model=f"scripted:{file.name}:{digest}")
