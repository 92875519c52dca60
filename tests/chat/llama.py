"""llama.cpp's own OpenAI-compatible server with the built-in SmolLM2, for tests of both ends of the wire."""

from typing import Any

import pytest

from sulan.errors import MissingFile
from sulan.models import builtin

KEY = "sk-local"


def serve(*, context: int) -> Any:
    """Return a running server (`.listening_address`); skips the test, with its reason, where it cannot run."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="the extra gguf is not installed")
    try:
        model = builtin.smollm2()
    except MissingFile as error:
        pytest.skip(f"{error}: {error.hint}")
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_ctx = context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = 0
    params.api_keys = [KEY]
    return xllamacpp.Server(params)
