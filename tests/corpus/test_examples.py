"""The worked examples of the docstrings are true."""

import doctest
import importlib

import pytest

NAMES = """agreement alignment assembly baselines characters charsets codes counts guards languages minhash repairs
samples sentences unimax wordlists"""


@pytest.mark.parametrize("name", NAMES.split())
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"sulan.corpus.{name}"))
    assert found.attempted
    assert not found.failed
