"""The oracle: in a model whose gates were drawn at random, every class, trigger and position is found exactly."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurons.counting import counted, meta_of, text_of, written
from sulan.models import LanguageModel
from sulan.neurons import classes, gallery, planting
from sulan.neurons.planting import BOS, Gate

FEW = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def planted(draw):
    """Gates of every form, in layers, with a text."""
    vocabulary, context = draw(st.integers(5, 20)), draw(st.integers(6, 24))
    words = st.lists(st.integers(1, vocabulary - 1), unique=True, max_size=3).map(tuple)
    places = st.lists(st.integers(0, context - 1), unique=True, max_size=context).map(tuple)
    gates = st.builds(
        Gate,
        kind=st.just("drawn"),
        token=words,
        before=words,
        before_that=words,
        position=places,
        never=st.sampled_from(["", "", "", "", "proved"]),
        writes=st.sampled_from([-1, 1]),
    )
    layers = draw(st.lists(st.lists(gates, min_size=1, max_size=6), min_size=1, max_size=3))
    seed = draw(st.integers(0, 2**32 - 1))
    rows = np.random.default_rng(seed).integers(1, vocabulary, (draw(st.integers(1, 12)), context))
    rows[:, 0] = BOS
    return layers, vocabulary, context, rows


def ngrams_of(rows: np.ndarray, n: int) -> list[tuple[int, int, tuple[int, ...]]]:
    """Window, position and n-gram, beginning of sequence left out."""
    return [
        (window, position, tuple(int(token) for token in rows[window, position - n + 1 : position + 1]))
        for window in range(len(rows))
        for position in range(n, rows.shape[1])
    ]


@FEW
@given(planted())
def test_counters_and_tables_are_the_gates_own(drawn):
    layers, vocabulary, context, rows = drawn
    model = planting.build(layers, vocabulary=vocabulary, context=context)
    text = text_of(rows)
    meta = meta_of(model, text, most=10**6)
    with tempfile.TemporaryDirectory() as folder:
        found = counted(model, text, meta, Path(folder))
    for layer, gates in enumerate(layers):
        for neuron, gate in enumerate(gates):
            active = gate.is_open(rows)
            assert found.active[layer, neuron] == active[:, 1:].sum()
            assert found.first[layer, neuron] == active[:, 0].sum()
            assert (found.position[layer, :, neuron] == active.sum(axis=0)).all()
            for n in (1, 2, 3):
                expected: dict[tuple[int, ...], int] = {}
                for window, position, gram in ngrams_of(rows, n):
                    if active[window, position]:
                        expected[gram] = expected.get(gram, 0) + 1
                table = found.tables[n]
                at = np.flatnonzero(table.neuron == layer * meta.neurons + neuron)
                if not expected:
                    assert not len(at)
                    assert table.covering[layer, neuron] == 0
                    continue
                grams, counts = table.rows(int(at[0]))
                assert expected == {
                    tuple(table.tokens[gram].tolist()): int(count)
                    for gram, count in zip(grams, counts, strict=True)
                }
                ranked = sorted(expected.values(), reverse=True)
                needed = next(k for k in range(len(ranked) + 1) if 100 * sum(ranked[:k]) >= 95 * sum(ranked))
                assert table.covering[layer, neuron] == needed
            places = [
                window * (context - 1) + position - 1 for window, position in np.argwhere(active) if position
            ]
            kept = found.examples[layer, neuron]
            assert kept[kept >= 0].tolist() == places[: len(kept)]


@FEW
@given(planted(), st.lists(st.integers(0, 11), max_size=4), st.sampled_from([1, 2, 5]))
def test_neither_units_nor_batch_change_a_byte(drawn, cuts, batch):
    layers, vocabulary, context, rows = drawn
    model = planting.build(layers, vocabulary=vocabulary, context=context)
    text = text_of(rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        meta = meta_of(model, text, most=5)
        whole = written(counted(model, text, meta, folder / "a"), folder / "whole")
        cuts = [each for each in cuts if each <= -(-len(rows) // batch)]
        divided = counted(model, text, meta, folder / "b", batch=batch, cuts=cuts)
        assert written(divided, folder / "divided") == whole


def test_the_gallery_is_classified_as_it_was_planted(tmp_path):
    gates = [gallery.gallery(vocabulary=48, context=64, layer=layer) for layer in range(2)]
    model = planting.build(gates, vocabulary=48, context=64)
    tokenizer = gallery.tokenizer(vocabulary=48, context=64)
    texts = [text for _, text in gallery.documents(vocabulary=48, context=64, count=300, seed=0)]
    rows = np.array([[BOS, *(int(word[1:]) for word in text.split())] for text in texts])
    text = text_of(rows)
    meta = meta_of(model, text)
    language_model = LanguageModel(
        model=model, tokenizer=tokenizer, name="", fingerprint="", tokenizer_fingerprint="", context=64
    )
    found = classes.classify(counted(model, text, meta, tmp_path), text, meta, language_model, minimum=10)
    neurons = found.neurons.to_pylist()
    triggers = found.triggers.to_pylist()
    for layer, planted_here in enumerate(gates):
        for neuron, gate in enumerate(planted_here):
            row = neurons[layer * meta.neurons + neuron]
            covered = {
                n: {
                    tuple(t["tokens"])
                    for t in triggers
                    if (t["layer"], t["neuron"], t["n"]) == (layer, neuron, n) and t["covered"]
                }
                for n in (1, 2, 3)
            }
            expected = {
                "token": ("alive", "", (True, False, False), ""),
                "tokens": ("alive", "", (True, False, False), ""),
                "bigram": ("alive", "", (False, True, False), ""),
                "trigram": ("alive", "", (False, False, True), ""),
                "half": ("alive", "", (False, False, False), "both extremes"),
                "quarter": ("alive", "", (False, False, False), "both extremes"),
                "oscillating": ("alive", "", (False, False, False), "oscillatory"),
                "one extreme": ("alive", "", (False, False, False), "one extreme"),
                "first": ("first only", "", (False, False, False), ""),
                "always": ("always", "", (False, False, False), ""),
                "dead, proved": ("dead", "proved", (False, False, False), ""),
                "dead, impossible": ("dead", "observed", (False, False, False), ""),
            }[gate.kind]
            got = (row["status"], row["proof"], tuple(row[f"detector_{n}"] for n in (1, 2, 3)), row["type"])
            assert got == expected, gate.kind
            if gate.kind in ("token", "tokens"):
                assert covered[1] == {(token,) for token in gate.token}
                assert row["effect"] < 0
            if gate.kind == "bigram":
                assert covered[2] == {(*gate.before, *gate.token)}
            if gate.kind == "trigram":
                assert covered[3] == {(*gate.before_that, *gate.before, *gate.token)}
            nats = {"half": 0.6931, "oscillating": 0.6931, "quarter": 0.5623, "first": 0.0805}
            if gate.kind in nats:
                assert round(row["information"], 4) == nats[gate.kind]
    assert found.measured["dead.count"] == 4
    assert found.measured["dead.proved.count"] == 2
    assert found.measured["detectors.token.count"] == 4
    assert found.measured["detectors.token.covered"] == 8  # each layer detects tokens of its own
    assert [row["new_1"] for row in found.layers.to_pylist()] == [4, 4]
    assert found.measured["detectors.token.suppressing.share"] == 1.0


def test_a_promoting_neuron_is_not_taken_for_a_suppressing_one(tmp_path):
    gates = [[Gate(kind="token", token=(3,), writes=1), Gate(kind="token", token=(4,), writes=-1)]]
    model = planting.build(gates, vocabulary=8, context=12)
    rows = np.random.default_rng(0).integers(1, 8, (30, 12))
    rows[:, 0] = BOS
    text = text_of(rows)
    meta = meta_of(model, text)
    tokenizer = gallery.tokenizer(vocabulary=8, context=12)
    language_model = LanguageModel(
        model=model, tokenizer=tokenizer, name="", fingerprint="", tokenizer_fingerprint="", context=12
    )
    found = classes.classify(counted(model, text, meta, tmp_path), text, meta, language_model, minimum=10)
    promoting, suppressing = found.neurons["effect"].to_pylist()
    assert promoting > 0 > suppressing
    words = found.words.to_pylist()
    assert words[0]["promoted"][0] == "w03"
    assert words[1]["suppressed"][0] == "w04"
    assert words[0]["examples"][0][1] == "w03"
    assert found.measured["detectors.token.suppressing.share"] == 0.5


def test_the_model_is_an_ordinary_one(tmp_path):
    from sulan import models

    gates = [gallery.gallery(vocabulary=16, context=16, layer=0)]
    model = planting.build(gates, vocabulary=16, context=16)
    models.save(model, gallery.tokenizer(vocabulary=16, context=16), tmp_path)
    loaded = models.load(tmp_path, dtype="float32")
    tokens = torch.tensor([[0, 3, 4, 5]])
    assert torch.equal(loaded.model(tokens).logits, model(tokens).logits)
    assert loaded.tokenizer("w03 w15")["input_ids"] == [3, 15]
