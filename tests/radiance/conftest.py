"""Mitsuba, once for all tests; without a usable LLVM these tests are skipped, counted and named."""

from typing import Any

import pytest

from sulan.errors import SulanError
from sulan.radiance import backend


@pytest.fixture(scope="session")
def mi() -> Any:
    try:
        return backend.mitsuba("cpu")
    except SulanError as error:
        pytest.skip(f"{error}: {error.hint}")
