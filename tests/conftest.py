"""Fixtures of the whole suite."""

import os
import signal
from pathlib import Path

import pytest


def pytest_configure() -> None:
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
