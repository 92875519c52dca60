"""Translation: what is asked for, guards, budgets, training that resumes, scores beside baselines."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sulan import corpus
from sulan.corpus import guards, pairs, unimax
from sulan.corpus.baselines import Memory, by_words, dictionary
from sulan.corpus.samples import sentence
from sulan.corpus.translation import Shape, Training
from sulan.documents import reader
from sulan.errors import InputError, MissingFile
from sulan.runs import seeds

TINY = Shape(vocabulary=400, layers=1, width=32, heads=2)
SHORT = Training(steps=6, batch=4, longest=32, warmup=1, checkpoint_every=3)


def written(path: Path, rows: list[tuple[str, str]], *, source: str = "en", target: str = "es") -> Path:
    lines = [
        {"text": text, "translation": other, "source_lang": source, "target_lang": target}
        for text, other in rows
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [(sentence("en", number), sentence("es", number)) for number in range(0, 600, 10)]
    return written(tmp_path_factory.mktemp("pairs") / "pairs.jsonl", rows)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, some: Path) -> Path:
    out = tmp_path_factory.mktemp("model") / "model"
    corpus.translate_train((some,), out=out, shape=TINY, training=SHORT)
    return out


def test_unimax_of_the_issue() -> None:
    assert unimax.budgets([10, 100, 1000], budget=600, epochs=4) == [40, 280, 280]
    assert unimax.budgets([1000, 10, 100], budget=600, epochs=4) == [280, 40, 280]


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=8), st.integers(1, 10**6), st.integers(1, 20))
def test_unimax_spends_all_and_repeats_none_too_often(lengths: list[int], budget: int, epochs: int) -> None:
    found = unimax.budgets(lengths, budget=budget, epochs=epochs)
    assert sum(found) == pytest.approx(min(budget, epochs * sum(lengths)))
    assert all(given <= epochs * length * (1 + 1e-9) for given, length in zip(found, lengths, strict=True))


def test_guards() -> None:
    good = "Por la mañana el maestro lee una carta larga."
    source = "In the morning the teacher reads a long letter."
    assert guards.fails(source, good, told="es", wanted="es") == []
    assert guards.fails(source, good, told="pt", wanted="es") == ["language"]
    assert guards.fails(source, source, told="und", wanted="es") == ["copy"]
    assert guards.fails(source, "Sí.", told="es", wanted="es") == ["length"]
    assert guards.fails(
        source, "la casa la casa la casa la casa la casa la casa", told="es", wanted="es"
    ) == ["repetition"]


def test_chrf_is_sacrebleu_s() -> None:
    from sacrebleu import sentence_chrf

    assert guards.chrf("a small house", "a small horse") == pytest.approx(
        sentence_chrf("a small house", ["a small horse"]).score / 100, abs=1e-6
    )


def test_a_model_is_a_plain_checkpoint_and_answers_alike_in_both_engines(model: Path, tmp_path: Path) -> None:
    import shutil

    from sulan.corpus.translator import Translator

    said = [sentence("en", 3), "", sentence("en", 500)]
    fast = Translator(str(model)).translate(said, "es")
    shutil.copytree(model, tmp_path / "slow", ignore=shutil.ignore_patterns("ctranslate2"))
    assert Translator(str(tmp_path / "slow")).translate(said, "es") == fast
    assert fast[1] == ""


def test_training_sees_the_tokens_that_translating_asks_with(model: Path) -> None:
    from transformers import AutoTokenizer

    from sulan.corpus import seq2seq

    words: Any = AutoTokenizer.from_pretrained(model)
    found = pairs.Pair(
        id="a", text="A long letter.", translation="Una carta.", source_lang="en", target_lang="es"
    )
    data = seq2seq.encode([found], words, SHORT)
    assert data.sources["en-es"] == [words("<2es> A long letter.")["input_ids"]]


def test_the_pairs_of_a_step_are_alike_in_length_and_none_is_left_out() -> None:
    from sulan.corpus import seq2seq

    data = seq2seq.Encoded(
        sources={"en-es": [[1] * (number % 40 + 1) for number in range(400)], "es-en": [[1]] * 3},
        targets={"en-es": [[1]] * 400, "es-en": [[1]] * 3},
        shares={"en-es": 0.8, "es-en": 0.2},
    )
    steps = [seq2seq.drawn(data, 20, seed=3, step=step) for step in range(10 * seq2seq.POOL)]
    assert steps[5] == seq2seq.drawn(data, 20, seed=3, step=5)
    lengths = [[len(data.sources[name][number]) for name, number in step] for step in steps]
    # One in sixteen of 40 lengths: drawn one by one nearly every step would span more than 30.
    assert sum(max(each) - min(each) <= 8 for each in lengths) > 0.9 * len(lengths)
    seen = [place for step in steps for place in step]
    assert len(set(seen)) > 395
    assert sum(name == "es-en" for name, _ in seen) / len(seen) == pytest.approx(0.2, abs=0.02)


def test_an_unknown_language_is_refused(model: Path, some: Path, tmp_path: Path) -> None:
    from corpus import small

    source = small.identified(tmp_path / "in", [sentence("en", 1)])
    with pytest.raises(InputError, match="no token <2tlh>") as error:
        corpus.translate(source, model=str(model), to="tlh", out=tmp_path / "out")
    assert "es" in error.value.hint
    with pytest.raises(MissingFile, match="no translation model"):
        corpus.translate(source, model=str(tmp_path / "nowhere"), to="es", out=tmp_path / "out")
    with pytest.raises(InputError, match="no field translation"):
        (tmp_path / "bad.jsonl").write_text('{"text": "a", "source_lang": "en", "target_lang": "es"}\n')
        corpus.translate_train((tmp_path / "bad.jsonl",), out=tmp_path / "out")


def test_a_released_checkpoint_s_form_loads(tmp_path: Path) -> None:
    """MADLAD-400's: T5 1.1, untied head, `<2xx>` as plain pieces, decoding from token 0 and not from padding."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    from sulan.corpus.translator import Translator

    pieces = {"<unk>": 0, "<s>": 1, "</s>": 2, "<2de>": 3, "<2es>": 4, "hello": 5, "hola": 6}
    backend = Tokenizer(models.WordLevel(pieces, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="</s>", unk_token="<unk>", pad_token="<s>"
    )
    words.save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=7, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, feed_forward_proj="gated-gelu",
        pad_token_id=1, eos_token_id=2,
    )  # fmt: skip
    config.tie_word_embeddings = False
    config.decoder_start_token_id = 0
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    speaks = Translator(str(tmp_path))
    assert isinstance(speaks.translate(["hello"], "de")[0], str)
    with pytest.raises(InputError, match="<2fr>"):
        speaks.translate(["hello"], "fr")


