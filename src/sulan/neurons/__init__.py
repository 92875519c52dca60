"""Find dead, n-gram and positional neurons of a language model.

Paper: Neurons in Large Language Models: Dead, N-gram, Positional, arXiv 2309.04827.

Only the card with the paper's claims exists so far; the verbs are still to come.
"""

from sulan.papers.room import room

__all__: list[str] = []

room(__name__)
