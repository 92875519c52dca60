"""Choices are scored as one would by hand, and as lm-eval does."""

from typing import Any

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.small_models import CONTEXT, MODELS, TOKENIZER, language_model, prompt
from sulan.errors import BrokenArtefact, InputError
from sulan.evaluation import choices, encoding
from sulan.evaluation.choices import Item
from sulan.models import tiny

LONG = "The cat sat on the mat and the dog sat on the log. " * 10
PAIRS = [
    ("The cat sat on", " the mat"),
    ("The cat sat on ", "the mat"),
    ("The cat sat on", " a dog and a log"),
    ("", "The answer is 42."),
    ("What is 17 + 25?", " 42"),
    (LONG, " the mat"),
    ("速", "览"),
    ("The answer:", " A"),
    ("The answer:", " B"),
    ("no space", "between"),
]
ITEMS = [
    Item(id="mat", context="The cat sat on", choices=("the mat", "a log", "x"), answer=0),
    Item(id="sum", context="What is 17 + 25? The answer is", choices=("42", "41 or 速览"), answer=1),
    Item(id="long", context=LONG + "The answer:", choices=("A", "B", "C", "D"), answer=2),
    Item(id="free", context="", choices=("a", "The cat"), delimiter=""),
]


def pair(context: str, continuation: str) -> encoding.Row:
    return next(encoding.pairs(TOKENIZER, [(context, continuation)]))


def by_hand(model: torch.nn.Module, tokens: list[int], start: int) -> tuple[float, bool]:
    logs = model(torch.tensor([tokens[:-1]])).logits[0].double().log_softmax(1)
    wanted = tokens[start:]
    rows = logs[start - 1 :]
    total = sum(float(row[token]) for row, token in zip(rows, wanted, strict=True))
    return total, rows.argmax(1).tolist() == wanted


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("tokens_per_batch", [1, 150, 10_000])
def test_equals_a_pass_by_hand_whatever_the_batch(name: str, tokens_per_batch: int) -> None:
    model = MODELS[name]
    found = list(choices.loglikelihoods(model, PAIRS, tokens_per_batch=tokens_per_batch))
    for (context, continuation), each in zip(PAIRS, found, strict=True):
        row = pair(context, continuation)
        cut = max(0, len(row.tokens) - 1 - CONTEXT)
        expected, greedy = by_hand(model.model, list(row.tokens[cut:]), row.start - cut)
        assert each.loglikelihood == pytest.approx(expected, abs=1e-4)
        assert each.greedy == greedy
        assert each.tokens == len(row.tokens) - row.start


@settings(max_examples=100, deadline=None)
@given(context=st.text(max_size=12), continuation=st.text(min_size=1, max_size=12))
def test_a_pair_is_its_text_cut_in_two(context: str, continuation: str) -> None:
    row = pair(context, continuation)
    assert 0 < row.start < len(row.tokens)
    tokens = row.tokens if row.tokens[0] != TOKENIZER.bos_token_id else row.tokens[1:]
    assert TOKENIZER.decode(list(tokens)) == context + continuation


def test_special_tokens_inside_texts_are_letters() -> None:
    row = pair("a <|endoftext|>", " b<|endoftext|>")
    assert TOKENIZER.eos_token_id not in row.tokens
    assert TOKENIZER.eos_token_id not in prompt("<|endoftext|>")


def test_greedy_continuations_are_known_as_such() -> None:
    model = MODELS["opt"]
    before = prompt("The cat")
    body: Any = model.model
    made = body.generate(torch.tensor([before]), max_new_tokens=1, do_sample=False, pad_token_id=0)
    word = str(TOKENIZER.decode(made[0, len(before) :]))
    one, other = choices.loglikelihoods(model, [("The cat", word), ("The cat", " log")])
    assert one.greedy
    assert not other.greedy


def test_the_four_rules() -> None:
    model = MODELS["llama"]
    chosen = choices.choose(model, ITEMS, unconditional="Answer:")
    for item, each in zip(ITEMS, chosen, strict=True):
        sums = []
        for place, choice in enumerate(item.choices):
            pairs = [(item.context, item.delimiter + choice), ("Answer:", item.delimiter + choice)]
            after, free = choices.loglikelihoods(model, pairs)
            sums.append(after.loglikelihood)
            scores = {rule: each.scores[rule][place] for rule in choices.RULES}
            assert scores["sum"] == pytest.approx(after.loglikelihood, abs=1e-4)
            assert scores["token"] == pytest.approx(after.loglikelihood / after.tokens, abs=1e-4)
            assert scores["byte"] == pytest.approx(after.loglikelihood / len(choice.encode()), abs=1e-4)
            assert scores["unconditional"] == pytest.approx(
                after.loglikelihood - free.loglikelihood, abs=1e-4
            )
        assert each.choice() == int(numpy.argmax(sums))
    right = choices.accuracy(chosen, "byte")
    assert right.tolist() == [float(each.choice("byte") == each.answer) for each in chosen[:3]]
    assert "unconditional" not in choices.choose(model, ITEMS)[0].scores


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_learnt_the_answers_gives_them(name: str) -> None:
    asked = [
        Item(id=f"{n}", context=f"{n} + {n} =", choices=("1", "two", "速览"), answer=n % 3) for n in range(9)
    ]
    build = {"llama": tiny.llama, "opt": tiny.opt, "phi": tiny.phi}[name]
    model = build(context=CONTEXT, seed=5).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    rows = [pair(item.context, f" {item.choices[item.answer or 0]}") for item in asked]
    for _ in range(60):
        for row in rows:
            ids = torch.tensor([row.tokens])
            labels = ids.clone()
            labels[:, : row.start] = -100
            model(ids, labels=labels).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    chosen = choices.choose(language_model(model.eval()), asked, unconditional="")
    assert all(choices.accuracy(chosen, rule).mean() == 1 for rule in choices.RULES)


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], "no items"),
        ([ITEMS[0], ITEMS[0]], "two items have the id 'mat'"),
        ([Item(id="q", context="a", choices=())], "item 'q'"),
        ([Item(id="q", context="a", choices=("a", ""))], "item 'q'"),
        ([Item(id="q", context="a", choices=("a", "b"), answer=2)], "item 'q' has the answer 2"),
        ([Item(id="q", context="a", choices=("\ud800",))], "not Unicode"),
        ([Item(id="q", context="a", choices=(LONG,))], "context of LlamaForCausalLM holds 64"),
    ],
)
def test_what_cannot_be_chosen_costs_one_line(items: list[Item], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        choices.choose(MODELS["llama"], items)
    assert "\n" not in str(caught.value)


def test_no_finite_probability_is_said() -> None:
    broken = tiny.llama(context=CONTEXT)
    with torch.no_grad():
        broken.model.norm.weight[0] = numpy.nan
    with pytest.raises(BrokenArtefact, match="no finite probability"):
        choices.choose(language_model(broken), ITEMS)
