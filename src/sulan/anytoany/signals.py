"""Signal tokens: by a whole ordered span of them the language model asks for a medium.

Not covered: the spans that official checkpoints join with spaces.
"""

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

import torch
from transformers import LogitsProcessor, PreTrainedModel, PreTrainedTokenizerBase

from sulan.anytoany.media import KINDS, Kind
from sulan.errors import BrokenArtefact

COUNTS: Mapping[Kind, int] = {"image": 4, "audio": 8, "video": 24}
"""Signal tokens of each kind: the official code, commit 60d618b."""


def names(kind: Kind, count: int) -> tuple[str, ...]:
    """Return the tokens of a span, in order.

    Examples
    --------
    >>> names("image", 2)
    ('<image_00>', '<image_01>')
    """
    return tuple(f"<{kind}_{number:02}>" for number in range(count))


def add(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, counts: Mapping[Kind, int]
) -> dict[Kind, tuple[int, ...]]:
    """Give a language model its signal tokens and return their ids, span by span.

    New rows of both embeddings start at the mean of the old ones, as in the official code. Tokens that are there
    already keep their rows.
    """
    known = len(tokenizer)
    tokenizer.add_tokens([name for kind in counts for name in names(kind, counts[kind])], special_tokens=True)
    inward: Any = model.get_input_embeddings()
    if len(tokenizer) > len(inward.weight):
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        embeddings: list[Any] = [model.get_input_embeddings(), model.get_output_embeddings()]
        for embedding in embeddings:
            embedding.weight[known : len(tokenizer)] = embedding.weight[:known].mean(0)
    return spans(tokenizer, counts)


def spans(tokenizer: PreTrainedTokenizerBase, counts: Mapping[Kind, int]) -> dict[Kind, tuple[int, ...]]:
    """Return the ids of each kind's span.

    Raises
    ------
    BrokenArtefact
        The tokenizer does not know one of them.
    """
    vocabulary = tokenizer.get_vocab()
    missing = [name for kind in counts for name in names(kind, counts[kind]) if name not in vocabulary]
    if missing:
        raise BrokenArtefact(f"the tokenizer has no signal token {missing[0]}")
    return {kind: tuple(vocabulary[name] for name in names(kind, count)) for kind, count in counts.items()}


class WholeSpans(LogitsProcessor):
    """Lets a span begin with its first token alone, and then nothing but its next token follow.

    Parameters
    ----------
    spans
        Token ids of each kind's span, in order.
    prompt
        Tokens before the reply; spans in there do not count.
    allowed
        Kinds whose span may begin.
    most
        Spans of one kind in a reply.
    budget
        Tokens of a reply; a span that would not end within them does not begin.
    """

    def __init__(
        self,
        *,
        spans: Mapping[Kind, tuple[int, ...]],
        prompt: int,
        allowed: Collection[Kind] = KINDS,
        most: int = 1,
        budget: int | None = None,
    ) -> None:
        self._spans, self._prompt, self._allowed, self._most = spans, prompt, allowed, most
        self._budget = budget
        self._next = {a: b for span in spans.values() for a, b in pairwise(span)}

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Return the scores [batch, vocabulary], -inf where a token must not follow."""
        made = scores.clone()
        for row, ids in enumerate(input_ids[:, self._prompt :].tolist()):
            following = self._next.get(ids[-1]) if ids else None
            if following is not None:
                made[row] = -torch.inf
                made[row, following] = 0.0
                continue
            for kind, span in self._spans.items():
                full = kind not in self._allowed or ids.count(span[0]) >= self._most
                full |= self._budget is not None and len(ids) + len(span) > self._budget
                made[row, list(span if full else span[1:])] = -torch.inf
        return made  # pyrefly: ignore[bad-return]
