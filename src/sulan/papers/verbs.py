"""Verbs by name: from `digest write` and words, or a table, to the function and its typed arguments.

The command line and recipes both come through here, so a flag, a TOML key and a keyword argument are one
thing with one type. Nothing of a verb is imported until it is called or asked for help.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_origin

import attrs
import cyclopts
from cyclopts import App, Parameter
from cyclopts.config import Dict

import sulan
from sulan.errors import InputError, MissingFile
from sulan.papers.room import rooms


def application() -> App:
    """Return the table of all installed rooms and their verbs."""
    app = App(
        name="sulan",
        help=(sulan.__doc__ or "").partition("\n")[0],
        version=sulan.__version__,
        default_parameter=Parameter(converter=_convert, negative_iterable=(), consume_multiple=True),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for name, room in rooms().items():
        if not room.verbs:
            continue
        group = App(name=name, help=room.summary)
        for verb in room.verbs:
            group.command(room.target(verb), name=verb)
        app.command(group)
    return app


def call(app: App, words: Sequence[str], *, config: Mapping[str, Any] | None = None, source: str = "") -> Any:
    """Call a verb and return its report, or None when help or the version was printed.

    Parameters
    ----------
    app
        From `application`.
    words
        Room, verb and arguments, as on a command line.
    config
        Arguments by name that stand below those in `words`, as from a TOML file.
    source
        Where `config` comes from, for error messages.

    Raises
    ------
    InputError
        No such verb, or arguments that do not fit its signature.
    """
    app.config = (_under_commands(config or {}, source),)
    try:
        return app(_joined(words), exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        raise _input_error(error) from error


def bind(app: App, words: Sequence[str], *, config: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return a verb's arguments by name, typed and with defaults, without calling it; see `call`."""
    app.config = (_under_commands(config, source),)
    try:
        _, bound, _ = app.parse_args(list(words), exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        raise _input_error(error) from error
    bound.apply_defaults()
    return dict(bound.arguments)


def _joined(words: Sequence[str]) -> list[str]:
    """`--input -` as one word, `--input=-`: the parser takes a lone dash for the next option."""
    joined: list[str] = []
    for word in words:
        if word == "-" and joined and joined[-1].startswith("--"):
            joined[-1] += "=-"
        else:
            joined.append(word)
    return joined


def _under_commands(config: Mapping[str, Any], source: str) -> Callable[..., None]:
    """Return a source of arguments for whichever verb is called.

    Cyclopts takes the keys of a flat table that are also names of rooms for tables of their own and drops
    them, such as the argument `digest` of `digest verify`; below the verb's own name it leaves them alone.
    """

    def supply(app: App, commands: tuple[str, ...], arguments: Any) -> None:
        nested: dict[str, Any] = dict(config)
        for command in reversed(commands):
            nested = {command: nested}
        Dict(nested, source=source)(app, commands, arguments)

    return supply


def _input_error(error: cyclopts.CycloptsError) -> InputError:
    command = " ".join(["sulan", *(error.command_chain or ()), "--help"])
    return InputError(" ".join(str(error).split()), hint=command)


def _convert(type_: Any, tokens: Sequence[Any]) -> Any:
    """Convert words to a parameter's type; a tuple's members may be given as one word with commas."""
    if get_origin(type_) is tuple:
        tokens = [attrs.evolve(token, value=part) for token in tokens for part in token.value.split(",")]
    return cyclopts.convert(type_, tokens)


def table(path: Path) -> dict[str, Any]:
    """Read a TOML file of arguments or of steps.

    Raises
    ------
    MissingFile
        There is no such file.
    InputError
        It is not TOML; the message has line and column.
    """
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise MissingFile(f"no file at {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise InputError(f"{path} is not TOML: {error}") from error
