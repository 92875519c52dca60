"""Probabilities of the labels of a closed set: those of decoding that can say nothing else.

    P(label | prompt) = product over the label's tokens of   p(token) / sum of p over the tokens that a label has there

Where all labels differ in their first token one forward pass decides; labels that share a beginning are told apart
where they part. The probabilities of all labels sum to 1. Not covered: labels one of which is the beginning of
another in tokens; the token that ends an answer is part of every label, so there is none.
"""

from collections.abc import Sequence

import numpy as np
import torch

from sulan.errors import InputError
from sulan.tune.halves import ROW, Halves

Tokens = tuple[int, ...]


def branches(labels: Sequence[Tokens]) -> list[tuple[Tokens, dict[int, list[int]]]]:
    """Return the places where labels part: their common beginning, and by next token which labels go on with it.

    Raises
    ------
    InputError
        Two labels are the same tokens.

    Examples
    --------
    >>> branches([(5, 1), (6, 7, 1), (6, 8, 1)])
    [((), {5: [0], 6: [1, 2]}), ((6,), {7: [1], 8: [2]})]
    """
    found: list[tuple[Tokens, dict[int, list[int]]]] = []
    waiting: list[tuple[Tokens, list[int]]] = [((), list(range(len(labels))))]
    for beginning, members in waiting:
        depth = len(beginning)
        following: dict[int, list[int]] = {}
        for label in members:
            if depth == len(labels[label]):
                raise InputError("two labels are the same to the model's tokenizer")
            following.setdefault(labels[label][depth], []).append(label)
        if len(following) > 1:
            found.append((beginning, following))
        for token, together in following.items():
            if len(together) > 1:
                waiting.append(((*beginning, token), together))
    return found


@torch.no_grad()
def probabilities(halves: Halves, prompts: Sequence[np.ndarray], labels: Sequence[Tokens]) -> np.ndarray:
    """Return the probability of every label after every prompt, float64 [prompts, labels]."""
    places = branches(labels)
    texts = [
        (number, place, np.concatenate([prompt, np.asarray(beginning, dtype=np.int64)]))
        for number, prompt in enumerate(prompts)
        for place, (beginning, _) in enumerate(places)
    ]
    texts.sort(key=lambda each: len(each[2]))
    logs = np.zeros((len(prompts), len(labels)))
    for together in _runs(texts):
        ends = [np.array([len(text) - 1]) for _, _, text in together]
        logits = halves.above([text for _, _, text in together], ends).double()
        for row, (number, place, _) in zip(logits, together, strict=True):
            following = places[place][1]
            chances = row[list(following)].log_softmax(0).tolist()
            for members, chance in zip(following.values(), chances, strict=True):
                logs[number, members] += chance
    found = np.exp(logs)
    return found / found.sum(axis=1, keepdims=True)


def _runs(texts: Sequence[tuple[int, int, np.ndarray]]) -> list[list[tuple[int, int, np.ndarray]]]:
    found: list[list[tuple[int, int, np.ndarray]]] = []
    held = ROW
    for each in texts:
        if held + len(each[2]) > ROW:
            found.append([])
            held = 0
        found[-1].append(each)
        held += len(each[2])
    return found
