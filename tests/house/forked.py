"""Command lines in processes that are forked from one which has imported the large libraries already.

Importing transformers takes four CPU seconds, and the suites over all rooms and pages run a hundred commands. What is
tested stays a process of its own with its own folder, environment and exit code; that a command works from a standing
start, and imports nothing heavy too early, other tests see.

Run as a program this file is that one process: a request as JSON in, an exit code out, a line each.
"""

import atexit
import contextlib
import importlib
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

LARGE = (
    "pyarrow.parquet",
    "torch",
    "transformers.modeling_utils",
    "transformers.models.auto.modeling_auto",
    "transformers.models.llama.modeling_llama",
    "transformers.models.phi.modeling_phi",
    "transformers.tokenization_utils_tokenizers",
    "transformers.generation.utils",
    "peft",
    "scipy.stats",
    "matplotlib.figure",
)
"""Libraries of more than one room; those that are not installed are left out."""

OFFLINE = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
"""What libraries read when they are imported."""


def sulan(
    *words: str, folder: Path, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `sulan WORDS` in a folder, with further environment variables."""
    with tempfile.TemporaryDirectory() as name:
        out, error = Path(name, "out"), Path(name, "error")
        request = {
            "words": words,
            "folder": str(folder),
            "environment": dict(environment),
            "out": str(out),
            "error": str(error),
        }
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        if not select.select([server.stdout], [], [], timeout)[0]:
            server.kill()
            _server.cache_clear()
            raise subprocess.TimeoutExpired(["sulan", *words], timeout)
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess(
            ["sulan", *words], code, out.read_text(errors="replace"), error.read_text(errors="replace")
        )


@cache
def _server() -> "subprocess.Popen[str]":
    server = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **OFFLINE},
    )
    atexit.register(server.kill)
    return server


def _serve() -> None:
    for name in LARGE:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _run(request)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def _run(request: Mapping[str, Any]) -> None:
    """Become the command; does not return."""
    from sulan import cli

    os.setsid()  # what the command starts and leaves behind is not the server's
    nothing = os.open(os.devnull, os.O_RDONLY)
    for path, number in ((request["out"], 1), (request["error"], 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(nothing, 0)
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    sys.argv = ["sulan", *request["words"]]
    code = 1
    try:
        code = cli.run(request["words"])
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:  # the traceback is what the test shows
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder
    _serve()
