"""Fixtures of the whole suite."""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sulan.errors import MissingFile

if TYPE_CHECKING:
    from sulan.models import LanguageModel


def pytest_configure() -> None:
    # The tests run in one process a core already; torch's threads would wait for one another in spin loops.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # No test asks the Hub; a name that is nowhere is then nowhere, with or without a network.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # A shell that starts the tests in the background has them ignore Ctrl-C, and the processes that tests start
    # and interrupt would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real inputs: `$SULAN_SHARED`, or `shared` beside the checkout; never inside it."""
    folder = Path(os.environ.get("SULAN_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("the real abstracts are not part of this repository; set SULAN_SHARED to run this")
    return folder


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> "LanguageModel":
    """The built-in SmolLM2 in float32, converted once for all processes; mark tests with xdist_group("smollm2")."""
    from sulan import models
    from sulan.models import builtin

    try:
        builtin.smollm2()
    except MissingFile as error:
        pytest.skip(f"{error}: {error.hint}")
    own = tmp_path_factory.getbasetemp()
    home = (own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own) / "smollm2-home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SULAN_HOME", str(home))
        return models.load("smollm2", dtype="float32")
