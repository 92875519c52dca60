"""The command line: `sulan ROOM VERB`, `sulan run RECIPE`.

A verb is a plain function; its signature is its flags, its docstring its help, its module is imported when it
is called or asked for help. This file turns the installed rooms into that table, prints the report that comes
back and turns an error into one line and an exit code. It knows nothing about any room.
"""

import logging
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sulan.errors import InputError, SulanError
from sulan.papers import verbs

if TYPE_CHECKING:
    from cyclopts import App

    from sulan.reports.report import Report

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""


@dataclass(frozen=True, kw_only=True)
class Switches:
    """The switches that every verb understands, wherever they stand on the line."""

    json: bool = False
    debug: bool = False
    config: Path | None = None


def application() -> "App":
    """Return the table of verbs with `run`, which the command line alone has."""
    app = verbs.application()
    app.help_epilogue = (
        "Every verb also takes --json (the report as JSON), --config FILE.toml (arguments from a file; "
        "flags on the line win) and --debug (tracebacks)."
    )
    app.command("sulan.recipes:run", name="run")
    return app


def main() -> None:
    """Run this process's command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(tokens: Sequence[str]) -> int:
    """Run one command line and return its exit code.

    0 good, 1 a check failed, 2 the user can fix it, 3 partial or a remote service failed, 130 interrupted.

    Parameters
    ----------
    tokens
        The words after `sulan`.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.getLogger("sulan").setLevel(logging.INFO)
    logging.getLogger("stamina").setLevel(logging.ERROR)  # a retry is told in our own words
    switches = Switches()
    try:
        switches, rest = _switches(tokens)
        config = verbs.table(switches.config) if switches.config else {}
        report = verbs.call(application(), rest, config=config, source=str(switches.config))
        if report is None:
            return 0  # --help and --version have printed what they had to say
        _print(report, as_json=switches.json)
        return report.exit_code
    except SulanError as error:
        return _say(error.message, hint=error.hint, code=error.exit_code, debug=switches.debug)
    except KeyboardInterrupt:
        return _say("interrupted; what was finished is kept", code=INTERRUPTED, debug=switches.debug)
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away (`sulan ... | head`): not an error of ours
        return 0
    except MemoryError:
        return _say("out of memory", code=3, debug=switches.debug)
    except OSError as error:
        # A full disk, a missing permission: the operating system's own words, not a traceback.
        return _say(str(error), code=3, debug=switches.debug)


def _switches(tokens: Sequence[str]) -> tuple[Switches, list[str]]:
    found: dict[str, Any] = {}
    rest: list[str] = []
    words = iter(tokens)
    for word in words:
        name, equals, value = word.partition("=")
        if word == "--":
            rest += [word, *words]
        elif word in ("--json", "--debug"):
            found[word.removeprefix("--")] = True
        elif name == "--config":
            path = value if equals else next(words, "")
            if not path:
                raise InputError("--config needs a file", hint="--config FILE.toml")
            found["config"] = Path(path)
        else:
            rest.append(word)
    return Switches(**found), rest


def _print(report: "Report", *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(report.to_json() + "\n")
        return
    from sulan.reports import terminal

    terminal.show(report)


def _say(message: str, *, hint: str = "", code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    if hint:
        sys.stderr.write(f"hint: {hint}\n")
    return code
