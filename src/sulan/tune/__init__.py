"""Let a large frozen model reason and a small tuned model answer (FIAT).

Paper: FIAT: Fusing learning paradigms with Instruction-Accelerated Tuning, arXiv 2309.04663.

Only the card with the paper's claims exists so far; the verbs are still to come.
"""

from sulan.papers.room import room

__all__: list[str] = []

room(__name__)
