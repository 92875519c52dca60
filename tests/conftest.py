"""Fixtures of the whole suite."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real inputs: `$SULAN_SHARED`, or `shared` beside the checkout; never inside it."""
    folder = Path(os.environ.get("SULAN_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("the real abstracts are not part of this repository; set SULAN_SHARED to run this")
    return folder
