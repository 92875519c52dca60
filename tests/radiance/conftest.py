"""Mitsuba, once for all tests; without a usable LLVM these tests are skipped, counted and named."""

from pathlib import Path
from typing import Any

import pytest

from radiance import measured_light
from sulan.errors import SulanError
from sulan.radiance import backend


@pytest.fixture(scope="session")
def mi() -> Any:
    try:
        return backend.mitsuba("cpu")
    except SulanError as error:
        pytest.skip(f"{error}: {error.hint}")


@pytest.fixture(scope="session")
def studio(mi: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the studio's capture, field, collider and lights: minutes of CPU, for slow tests alone."""
    folder = tmp_path_factory.mktemp("studio")
    measured_light.lit(folder)
    return folder
