"""The worked examples of the docstrings."""

import doctest
import importlib

import pytest

MODULES = [
    "detectors",
    "gallery",
    "information",
    "options",
    "positions",
    "sequences",
    "spelling",
    "statistics",
    "triggers",
    "units",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"sulan.neurons.{name}"))
    assert found.attempted
    assert not found.failed
