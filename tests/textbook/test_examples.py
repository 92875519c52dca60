"""The worked examples of the docstrings are true."""

import doctest
import importlib

import pytest

pytest.importorskip("sklearn")

NAMES = ("diversity", "educational", "mixing", "near_duplicates", "presets")


@pytest.mark.parametrize("name", NAMES)
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"sulan.textbook.{name}"))
    assert found.attempted
    assert not found.failed
