"""The worked examples of the docstrings."""

import doctest
import importlib

import pytest

MODULES = [
    "collider",
    "coloured",
    "coordinates",
    "field",
    "harmonics",
    "images",
    "lighting",
    "mesh_distances",
    "oracle",
    "studio",
    "training",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"sulan.radiance.{name}"))
    assert found.attempted
    assert not found.failed
