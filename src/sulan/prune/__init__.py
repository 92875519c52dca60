"""Score a corpus with a small language model and keep the part worth training on.

Paper: When Less is More: Investigating Data Pruning for Pretraining LLMs at Scale, arXiv 2309.04564.

Only the card with the paper's claims exists so far; the verbs are still to come.
"""

from sulan.papers.room import room

__all__ = ["compare", "inspect", "keep", "reference", "score"]

room(__name__)
