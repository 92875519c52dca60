"""Quantise a language model's weights with signed gradient descent (SignRound).

Paper: Optimize Weight Rounding via Signed Gradient Descent for the Quantization of LLMs, arXiv 2309.05516.

Only the card with the paper's claims exists so far; the verbs are still to come.
"""

from sulan.papers.room import room

__all__: list[str] = []

room(__name__)
