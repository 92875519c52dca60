"""What `plant` plants: one neuron of every kind in each layer, and a text in which all of them show.

The text is random words; three times in ten a word is followed by its partner, so that some pairs and triples of
words are common. Not covered: text that means anything.
"""

from collections.abc import Iterator

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from sulan.errors import InputError
from sulan.neurons.planting import BOS, Gate
from sulan.runs import seeds

PARTNER = 0.3
"""Share of words followed by their partner."""


def gallery(*, vocabulary: int, context: int, layer: int) -> tuple[Gate, ...]:
    """Return the gates of one layer.

    Parameters
    ----------
    vocabulary, context
        See `planting.build`.
    layer
        Layers detect tokens of their own, so that each adds to those before it.

    Raises
    ------
    InputError
        There are too few tokens or positions for all kinds.
    """
    if vocabulary < 16 or context < 16:
        raise InputError("the gallery needs at least 16 tokens and 16 positions")
    words = vocabulary - 1

    def word(number: int) -> int:
        return 1 + (number + 7 * layer) % words

    first = word(0)
    second = partner(first, vocabulary)
    third = partner(second, vocabulary)
    half, quarter, band = context // 2, context // 4, context // 8
    oscillating = tuple(p for p in range(context) if (p // band) % 2 == 0)
    writes = 1 if layer % 4 == 3 else -1
    return (
        Gate(kind="token", token=(word(1),), writes=writes),
        Gate(kind="tokens", token=(word(2), word(3), word(4))),
        Gate(kind="bigram", before=(first,), token=(second,)),
        Gate(kind="trigram", before_that=(first,), before=(second,), token=(third,)),
        Gate(kind="half", position=tuple(range(half))),
        Gate(kind="quarter", position=tuple(range(context - quarter, context))),
        Gate(kind="oscillating", position=oscillating),
        Gate(
            kind="one extreme",
            position=tuple(range(half, context)),
            token=tuple(range(1, 1 + words // 2)),
            writes=0,
        ),
        Gate(kind="first", token=(BOS,), writes=0),
        Gate(kind="always"),
        Gate(kind="dead, proved", never="proved"),
        Gate(kind="dead, impossible", token=(word(5), word(6)), never="impossible", writes=0),
    )


def partner(word: int, vocabulary: int) -> int:
    """Return the word that often follows a word.

    Examples
    --------
    >>> partner(1, 48), partner(47, 48)
    (6, 5)
    """
    return 1 + (word - 1 + 5) % (vocabulary - 1)


def documents(*, vocabulary: int, context: int, count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yield id and text of documents, each of which fills one window."""
    for number in range(count):
        name = f"planted-{number:06d}"
        drawn = seeds.generator(seed, name)
        words = drawn.integers(1, vocabulary, context - 1)
        followed = drawn.random(context - 1) < PARTNER
        for place in range(1, context - 1):
            if followed[place]:
                words[place] = partner(int(words[place - 1]), vocabulary)
        yield name, " ".join(spelled(int(word)) for word in words)


def spelled(token: int) -> str:
    """Return the word of a token."""
    return f"w{token:02d}"


def tokenizer(*, vocabulary: int, context: int) -> PreTrainedTokenizerFast:
    """Return the tokenizer that reads one word as one token."""
    words = {"<s>": BOS} | {spelled(token): token for token in range(1, vocabulary)}
    made = Tokenizer(models.WordLevel(words, unk_token="<s>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="<s>", model_max_length=context
    )


def truth(gates: tuple[tuple[Gate, ...], ...], tokens: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """Tell where every planted neuron is active, by (layer, neuron); bool [sequences, positions]."""
    return {
        (layer, neuron): gate.is_open(tokens)
        for layer, planted in enumerate(gates)
        for neuron, gate in enumerate(planted)
    }
