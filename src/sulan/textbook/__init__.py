"""Write textbooks and pretrain a small model on them (phi-1.5).

Paper: Textbooks Are All You Need II: phi-1.5 technical report, arXiv 2309.05463.

Only the card with the paper's claims exists so far; the verbs are still to come.
"""

from sulan.papers.room import room

__all__: list[str] = []

room(__name__)
