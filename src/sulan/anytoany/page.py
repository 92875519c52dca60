"""A page to talk with a system: uploads, text as it comes, progress of media, cancel.

Not covered: several users at a time; one reply is made at a time and Gradio queues the rest.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import gradio
from anyio import to_thread
from fastapi import FastAPI

from sulan.anytoany import files, uploads
from sulan.anytoany.delivery import Delivery, Withheld
from sulan.anytoany.following import follow
from sulan.anytoany.media import KINDS, Kind, Media
from sulan.anytoany.messages import Message, Part, Text
from sulan.anytoany.protocols import Assistant, Making, Said, Settings
from sulan.errors import SulanError


def page(
    assistant: Assistant,
    *,
    name: str,
    delivery: Delivery,
    folder: Path,
    limits: uploads.Limits = uploads.Limits(),
) -> gradio.ChatInterface:
    """Return the page.

    Parameters
    ----------
    assistant
        Who answers.
    name
        The page's title.
    delivery
        How media are checked and marked.
    folder
        Where made media lie while the page is open; the caller removes it.
    limits
        What one upload may cost.
    """

    def read(message: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> list[Message]:
        return [*conversation(history, limits=limits), _turn(message, limits=limits)]

    def show(media: Media) -> dict[str, Any]:
        body = delivery.file(media)
        if isinstance(body, Withheld):
            return _said(body.reason)
        path = folder / files.name(media)
        path.write_bytes(body)
        return {"role": "assistant", "content": {"path": str(path)}}

    async def answer(
        message: Mapping[str, Any],
        history: Sequence[Mapping[str, Any]],
        modalities: list[Kind],
        steps: int,
        guidance: float,
        seed: int,
    ) -> AsyncGenerator[list[dict[str, Any]]]:
        settings = Settings(
            modalities=tuple(kind for kind in KINDS if kind in modalities),
            steps=int(steps),
            guidance=guidance,
            seed=int(seed),
        )
        text = ""
        shown: list[dict[str, Any]] = []
        try:
            turns = await to_thread.run_sync(read, message, history)
            if reason := delivery.checker.request(turns):
                yield [_said(f"The request is not answered: {reason}")]
                return
            async with aclosing(follow(assistant, turns, settings=settings)) as events:
                async for event in events:
                    progress: list[dict[str, Any]] = []
                    if isinstance(event, Said):
                        text += event.text
                    elif isinstance(event, Making):
                        progress = [_said(f"Making {event.kind}: step {event.done} of {event.steps}")]
                    else:
                        shown.append(await to_thread.run_sync(show, event.media))
                    yield [_said(text), *shown, *progress]
        except SulanError as refused:
            raise gradio.Error(f"{refused}. {refused.hint}".strip()) from refused

    return gradio.ChatInterface(
        answer,
        multimodal=True,
        textbox=gradio.MultimodalTextbox(
            file_count="multiple", file_types=["image", "audio", "video"], label="Message", stop_btn=True
        ),
        additional_inputs=[
            gradio.CheckboxGroup(list(KINDS), value=list(KINDS), label="May be made"),
            gradio.Slider(1, 200, value=Settings().steps, step=1, label="Diffusion steps"),
            gradio.Slider(1, 20, value=Settings().guidance, label="Guidance"),
            gradio.Number(Settings().seed, precision=0, label="Seed"),
        ],
        title=name,
        analytics_enabled=False,
        api_visibility="private",
        concurrency_limit=1,
    )


def conversation(history: Sequence[Mapping[str, Any]], *, limits: uploads.Limits) -> list[Message]:
    """Return what was said before, from Gradio's history; neighbours of one role are one turn."""
    turns: list[Message] = []
    for entry in history:
        content = entry["content"]
        pieces = content if isinstance(content, list) else [content]
        parts = tuple(_part(piece, limits=limits) for piece in pieces)
        if turns and turns[-1].role == entry["role"]:
            parts = turns.pop().parts + parts
        turns.append(Message(role=entry["role"], parts=parts))
    return turns


def _part(piece: str | Mapping[str, Any], *, limits: uploads.Limits) -> Part:
    if isinstance(piece, str):
        return Text(text=piece)
    if piece.get("type") == "text":
        return Text(text=piece["text"])
    return _upload(piece["file"]["path"], limits=limits)


def _turn(message: Mapping[str, Any], *, limits: uploads.Limits) -> Message:
    words: list[Part] = [Text(text=message["text"])] if message["text"] else []
    return Message(role="user", parts=(*words, *(_upload(path, limits=limits) for path in message["files"])))


def _upload(path: str, *, limits: uploads.Limits) -> Part:
    """Gradio has put the upload into a file of its own; where it may lie is Gradio's to check."""
    return uploads.decode(uploads.body(Path(path), limits=limits), limits=limits)


def _said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def mounted(assistant: Assistant, *, name: str, delivery: Delivery, folder: Path) -> FastAPI:
    """Return an application that shows the page at `/`, and lets Gradio take no larger upload than is read."""
    limits = uploads.Limits()
    shown = page(assistant, name=name, delivery=delivery, folder=folder, limits=limits)
    return gradio.mount_gradio_app(
        FastAPI(),
        shown,
        path="/",
        allowed_paths=[str(folder)],
        max_file_size=limits.size,
        footer_links=[],
        theme=gradio.themes.Base(font="sans-serif", font_mono="monospace"),  # no font is fetched
    )
