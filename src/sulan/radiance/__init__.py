"""Meshes and radiance fields in one light transport and one simulation.

Paper: Dynamic Mesh-Aware Radiance Fields, arXiv 2309.04581.

Only the card with the paper's claims exists so far; the verbs are still to come.
"""

from sulan.papers.room import room

__all__: list[str] = []

room(__name__)
