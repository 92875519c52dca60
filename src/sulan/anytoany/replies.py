"""How a system answers: text token by token from one cached decode, then a medium for every span that was said.

Not covered: beams, and sampling limits other than temperature.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

import torch

from sulan.anytoany import prompts
from sulan.anytoany.media import Kind, Media
from sulan.anytoany.messages import Message
from sulan.anytoany.protocols import Cancelled, Event, Made, Making, Said, Settings
from sulan.anytoany.signals import WholeSpans
from sulan.errors import InputError
from sulan.models.loading import context
from sulan.runs import seeds

if TYPE_CHECKING:
    from sulan.anytoany.system import System

_UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer decodes from a part of a character."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """A medium that was asked for.

    Attributes
    ----------
    kind
        Which.
    states
        The last hidden states at its signal tokens plus their input embeddings [signals, hidden].
    """

    kind: Kind
    states: torch.Tensor


@dataclass(kw_only=True)
class Decode:
    """One reply's tokens as they come.

    Attributes
    ----------
    tokens
        All that were said, signals too, without the end.
    spans
        The media asked for, in order.
    """

    tokens: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)


def reply(
    system: "System", messages: Sequence[Message], *, settings: Settings, wanted: Callable[[], bool]
) -> Iterator[Event]:
    """Yield a reply as `protocols.Assistant` says."""
    decode = Decode()
    yield from _said(system, _decoded(system, messages, decode, settings=settings, wanted=wanted))
    for index, span in enumerate(decode.spans):
        yield from _made(system, span, index, settings=settings, wanted=wanted)


def _decoded(
    system: "System",
    messages: Sequence[Message],
    decode: Decode,
    *,
    settings: Settings,
    wanted: Callable[[], bool],
) -> Iterator[int]:
    """Yield text tokens, and note in `decode` what comes."""
    asked = prompts.prompt(messages, system.tokenizer, spans=system.spans, readable=list(system.encoders))
    with torch.no_grad():
        entering = system.embedded(asked)
    room = min(settings.tokens, context(system.model) - len(entering))  # pyrefly: ignore[bad-argument-type]
    if room < 1:
        raise InputError(
            f"the conversation is {len(entering)} tokens long, and the language model reads "
            f"{context(system.model)}",  # pyrefly: ignore[bad-argument-type]
            hint="leave out the oldest turns",
        )
    processor = WholeSpans(spans=system.spans, prompt=0, allowed=settings.modalities, budget=room)
    generator = torch.Generator().manual_seed(seeds.key(settings.seed, "sulan.anytoany.replies text") % 2**63)
    kinds = {token: kind for kind, span in system.spans.items() for token in span}
    states: list[torch.Tensor] = []
    cache: Any = None
    for _ in range(room):
        if not wanted():
            raise Cancelled
        with torch.no_grad():
            found = system.model(
                inputs_embeds=entering[None], past_key_values=cache, use_cache=True, output_hidden_states=True
            )
        cache = found.past_key_values
        _note(decode, system, kinds, states, found.hidden_states[-1][0, -1] + entering[-1])
        scores = found.logits[0, -1:].float().cpu()
        scores[:, len(system.tokenizer) :] = -torch.inf  # rows of the embedding that mean nothing
        ids: Any = torch.tensor([decode.tokens], dtype=torch.long)
        token = _chosen(processor(ids, scores)[0], settings.temperature, generator)
        if token == system.tokenizer.eos_token_id:
            return
        decode.tokens.append(token)
        with torch.no_grad():
            entering = system.embed([token])
        if token not in kinds:
            yield token
    with torch.no_grad():  # the last token's own state, where the budget ended with a span
        found = system.model(
            inputs_embeds=entering[None], past_key_values=cache, use_cache=True, output_hidden_states=True
        )
    _note(decode, system, kinds, states, found.hidden_states[-1][0, -1] + entering[-1])


def _note(
    decode: Decode, system: "System", kinds: dict[int, Kind], states: list[torch.Tensor], state: torch.Tensor
) -> None:
    """Keep the state of a signal token; a span that is whole is a medium."""
    kind = kinds.get(decode.tokens[-1]) if decode.tokens else None
    if kind is None:
        return
    states.append(state)
    if len(states) == len(system.spans[kind]):
        decode.spans.append(Span(kind=kind, states=torch.stack(states)))
        states.clear()


def _chosen(scores: torch.Tensor, temperature: float, generator: torch.Generator) -> int:
    if temperature == 0:
        return int(scores.argmax())
    return int(torch.multinomial((scores / temperature).softmax(-1), 1, generator=generator))


def _said(system: "System", tokens: Iterator[int]) -> Iterator[Said]:
    """Yield text; a character comes when all of its tokens are there."""
    pending: list[int] = []
    for token in tokens:
        pending.append(token)
        text = _text(system, pending)
        if text and not text.endswith(_UNFINISHED):
            yield Said(text=text)
            pending.clear()
    if pending and (rest := _text(system, pending)):
        yield Said(text=rest)


def _text(system: "System", tokens: list[int]) -> str:
    return str(system.tokenizer.decode(tokens, skip_special_tokens=True))


def _made(
    system: "System", span: Span, index: int, *, settings: Settings, wanted: Callable[[], bool]
) -> Iterator[Event]:
    """Yield how a medium comes, and the medium; the decoder works in a thread of its own, so every step is told."""
    news: SimpleQueue[Making | Media | BaseException] = SimpleQueue()
    left = False

    def on_step(done: int, steps: int) -> bool:
        news.put(Making(index=index, kind=span.kind, done=done, steps=steps))
        return wanted() and not left

    def work() -> None:
        try:
            with torch.no_grad():
                condition = system.condition(span.kind, span.states[None])
                made = system.decoder(span.kind).generate(
                    condition,
                    seeds=[seeds.key(settings.seed, f"sulan.anytoany.replies media {index}") % 2**63],
                    steps=settings.steps,
                    guidance=settings.guidance,
                    on_step=on_step,
                )
            news.put(made[0])
        except BaseException as error:
            news.put(error)

    if not wanted():
        raise Cancelled
    thread = Thread(target=work, name=f"making-{span.kind}")
    thread.start()
    try:
        while isinstance(told := news.get(), Making):
            yield told
        if isinstance(told, BaseException):
            raise told
        yield Made(index=index, media=told)
    finally:
        left = True
        thread.join()