def test_a_training_that_was_stopped_ends_with_the_same_weights(some: Path, tmp_path: Path) -> None:
    from sulan.corpus import seq2seq

    found = pairs.read([some])
    words = seq2seq.tokenizer([pair.text for pair in found], ["es"], vocabulary=400)
    data = seq2seq.encode(found, words, SHORT)

    def end(name: str) -> tuple[list[float], dict[str, Any]]:
        network = seq2seq.model(words, TINY, seed=0)
        losses = seq2seq.train(network, data, training=SHORT, seed=0, about={}, folder=tmp_path / name)
        return losses, {key: weight.tolist() for key, weight in network.state_dict().items()}

    end("stopped")
    (
        tmp_path / "stopped" / "step-00000006.safetensors"
    ).unlink()  # what a kill after the first checkpoint leaves
    assert end("stopped") == end("straight")


def test_dictionary_and_memory(some: Path) -> None:
    learned = [(pair.text, pair.translation) for pair in pairs.read([some])]
    words = dictionary(learned)
    assert by_words("letter", words) in ("lee", "una", "carta", "larga")
    assert Memory(learned).nearest(learned[7][0]) == learned[7][1]
    assert Memory(learned).nearest("zzz") == ""


def test_scores_beside_what_a_model_must_beat(model: Path, some: Path, tmp_path: Path) -> None:
    rows = [(sentence("en", number), sentence("es", number)) for number in range(5, 100, 10)]
    held = written(tmp_path / "held.jsonl", rows)
    report = corpus.translate_score(
        (held,), model=str(model), train=(some,), out=tmp_path / "out", resamples=20, other=str(model)
    )
    scores = {row[1]: row[3] for row in report.tables[0].rows}
    assert set(scores) == {"model", "other", "copy", "dictionary", "memory"}
    assert scores["model"] == scores["other"]
    differences = {row[1]: row for row in report.tables[1].rows}
    assert differences["other"][2] == 0
    assert differences["other"][5] == 1
    assert "nrefs:1" in str(report.summary["chrF2"])


