"""What the stages minimise beside cross-entropy.

Not covered: the min-SNR weights of the official newer code.
"""

import torch
from torch.nn.functional import cross_entropy, normalize


def alignment(condition: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the distance of conditions [batch, tokens, width], averaged over batch and tokens.

    mean over tokens of ||condition - wanted||, the length and not its square, as in the official code.

    Examples
    --------
    >>> alignment(torch.tensor([[[3.0, 4.0], [0.0, 0.0]]]), torch.zeros(1, 2, 2)).item()
    2.5
    """
    return torch.linalg.vector_norm(condition - wanted, dim=-1).mean()


def matching(one: torch.Tensor, other: torch.Tensor, *, temperature: float = 0.07) -> torch.Tensor:
    """Return how badly rows [batch, width] find their partners among the others', both ways (CLIP, 2103.00020).

    Parameters
    ----------
    one, other
        Row i of one belongs to row i of the other.
    temperature
        CLIP starts at 0.07; here it stays.

    Examples
    --------
    >>> rows = torch.eye(2)
    >>> round(matching(rows, rows, temperature=1.0).item(), 4)  # log(1 + exp(-1))
    0.3133
    """
    likeness = normalize(one, dim=-1) @ normalize(other, dim=-1).T / temperature
    partners = torch.arange(len(one), device=one.device)
    return (cross_entropy(likeness, partners) + cross_entropy(likeness.T, partners)) / 2
