"""Covering numbers and tables against a dense count, whatever the filters leave out."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sulan.neurons import sequences, triggers


def dense(active: np.ndarray, text: sequences.Sequences, n: int) -> dict[int, dict[tuple[int, ...], int]]:
    """n-grams of every neuron, counted one token at a time."""
    found: dict[int, dict[tuple[int, ...], int]] = {}
    for neuron in range(active.shape[1]):
        counts: dict[tuple[int, ...], int] = {}
        for token in np.flatnonzero(active[:, neuron]):
            if text.left[token] >= n - 1:
                gram = tuple(text.tokens[token - n + 1 : token + 1].tolist())
                counts[gram] = counts.get(gram, 0) + 1
        found[neuron] = counts
    return found


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
    st.integers(1, 12),
    st.integers(1, 6),
    st.sampled_from([1, 4, 1 << 20]),
)
def test_tables_are_the_dense_count(seed, lengths, vocabulary, most, budget):
    random = np.random.default_rng(seed)
    documents = [random.integers(0, vocabulary, length) for length in lengths]
    text = sequences.cut(documents, context=9, bos=0)
    shares = random.random((vocabulary, 11)) ** 6  # some neurons for few tokens, some for all
    active = random.random((len(text.tokens), 11)) < shares[text.tokens]
    bits = np.packbits(active, axis=1, bitorder="little")
    grams = {n: sequences.grams(text, n) for n in (1, 2, 3)}
    found = triggers.of_layer(
        lambda begin, end: bits[:, begin:end],
        active.sum(axis=0),
        grams,
        most=most,
        orders=(1, 2, 3),
        budget=budget,
        commonest=3,  # so that the bound over other tokens is put to use
    )
    for neuron, places in found.places.items():
        assert places.tolist() == np.flatnonzero(active[:, neuron])[: triggers.EXAMPLES].tolist()
    for n in (1, 2, 3):
        for neuron, counts in dense(active, text, n).items():
            ranked = np.asarray(sorted(counts.values(), reverse=True))
            covering = triggers.covering_number(ranked)
            assert found.triggers[n].covering[neuron] == min(covering, most + 1)
            if 0 < covering <= most:
                numbers, times = found.triggers[n].tables[neuron]
                assert {
                    tuple(grams[n].tokens[g].tolist()): t for g, t in zip(numbers, times, strict=True)
                } == counts
            else:
                assert neuron not in found.triggers[n].tables


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 12), max_size=6),
    st.integers(2, 9),
    st.booleans(),
    st.booleans(),
    st.integers(1, 40),
)
def test_windows_hold_every_token_once_and_ngrams_cross_nothing(lengths, context, bos, packed, limit):
    documents = [np.full(length, number + 1) for number, length in enumerate(lengths)]
    total = min(sum(lengths), limit)
    if not total:
        return
    text = sequences.cut(documents, context=context, bos=0 if bos else -1, packed=packed, limit=limit)
    assert len(text.tokens) == total
    assert text.lengths.max() <= context
    assert sum(text.lengths - text.first) == total
    if packed:
        assert (text.lengths[:-1] == context).all()
    for n in (2, 3):
        grams = sequences.grams(text, n)
        # Every document is one token repeated: an n-gram of two different ones would cross from one to another.
        assert all(len(set(gram)) == 1 for gram in grams.tokens.tolist())
        begins = text.windows[:-1]
        assert (grams.at[begins] == -1).all()
    assert sequences.grams(text, 1).totals.sum() == total
