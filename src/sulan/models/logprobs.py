"""Per-token log-probabilities of documents, in one pass and without logits of [tokens, vocabulary].

Not covered: encoder-decoder models.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from sulan.models import tokens
from sulan.models.loading import LanguageModel


@dataclass(frozen=True, kw_only=True)
class TokenScores:
    """What a model says about each token of one document.

    Attributes
    ----------
    nll
        Negative log-probability in nats, float32 [tokens].
    el2n
        Length of (predicted distribution - one-hot), float32 [tokens]; None unless asked for.
    hit
        Whether the token was the likeliest, bool [tokens]; None unless asked for.
    """

    nll: np.ndarray
    el2n: np.ndarray | None = None
    hit: np.ndarray | None = None


def score(
    language_model: LanguageModel,
    documents: Iterable[np.ndarray],
    *,
    context: int | None = None,
    tokens_per_batch: int = 4096,
    el2n: bool = False,
    hits: bool = False,
) -> Iterator[TokenScores]:
    """Score documents one after another."""
    length = context or language_model.context
    model, first = language_model.model, tokens.first_context(language_model.tokenizer)
    for document in documents:
        rows: list[np.ndarray] = []
        for inputs, targets in windows(document, first=first, context=length):
            with torch.inference_mode():
                logits = (
                    model(torch.from_numpy(inputs.astype(np.int64))[None], use_cache=False).logits[0].float()
                )
                logits = logits[-len(targets) :]
                at = torch.from_numpy(targets.astype(np.int64))[:, None]
                lse, z = logits.logsumexp(1), logits.gather(1, at)[:, 0]
                squares = torch.exp((2 * logits).logsumexp(1) - 2 * lse)
                norm = (squares - 2 * torch.exp(z - lse) + 1).clamp_min(0).sqrt()
                rows.append(torch.stack([lse - z, norm, (logits.argmax(1) == at[:, 0]).float()]).numpy())
        table = np.concatenate(rows, axis=1) if rows else np.zeros((3, 0), np.float32)
        yield TokenScores(
            nll=table[0], el2n=table[1] if el2n else None, hit=table[2].astype(bool) if hits else None
        )


def windows(
    document: np.ndarray, *, first: int | None, context: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give (inputs, targets) of a document's windows; the targets belong to the last inputs."""
    with_first = np.concatenate([[first], document]) if first is not None else document
    for end in range(1, len(with_first), context):
        stop = min(end + context, len(with_first))
        begin = max(0, stop - 1 - context)
        yield with_first[begin : stop - 1], with_first[end:stop]
