"""Build and audit a many-language corpus from web pages (MADLAD-400).

Paper: MADLAD-400: A Multilingual And Document-Level Large Audited Dataset, arXiv 2309.04662.

Only the card with the paper's claims exists so far; the verbs are still to come.
"""

from sulan.papers.room import room

__all__: list[str] = []

room(__name__)
