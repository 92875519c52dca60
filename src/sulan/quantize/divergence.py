"""How far one model's predictions are from another's, token by token.

For the teacher's distribution p and the student's q at a position, KL(p || q) = sum p (log p - log q), in nats;
whether both have the same likeliest token; and the student's and teacher's loss on the token that came.
Computed in float32, one window at a time, so that logits of [tokens, vocabulary] exist for one window only. Not
covered: generation; texts longer than the window.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

Logits = Callable[[Tensor], Tensor]
"""A model: int64 [tokens] to float logits [tokens, vocabulary]."""


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """Comparison of a student with its teacher on windows of text.

    Attributes
    ----------
    kl
        KL divergence at every position, float64 [windows, tokens].
    agree
        Whether the likeliest tokens are the same, bool [windows, tokens].
    loss, teacher_loss
        Summed negative log-likelihood of each window's next tokens, float64 [windows].
    """

    kl: NDArray[numpy.float64]
    agree: NDArray[numpy.bool_]
    loss: NDArray[numpy.float64]
    teacher_loss: NDArray[numpy.float64]

    @property
    def predicted(self) -> int:
        """Next tokens in a window."""
        return self.kl.shape[1] - 1

    def perplexity(self) -> float:
        """Return the student's perplexity."""
        return float(numpy.exp(self.loss.sum() / (len(self.loss) * self.predicted)))

    def teacher_perplexity(self) -> float:
        """Return the teacher's perplexity."""
        return float(numpy.exp(self.teacher_loss.sum() / (len(self.loss) * self.predicted)))


def compare(teacher: Logits, students: dict[str, Logits], windows: Tensor) -> dict[str, Divergence]:
    """Compare students with one teacher, whose logits are computed once a window.

    Parameters
    ----------
    teacher, students
        Models.
    windows
        int64 [windows, tokens].
    """
    count, tokens = windows.shape
    kl = {name: numpy.zeros((count, tokens)) for name in students}
    agree = {name: numpy.zeros((count, tokens), bool) for name in students}
    loss = {name: numpy.zeros(count) for name in students}
    own = numpy.zeros(count)
    with torch.inference_mode():
        for number, window in enumerate(windows):
            expected = teacher(window).float().log_softmax(-1)
            share, top = expected.exp(), expected.argmax(-1)
            own[number] = next_loss(expected, window)
            for name, student in students.items():
                found = student(window).float().log_softmax(-1)
                kl[name][number] = (share * (expected - found)).sum(-1).double().cpu().numpy()
                agree[name][number] = (found.argmax(-1) == top).cpu().numpy()
                loss[name][number] = next_loss(found, window)
    return {
        name: Divergence(kl=kl[name], agree=agree[name], loss=loss[name], teacher_loss=own)
        for name in students
    }


def next_loss(log_probabilities: Tensor, window: Tensor) -> float:
    """Return the summed loss in nats on each position's next token.

    Examples
    --------
    >>> predicted = torch.tensor([[0.5, 0.5], [0.25, 0.75]]).log()
    >>> round(next_loss(predicted, torch.tensor([0, 1])), 4)
    0.6931
    """
    following = window[1:].to(log_probabilities.device)
    return -float(log_probabilities[:-1].gather(1, following[:, None]).double().sum())
