"""A model in this process: `open("gguf:PATH")`, `gguf:smollm2`, `gguf:gemma`, through llama.cpp (xllamacpp).

The two named models are small enough for tests of the whole path; neither can word a digest. What is covered:
chat with the model's own template on the CPU. Not covered: GPUs, adapters, several sequences at a time (more
threads asking wait for one another; one sequence already uses every thread that is given).
"""

import hashlib
import importlib
import importlib.util
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sulan.chat import completion
from sulan.chat.protocol import Reply, Request
from sulan.chat.settings import ChatSettings
from sulan.errors import BackendError, InputError, MissingExtra, MissingFile
from sulan.models import builtin

SAMPLE = 1 << 20
"""Bytes read at the beginning, middle and end of a model file that tell it from one of its name and size."""

ERRORS_ONLY = 0
"""llama.cpp's log level: it writes to stderr, where progress and errors of ours stand."""


class GGUFChat:
    """A chat with a model file.

    Parameters
    ----------
    path
        The GGUF file.
    threads
        Threads for prompt and reply.
    context
        Tokens of prompt and reply together.
    """

    def __init__(self, path: Path, *, threads: int, context: int) -> None:
        self.model = f"gguf:{path.stem}:{_fingerprint(path)}"
        self._server: Any = _serve(path, threads=threads, context=context)

    def reply(self, request: Request) -> Reply:
        """Answer one request; requests of several threads are answered one after another."""
        if self._server is None:
            raise BackendError(f"{self.model} is closed")
        body: dict[str, Any] = {
            "messages": completion.plain(request.messages),
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed if request.seed is not None else 0,  # unset would draw one from the clock
            # Reusing the state of the last prompt's beginning is faster but changes the logits a little, and
            # so the reply, according to what was asked before: measured, log-probabilities off by up to 1.4.
            "cache_prompt": False,
        }
        if request.stop:
            body["stop"] = list(request.stop)
        if request.schema is not None:
            body["grammar"] = compact_grammar(request.schema)
        try:
            found = self._server.handle_chat_completions(body)
        except (ValueError, RuntimeError) as error:  # how llama.cpp's exceptions arrive here
            raise BackendError(f"{self.model}: {' '.join(str(error).split())[:300]}") from error
        if "error" in found:
            raise BackendError(f"{self.model}: {found['error'].get('message', 'failed')}")
        try:
            return completion.read({**found, "model": self.model}, request, model=self.model)
        except completion.Unreadable as error:
            raise BackendError(f"{self.model}: {error}") from error

    def close(self) -> None:
        """Free the model's memory."""
        self._server = None


def connect(name: str, settings: ChatSettings) -> GGUFChat:
    """Load a model by path or by the name of a built-in one."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtra("xllamacpp", extra="gguf")
    path = builtin.BUILT_IN.get(name, lambda: Path(name).expanduser())()
    if not path.is_file():
        raise MissingFile(f"no model at {path}", hint="gguf:PATH of a .gguf file, gguf:smollm2 or gguf:gemma")
    with path.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise InputError(f"{path} is not a GGUF file")
    return GGUFChat(path, threads=settings.threads or free_cores(), context=settings.context)


def free_cores() -> int:
    """Cores that are idle now, at least 1; 1 where the variable `CI` is set.

    llama.cpp's threads wait for each other in spin loops after every layer: with two threads on a machine
    whose two cores are busy, SmolLM2 was measured at 1.4 tokens a second, against 30 with one thread.
    """
    if os.environ.get("CI"):
        return 1
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, int(min(cores, _quota()) - os.getloadavg()[0]))


def _quota() -> float:
    limit = Path("/sys/fs/cgroup/cpu.max")  # a container's share; the affinity mask does not show it
    if limit.is_file():
        share, _, period = limit.read_text().partition(" ")
        if share.isdigit():
            return int(share) / int(period)
    return float("inf")


def compact_grammar(schema: Mapping[str, Any]) -> str:
    """Return the grammar of a JSON schema without optional white space.

    With free white space, small models loop on legal tabs and line ends until the limit; without it SmolLM2
    needed 37 tokens instead of 92 for the same object.
    """
    compact = {**schema, "x-guidance": {"whitespace_flexible": False}}
    return f"%llguidance {{}}\nstart: %json {json.dumps(compact)}"


def _serve(path: Path, *, threads: int, context: int) -> Any:
    xllamacpp = importlib.import_module("xllamacpp")  # compiled, without types
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = context
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = ERRORS_ONLY
    # The server also listens on a port of 127.0.0.1; nothing here uses it, and nobody else may.
    params.api_keys = [secrets.token_hex(16)]
    params.ui = False
    params.endpoint_slots = False
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise InputError(f"llama.cpp cannot load {path}", hint="is the file complete?") from error


def _fingerprint(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        for at in (0, size // 2, max(size - SAMPLE, 0)):
            stream.seek(at)
            digest.update(stream.read(SAMPLE))
    return digest.hexdigest()[:12]
