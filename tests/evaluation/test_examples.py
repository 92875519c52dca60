"""The worked examples of the docstrings are true."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["significance", "correlation", "perplexity", "generation", "order"])
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"sulan.evaluation.{name}"))
    assert found.attempted
    assert not found.failed
