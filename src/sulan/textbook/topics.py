"""The topic tree: subjects, their topics, and what a topic is taught from."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from sulan.errors import InputError, MissingFile

BUILT_IN = Path("builtin")
_PACKAGED = Path(__file__).with_name("topics.toml")


@dataclass(frozen=True, kw_only=True)
class Topic:
    """What a text may be about.

    Attributes
    ----------
    subject, name
        Where it is in the tree, and what it is called.
    word
        Noun whose meaning, with all that lies below it in WordNet, the template writer teaches; empty: none.
    problems
        Generators of reasoning-gym whose problems it solves.
    """

    subject: str
    name: str
    word: str = ""
    problems: tuple[str, ...] = ()


class _Topic(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    word: str = ""
    problems: tuple[str, ...] = ()


class _Subject(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    topics: tuple[_Topic, ...]


class _Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")
    subject: tuple[_Subject, ...]

    @model_validator(mode="after")
    def _distinct(self) -> "_Tree":
        names = [(subject.name, topic.name) for subject in self.subject for topic in subject.topics]
        if not names:
            raise ValueError("no topic")
        if len(set(names)) < len(names):
            raise ValueError("a topic twice in one subject")
        return self


def read(path: Path) -> tuple[Topic, ...]:
    """Read a topic tree.

    Parameters
    ----------
    path
        TOML with `[[subject]]` tables as in the built-in tree; a text file with one topic a line; or `builtin`.

    Raises
    ------
    MissingFile
        There is no such file.
    InputError
        It is no topic tree; the message says where.
    """
    located = _PACKAGED if path == BUILT_IN else path
    if not located.is_file():
        raise MissingFile(f"no topics at {path}", hint="a TOML or text file, or builtin")
    text = located.read_text(encoding="utf-8")
    if located.suffix != ".toml":
        names = dict.fromkeys(line.strip() for line in text.splitlines() if line.strip())
        if not names:
            raise InputError(f"{path} has no topic")
        return tuple(Topic(subject="", name=name) for name in names)
    try:
        tree = _Tree.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise InputError(f"{path} is no topic tree: {_first(error)}") from error
    return tuple(
        Topic(subject=subject.name, name=topic.name, word=topic.word, problems=topic.problems)
        for subject in tree.subject
        for topic in subject.topics
    )


def _first(error: tomllib.TOMLDecodeError | ValidationError) -> str:
    if isinstance(error, ValidationError):
        found = error.errors()[0]
        return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
    return str(error)
