"""Greedy continuation against transformers' own, alone and in company."""

from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
import torch
from transformers import GenerationConfig

from models.small import VOCABULARY, build, wrap
from sulan.errors import InputError
from sulan.models.continuation import greedy_continuation


@pytest.mark.parametrize("name", ["llama", "opt", "phi", "gpt2", "gemma3"])
def test_continuations_are_those_of_generate(name: str) -> None:
    model = wrap(build(name))
    prompts = np.random.default_rng(0).integers(1, VOCABULARY, (5, 20))
    found = greedy_continuation(model, prompts, 12, batch=4)
    cast(GenerationConfig, model.model.generation_config).eos_token_id = None
    generate = cast(Callable[..., torch.Tensor], model.model.generate)
    asked = torch.from_numpy(prompts)
    theirs = generate(asked, attention_mask=torch.ones_like(asked), max_new_tokens=12, do_sample=False)
    np.testing.assert_array_equal(found, theirs[:, 20:].numpy())


def test_company_changes_nothing() -> None:
    model = wrap(build("llama"))
    prompts = np.random.default_rng(1).integers(1, VOCABULARY, (30, 16))
    whole = greedy_continuation(model, prompts, 16, batch=16)
    np.testing.assert_array_equal(greedy_continuation(model, prompts[[29, 3]], 16, batch=16), whole[[29, 3]])
    assert greedy_continuation(model, prompts[:0], 16).shape == (0, 16)
    assert greedy_continuation(model, prompts, 0).shape == (30, 0)


def test_what_cannot_be_continued() -> None:
    model = wrap(build("llama"))
    with pytest.raises(InputError, match="context"):
        greedy_continuation(model, np.ones((1, 250), dtype=np.int64), 7)
    with pytest.raises(InputError, match="integers"):
        greedy_continuation(model, np.ones((1, 0), dtype=np.int64), 7)
    with pytest.raises(InputError, match="outside the vocabulary"):
        greedy_continuation(model, np.array([[VOCABULARY]]), 7)
