"""The examples in the docstrings of the verifier are true."""

import doctest
import importlib

import pytest

MODULES = (
    *(
        "checks",
        "directions",
        "facts",
        "figures",
        "finding",
        "foreign",
        "names",
        "naming",
        "notation",
        "numerals",
    ),
    *("quantities", "sentences", "surroundings", "wording"),
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"sulan.digest.{name}")).failed == 0