def test_back_translation_turns_pairs_round_and_filters_them(model: Path, tmp_path: Path) -> None:
    from corpus import small

    source = small.identified(tmp_path / "in", [" ".join(sentence("en", number) for number in range(4))])
    with pytest.raises(InputError, match="<2en>"):
        corpus.translate(source, model=str(model), to="es", out=tmp_path / "out", back=True)
    report = corpus.translate(source, model=str(model), to="es", out=tmp_path / "plain")
    assert report.summary["pairs written"] == 4
    rows = reader.columns(tmp_path / "plain", ["source_lang", "target_lang", "fails"]).to_pydict()
    assert set(rows["source_lang"]) == {"en"}
    assert all(rows["fails"])


def test_alignment_finds_who_translates_whom() -> None:
    """Words in another order, and a word that translates nothing: to the token that asks for the language."""
    from sulan.corpus.alignment import align

    draw = seeds.generator(0, "pairs")
    sources, targets, wanted = [], [], []
    for _ in range(200):
        said = draw.permutation(20)[:6] + 1
        turned = said[[1, 0, 3, 2, 5, 4]]
        sources.append([0, *said.tolist()])
        targets.append([*(turned + 20).tolist(), 41])
        wanted.append([2, 1, 4, 3, 6, 5, 0])
    found = align(sources, targets, vocabulary=42)
    right = sum(a == b for one, two in zip(found, wanted, strict=True) for a, b in zip(one, two, strict=True))
    assert right / sum(map(len, wanted)) > 0.97
    assert align([], [], vocabulary=42) == []
    with pytest.raises(InputError, match="do not fit"):
        align(sources, targets, vocabulary=20_000)


def test_a_head_that_is_shown_where_to_look_looks_there(some: Path) -> None:
    """Chen et al. 2016: minus the logarithm of what attention gives to the right place."""
    import torch

    from sulan.corpus import guidance, seq2seq

    found = pairs.read([some])
    words = seq2seq.tokenizer([pair.text for pair in found], ["es"], vocabulary=400)
    network = seq2seq.model(words, TINY, seed=0)
    batch = {
        "input_ids": torch.tensor([[3, 10, 11, 12], [3, 13, 14, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]),
        "labels": torch.tensor([[20, 21, 1], [22, 1, -100]]),
    }
    places = torch.tensor([[3, 1, 2], [2, 0, 3]])
    with guidance.Head(network) as head:
        network.set_attn_implementation("eager")
        attention = network(**batch, output_attentions=True).cross_attentions[0][:, 0]
        given = [
            attention[0, 0, 3],
            attention[0, 1, 1],
            attention[0, 2, 2],
            attention[1, 0, 2],
            attention[1, 1, 0],
        ]
        loss = head.loss(places, batch)
        torch.testing.assert_close(loss, -torch.stack(given).log().mean())
        rate = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(60):
            network(**batch)
            (now := head.loss(places, batch)).backward()
            rate.step()
            rate.zero_grad()
    assert now < 0.2 * loss
