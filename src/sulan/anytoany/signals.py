"""Signal tokens: by a whole ordered span of them the language model asks for a medium.

Not covered: the spans that official checkpoints join with spaces.
"""

from collections.abc import Collection, Mapping
from itertools import pairwise

import torch
from transformers import LogitsProcessor

from sulan.anytoany.media import KINDS, Kind

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
    """

    def __init__(
        self,
        *,
        spans: Mapping[Kind, tuple[int, ...]],
        prompt: int,
        allowed: Collection[Kind] = KINDS,
        most: int = 1,
    ) -> None:
        self._spans, self._prompt, self._allowed, self._most = spans, prompt, allowed, most
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
                made[row, list(span if full else span[1:])] = -torch.inf
        return made  # pyrefly: ignore[bad-return]
