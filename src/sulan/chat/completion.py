"""The shape of OpenAI's chat completions, which remote servers and llama.cpp share: requests out, replies in.

Knows the variants that servers are known to send. Knows nothing of HTTP or of any engine.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from sulan.chat.protocol import Finish, Message, Reply, Request

_FINISH: Mapping[str, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_calls": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
}

_ABOUT_FORMAT = re.compile(
    r"response[_ ]format|json[_ ](?:schema|object|mode)|structured output|guided_json", re.I
)
_ABOUT_SEED = re.compile(r"\bseed\b", re.I)
_ABOUT_TEMPERATURE = re.compile(r"\btemperature\b", re.I)


class Unreadable(ValueError):
    """A body that is no chat completion; the message says what is missing."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What one server takes; learnt from its refusals.

    Attributes
    ----------
    response_format
        How to ask for JSON: by schema, as any object, or in words only.
    limit
        Name of the parameter for the longest reply; OpenAI's reasoning models take only the newer one.
    temperature, seed
        Whether the parameter may be sent.
    """

    response_format: Literal["json_schema", "json_object", "none"] = "json_schema"
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True
    seed: bool = True

    def body(self, request: Request, *, model: str) -> dict[str, Any]:
        """Return the request in this dialect."""
        made: dict[str, Any] = {"model": model, "messages": self._messages(request)}
        made[self.limit] = request.max_tokens
        if self.temperature:
            made["temperature"] = request.temperature
        if self.seed and request.seed is not None:
            made["seed"] = request.seed
        if request.stop:
            made["stop"] = list(request.stop)
        if request.schema is not None and self.response_format == "json_schema":
            # Without `strict`: OpenAI's strict mode refuses schemas with length limits, and replies are
            # checked here in any case.
            schema = {"name": "answer", "schema": dict(request.schema)}
            made["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif request.schema is not None and self.response_format == "json_object":
            made["response_format"] = {"type": "json_object"}
        return made

    def after(self, refusal: str, request: Request) -> "Dialect | None":
        """Return the dialect to try after a refusal in these words; None when it is about something else."""
        if request.schema is not None and self.response_format != "none" and _ABOUT_FORMAT.search(refusal):
            simpler = "json_object" if self.response_format == "json_schema" else "none"
            return replace(self, response_format=simpler)
        if self.limit == "max_tokens" and "max_completion_tokens" in refusal:
            return replace(self, limit="max_completion_tokens")
        if self.temperature and _ABOUT_TEMPERATURE.search(refusal):
            return replace(self, temperature=False)
        if self.seed and request.seed is not None and _ABOUT_SEED.search(refusal):
            return replace(self, seed=False)
        return None

    def _messages(self, request: Request) -> list[dict[str, str]]:
        messages = list(request.messages)
        if request.schema is not None and self.response_format != "json_schema" and messages:
            # The server does not know the schema, so the question must carry it.
            schema = json.dumps(request.schema, ensure_ascii=False, separators=(",", ":"))
            last = messages[-1]
            asked = f"{last.content}\n\nReply with one JSON object that satisfies this JSON schema:\n{schema}"
            messages[-1] = replace(last, content=asked)
        return plain(messages)


def plain(messages: "list[Message] | tuple[Message, ...]") -> list[dict[str, str]]:
    """Return messages as dictionaries."""
    return [{"role": message.role, "content": message.content} for message in messages]


def read(body: Any, request: Request, *, model: str) -> Reply:
    """Read a chat completion.

    Parameters
    ----------
    body
        Parsed JSON.
    request
        What was asked: where the server does not say why the reply ended, its limit decides.
    model
        Name of the model where the server does not give one. A server that gives the path of a file is quoted
        with the file's name only.

    Raises
    ------
    Unreadable
        No choices, or neither text nor a reason why there is none.
    """
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Unreadable("the reply has no choices")
    choice = choices[0]
    message = choice.get("message")
    if not isinstance(message, dict):
        raise Unreadable("the reply has no message")
    prompt_tokens, completion_tokens = _usage(body.get("usage"))
    finish = _finish(choice.get("finish_reason"), completion_tokens, request)
    text = _text(message.get("content"))
    if not text and isinstance(message.get("refusal"), str) and message["refusal"]:
        text, finish = message["refusal"], "content_filter"
    if not text and finish == "stop":
        raise Unreadable("the reply has no content")
    said = body.get("model")
    return Reply(
        text=text,
        finish=finish,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        model=re.split(r"[/\\]", said)[-1][:200]
        if isinstance(said, str) and _is_path(said)
        else said or model,
    )


def _is_path(name: str) -> bool:
    return name.startswith(("/", "\\", "~", ".")) or name.endswith(".gguf") or name[1:3] == ":\\"


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):  # a list of parts; only those with text count
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return ""


def _finish(reason: Any, completion_tokens: int | None, request: Request) -> Finish:
    known = _FINISH.get(reason.lower()) if isinstance(reason, str) else None
    if known is not None:
        return known
    return "length" if completion_tokens is not None and completion_tokens >= request.max_tokens else "stop"


def _usage(usage: Any) -> tuple[int | None, int | None]:
    def count(name: str) -> int | None:
        value = usage.get(name) if isinstance(usage, dict) else None
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

    return count("prompt_tokens"), count("completion_tokens")
