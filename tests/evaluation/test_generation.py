"""A text depends on its prompt, its id and the seed, and is what transformers writes."""

from typing import Any

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.small_models import CONTEXT, MODELS, TOKENIZER, language_model, prompt
from sulan.errors import BrokenArtefact, InputError
from sulan.evaluation import generation
from sulan.evaluation.generation import Generation, Sampling, generate
from sulan.models import LanguageModel, tiny

PROMPTS = {f"p{place}": "The cat sat on " * (place % 4) + "a dog " * (place % 7) for place in range(20)}


def written(model: LanguageModel, **options: Any) -> list[Generation]:
    arguments: dict[str, Any] = {"max_tokens": 12, **options}
    return list(generate(model, arguments.pop("prompts", PROMPTS), **arguments))


@pytest.mark.parametrize("name", MODELS)
def test_greedy_text_is_that_of_transformers(name: str) -> None:
    model: Any = MODELS[name].model
    for each in written(MODELS[name], batch=7):
        ids = torch.tensor([prompt(PROMPTS[each.id])[-(CONTEXT - 12) :]])
        peer = model.generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=0)
        assert list(each.tokens) == peer[0, ids.shape[1] :].tolist()
        assert each.dropped == max(0, len(prompt(PROMPTS[each.id])) - CONTEXT + 12)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_prompts_beside_a_prompt_do_not_matter(name: str, temperature: float) -> None:
    sampling = Sampling(temperature=temperature, top_p=0.9, top_k=50, seed=3)
    together = written(MODELS[name], sampling=sampling)
    assert [each.id for each in together] == list(PROMPTS)
    alone = written(MODELS[name], sampling=sampling, batch=1)
    turned = written(MODELS[name], sampling=sampling, batch=3, prompts=dict(reversed(PROMPTS.items())))
    assert together == alone == turned[::-1]
    if temperature:
        assert together != written(MODELS[name], sampling=Sampling(temperature=temperature, seed=4))


def test_stop_strings_cut_the_text_also_where_they_span_tokens() -> None:
    model = MODELS["opt"]
    (free,) = written(model, prompts={"a": "The cat"}, max_tokens=30)
    assert free.finish == "length"
    text = free.text
    place = len(text) // 2
    for stop in (text[place : place + 1], text[place : place + 5]):
        (cut,) = written(model, prompts={"a": "The cat"}, max_tokens=30, stop=["never", stop])
        assert cut.finish == "stop"
        assert cut.text == text[: text.index(stop)]
        assert cut.tokens == free.tokens[: len(cut.tokens)]
        shorter = TOKENIZER.decode(list(cut.tokens[:-1]))
        assert stop not in shorter  # it stopped as soon as it could


def test_the_end_of_text_ends_and_is_not_shown() -> None:
    model = tiny.llama(context=CONTEXT, tied=False)
    with torch.no_grad():  # whatever is read, token 0 is the likeliest
        model.lm_head.weight[0] = 0
        model.lm_head.weight[1:] = 0
    (found,) = written(language_model(model), prompts={"a": "The cat"})
    assert (found.text, found.tokens, found.finish) == ("", (TOKENIZER.eos_token_id,), "end")


def test_tokens_can_be_prompts() -> None:
    tokens = prompt("The cat sat on ")
    one, other = written(MODELS["phi"], prompts={"a": "The cat sat on ", "b": tokens})
    assert one.tokens == other.tokens


@settings(deadline=None, max_examples=50)
@given(
    logits=st.lists(st.floats(-5, 5), min_size=2, max_size=12).map(numpy.array),
    top_p=st.floats(0.05, 1),
    top_k=st.integers(0, 12),
)
def test_draws_have_the_probabilities_of_what_is_left(logits, top_p, top_k) -> None:
    sampling = Sampling(temperature=1.0, top_p=top_p, top_k=top_k)
    counts = numpy.zeros(len(logits))
    for number in (numpy.arange(2000) + 0.5) / 2000:
        counts[generation.draw(logits, number, sampling)] += 1
    probabilities = numpy.exp(logits) / numpy.exp(logits).sum()
    left = counts > 0
    expected = numpy.where(left, probabilities, 0) / probabilities[left].sum()
    # A token of less than 1/2000 may or may not be met.
    assert counts / 2000 == pytest.approx(expected, abs=2e-3)
    if top_k:
        assert left.sum() <= top_k
    else:
        assert probabilities[left].sum() >= top_p - 1e-2


@pytest.mark.parametrize(
    "options",
    [
        {"max_tokens": 0},
        {"max_tokens": CONTEXT},
        {"stop": [""]},
        {"stop": "word"},
        {"batch": 0},
        {"sampling": Sampling(temperature=-1)},
        {"sampling": Sampling(top_p=0)},
        {"sampling": Sampling(top_k=-1)},
        {"prompts": {"a": []}},
    ],
)
def test_what_cannot_be_written_costs_one_line(options) -> None:
    with pytest.raises(InputError) as caught:
        written(MODELS["llama"], **options)
    assert "\n" not in str(caught.value)


def test_logits_that_are_not_finite_are_said() -> None:
    broken = tiny.llama(context=CONTEXT)
    with torch.no_grad():
        broken.model.norm.weight[0] = numpy.nan
    with pytest.raises(BrokenArtefact, match="not finite"):
        written(language_model(broken))
