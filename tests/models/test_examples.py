"""The worked examples in docstrings, run."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["logprobs", "saving"])
def test_examples_in_docstrings(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"sulan.models.{name}"))
    assert found.attempted > 0 and found.failed == 0
