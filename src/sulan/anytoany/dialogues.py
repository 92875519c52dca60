"""Conversations about scenes: asked for openly or not, over several turns, with changes of medium and refusals.

Not covered: edits, in which what is wanted differs from what was given.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sulan.anytoany import captions
from sulan.anytoany.media import KINDS, Kind
from sulan.anytoany.scenes import CARRIED, Scene
from sulan.errors import BrokenArtefact

if TYPE_CHECKING:
    import numpy

OPEN: dict[Kind, tuple[str, ...]] = {
    "image": ("draw {what}", "paint {what}", "show me a picture of {what}", "make an image of {what}"),
    "audio": ("play {what}", "let me hear {what}", "make a sound of {what}", "sing me {what}"),
    "video": ("film {what}", "make a clip of {what}", "show me a video of {what}", "animate {what}"),
}
"""Requests that name what is to be done."""

IMPLICIT: dict[Kind, tuple[str, ...]] = {
    "image": ("what would {what} look like?", "how do I imagine {what}?", "I have never seen {what}."),
    "audio": ("what would {what} sound like?", "I cannot see. How is {what}?", "my ears want {what}."),
    "video": ("how would {what} pass by?", "what happens in a second of {what}?", "I want to watch {what}."),
}
"""Requests that do not."""

DESCRIBE = ("what is this?", "describe this", "tell me what is there", "put this into words")
SWITCH: dict[Kind, str] = {
    "image": "and how does it look?",
    "audio": "and how does it sound?",
    "video": "and how does it pass by?",
}
ANSWER: dict[Kind, str] = {
    "image": "here is the picture",
    "audio": "here is the sound",
    "video": "here is the clip",
}
ASK = {
    "colour": "which colour is it?",
    "shape": "which shape is it?",
    "count": "how many are there?",
    "size": "is it small or big?",
    "motion": "how does it move?",
}
FORMS = ("describe", "open", "implicit", "across", "switch", "question", "refusal")
Form = Literal["describe", "open", "implicit", "across", "switch", "question", "refusal"]


@dataclass(frozen=True, kw_only=True)
class File:
    """A medium by its path, relative to the data folder."""

    kind: Kind
    path: str


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One turn: words and files in their order."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[str | File, ...]

    def content(self) -> str:
        """Return the parts as JSON, as the corpus column `messages` holds them."""
        parts = [
            {"type": "text", "text": part}
            if isinstance(part, str)
            else {"type": part.kind, "path": part.path}
            for part in self.parts
        ]
        return json.dumps(parts, ensure_ascii=False)


def turn(role: str, content: str) -> Turn:
    """Return a turn from its JSON.

    Raises
    ------
    BrokenArtefact
        It is none.
    """
    try:
        parts = tuple(
            str(part["text"]) if part["type"] == "text" else File(kind=part["type"], path=str(part["path"]))
            for part in json.loads(content)
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenArtefact(f"not the parts of a message: {content[:80]}") from error
    wrong = [part.kind for part in parts if isinstance(part, File) and part.kind not in KINDS]
    if wrong or role not in ("system", "user", "assistant"):
        raise BrokenArtefact(f"no such role or medium: {role} {' '.join(wrong)}".rstrip())
    return Turn(role=role, parts=parts)  # pyrefly: ignore[bad-argument-type]  checked above


def conversation(
    scene: Scene, form: Form, *, paths: Mapping[Kind, str], generator: "numpy.random.Generator", wording: int
) -> tuple[Turn, ...]:
    """Return a conversation of one form about a scene.

    Parameters
    ----------
    scene
        What it is about.
    form
        One of `FORMS`.
    paths
        The scene's files.
    generator
        Draws media and wordings.
    wording
        Of captions, see `captions.caption`.
    """
    source, target = (KINDS[int(index)] for index in generator.choice(len(KINDS), size=2, replace=False))
    given, made = (File(kind=kind, path=paths[kind]) for kind in (source, target))
    what = captions.phrase(scene)

    def one(texts: tuple[str, ...]) -> str:
        return texts[int(generator.integers(len(texts)))]

    if form == "describe":
        told = captions.caption(scene, carried=CARRIED[source], wording=wording)
        return _pair((given, one(DESCRIBE)), (told,))
    if form == "open":
        return _pair((one(OPEN[target]).format(what=what),), (ANSWER[target], made))
    if form == "implicit":
        return _pair((one(IMPLICIT[target]).format(what=what),), (ANSWER[target], made))
    if form == "across":
        asked = one(OPEN[target] + IMPLICIT[target]).format(what="this")
        return _pair((given, asked), (ANSWER[target], made))
    if form == "switch":
        told = captions.caption(scene, carried=CARRIED[source], wording=wording)
        return (
            *_pair((one(OPEN[source]).format(what=what),), (ANSWER[source], given)),
            *_pair((SWITCH[target],), (ANSWER[target], made)),
            *_pair((one(DESCRIBE),), (told,)),
        )
    if form == "question":
        names = [name for name in captions.NAMEABLE if name in CARRIED[source]]
        name = names[int(generator.integers(len(names)))]
        return _pair((given, ASK[name]), (str(answer(scene, name)),))
    return _pair(
        (File(kind="image", path=paths["image"]), ASK["motion"]), ("a still picture does not show motion",)
    )


def answer(scene: Scene, name: str) -> str:
    """Return the answer to a question about a scene in words."""
    value = getattr(scene, name)
    return {"count": captions.NUMBERS, "motion": captions.MOVING}.get(name, {}).get(value, str(value))


def _pair(asked: tuple[str | File, ...], told: tuple[str | File, ...]) -> tuple[Turn, Turn]:
    return Turn(role="user", parts=asked), Turn(role="assistant", parts=told)
