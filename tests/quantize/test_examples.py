"""The worked examples of the room's maths."""

import doctest
from types import ModuleType

import pytest

from sulan.quantize import (
    allocation,
    budgets,
    divergence,
    gptq,
    grid,
    layers,
    packing,
    settings,
    signround,
    sources,
)
from sulan.quantize.formats import gguf, onnx

MODULES = (
    allocation, budgets, divergence, gguf, gptq, grid, layers, onnx, packing, settings, signround, sources,
)  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples_work(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed
