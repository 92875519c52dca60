"""Ask for an object of a pydantic model: read the reply, check it, and have the model repair what is wrong.

A reply is never trusted: servers that enforce a schema still cut replies at a limit, and a value of the right
shape may be wrong. Every attempt is kept with what was wrong with it, so that a caller may take field by
field what passed. Prompts are the caller's; this adds only the sentence that asks for a repair.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from sulan.chat import lenient_json
from sulan.chat.protocol import Chat, Message, Reply, Request
from sulan.errors import BackendError

T = TypeVar("T", bound=BaseModel)

MAX_VIOLATIONS = 12
"""Most violations told to the model at once; a longer list helps no model and costs tokens."""

MAX_VIOLATION = 300
"""Characters of one violation that are told to the model."""

CANDIDATES = 8
"""How many objects of one reply are tried against the model, counted from the last: reasoning comes first."""

Check = Callable[[T], Sequence[str]]
"""Returns what is wrong with a value, one sentence each; nothing when it is right."""


@dataclass(frozen=True, kw_only=True)
class Attempt(Generic[T]):
    """One reply and what it is worth.

    Attributes
    ----------
    reply
        As it came.
    value
        The object, when it satisfies the model; it may still have `violations` of the check.
    fields
        Top-level fields that satisfy their own type and constraints, converted, also when the whole does not.
        Validators of the model class are not applied to these.
    violations
        What is wrong, in words for the model; empty: accepted.
    """

    reply: Reply
    value: T | None
    fields: dict[str, Any]
    violations: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Answer(Generic[T]):
    """All attempts at one object.

    Attributes
    ----------
    attempts
        In their order, at least one.
    stopped
        Why no further repair was asked for although one was left: the message of the backend's error, or
        that the model repeats itself.
    """

    attempts: tuple[Attempt[T], ...]
    stopped: str = ""

    @property
    def value(self) -> T | None:
        """The accepted value; None when every attempt had violations."""
        last = self.attempts[-1]
        return None if last.violations else last.value

    @property
    def partial(self) -> T | None:
        """The last value of the right shape, with violations or without; None when there was none."""
        return next((a.value for a in reversed(self.attempts) if a.value is not None), None)

    @property
    def violations(self) -> tuple[str, ...]:
        """What is wrong with the last attempt."""
        return self.attempts[-1].violations


def ask(
    chat: Chat, request: Request, model: type[T], *, check: Check[T] | None = None, repairs: int = 2
) -> Answer[T]:
    """Ask for an object, with at most `repairs` further calls that carry the violations.

    Parameters
    ----------
    chat
        Who is asked.
    request
        The question; its `schema` is set from `model`.
    model
        What the reply must be.
    check
        Further conditions on a value of the right shape.
    repairs
        Most calls after the first.

    Returns
    -------
    Answer
        With `value` None when the last attempt still had violations.

    Raises
    ------
    BackendError
        The first call failed. A repair that fails ends the attempts instead (`Answer.stopped`).
    """
    request = replace(request, schema=schema(model))
    question = request
    attempts: list[Attempt[T]] = []
    for repair in range(repairs + 1):
        try:
            reply = chat.reply(question)
        except BackendError as error:
            if not attempts:
                raise
            return Answer(attempts=tuple(attempts), stopped=error.message)
        attempts.append(read(reply, model, check=check))
        refused = reply.finish == "content_filter"  # the same question would be refused again
        if not attempts[-1].violations or refused or repair == repairs:
            break
        following = replace(request, messages=request.messages + _repair(attempts[-1]))
        if following == question and request.temperature == 0:
            # Small models repeat themselves; greedy decoding would do it once more, for the same price.
            return Answer(attempts=tuple(attempts), stopped="the model repeats the reply that was refused")
        question = following
    return Answer(attempts=tuple(attempts))


def read(reply: Reply, model: type[T], *, check: Check[T] | None = None) -> Attempt[T]:
    """Read one reply.

    A reply that was cut (`finish == "length"`) is never accepted, even where its object is whole: a server
    that closes the brackets of a cut reply would pass otherwise. Its fields are not offered either.
    """
    if reply.finish == "content_filter":
        return _failed(reply, "the model refused to answer")
    if reply.finish == "length":
        return _failed(reply, "the reply was cut at its token limit; write a shorter one")
    try:
        candidates = lenient_json.objects(reply.text)[-CANDIDATES:]
    except lenient_json.NoObject as error:
        return _failed(reply, str(error))
    rejected: list[tuple[dict[str, Any], tuple[str, ...]]] = []
    for candidate in reversed(candidates):
        try:
            value = model.model_validate(candidate)
        except ValidationError as error:
            rejected.append((_fields(model, candidate), _violations(error)))
            continue
        violations = tuple(check(value)) if check else ()
        return Attempt(reply=reply, value=value, fields=_fields(model, candidate), violations=violations)
    fields, violations = max(rejected, key=lambda one: len(one[0]))
    return Attempt(reply=reply, value=None, fields=fields, violations=violations)


@functools.cache
def schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a model without titles and descriptions, which only cost tokens."""
    return _bare(model.model_json_schema())


def _bare(node: Any, *, names: bool = False) -> Any:
    # Under `properties` and `$defs` the keys are names, so one called "title" stays there.
    if isinstance(node, dict):
        return {
            name: _bare(value, names=not names and name in ("properties", "$defs"))
            for name, value in node.items()
            if names or name not in ("title", "description")
        }
    return [_bare(value) for value in node] if isinstance(node, list) else node


def _failed(reply: Reply, violation: str) -> Attempt[Any]:
    return Attempt(reply=reply, value=None, fields={}, violations=(violation,))


@functools.cache
def _adapters(model: type[BaseModel]) -> dict[str, TypeAdapter[Any]]:
    return {
        # pyrefly: ignore [not-a-type]  # the annotation of a field is a type, only known at run time
        name: TypeAdapter(Annotated[field.annotation, field])
        for name, field in model.model_fields.items()
    }


def _fields(model: type[BaseModel], candidate: dict[str, Any]) -> dict[str, Any]:
    passed: dict[str, Any] = {}
    for name, adapter in _adapters(model).items():
        key = model.model_fields[name].alias or name
        if key in candidate:
            try:
                passed[name] = adapter.validate_python(candidate[key])
            except ValidationError:
                continue
    return passed


def _violations(error: ValidationError) -> tuple[str, ...]:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return tuple(f"{'.'.join(map(str, one['loc'])) or 'object'}: {one['msg']}" for one in found)


def _repair(attempt: Attempt[Any]) -> tuple[Message, ...]:
    told = "\n".join(
        f"- {' '.join(violation.split())[:MAX_VIOLATION]}"
        for violation in attempt.violations[:MAX_VIOLATIONS]
    )
    instruction = Message(
        role="user",
        content=f"The reply was not accepted:\n{told}\nWrite the whole corrected JSON object, nothing else.",
    )
    readable = attempt.reply.finish == "stop" and 0 < len(attempt.reply.text) <= lenient_json.MAX_CHARACTERS
    # A cut reply would teach the model to write the same length again, and costs its tokens a second time.
    said = attempt.reply.text if readable else "{}"
    return Message(role="assistant", content=said), instruction
