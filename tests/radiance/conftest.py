"""Mitsuba, once for all tests; without a usable LLVM these tests are skipped, counted and named."""

from pathlib import Path
from typing import Any

import pytest

import sulan
from radiance import measured_light, places
from sulan.errors import SulanError
from sulan.radiance import backend
from sulan.radiance.settings import SimulateSettings


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


@pytest.fixture(scope="session")
def made(mi: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A room with a lamp, a mirror bunny, a ball that falls, a cloth, all simulated: folder `moved`."""
    folder = tmp_path_factory.mktemp("verbs")
    places.folder(folder / "room", places.room())
    sulan.radiance.geometry(folder / "room", out=folder / "solid")
    sulan.radiance.light(folder / "solid", out=folder / "lit", steps=0)
    sulan.radiance.insert(
        folder / "lit", mesh="bunny", at=(0.3, 0.3, 0.42), scale=0.4, material="mirror", out=folder / "bunny"
    )
    sulan.radiance.insert(
        folder / "bunny", mesh="lowball", at=(-0.3, 0.2, 0.6), scale=0.3, body="rigid", out=folder / "ball"
    )
    sulan.radiance.insert(
        folder / "ball",
        mesh="cloth",
        at=(0.3, 0.3, 0.9),
        scale=0.3,
        body="cloth",
        mass=0.1,
        out=folder / "cloth",
    )
    sulan.radiance.simulate(
        folder / "cloth", out=folder / "moved", frames=3, settings=SimulateSettings(substeps=5)
    )
    return folder
