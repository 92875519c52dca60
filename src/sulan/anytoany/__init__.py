"""Text, image, audio and video in and out of one language model (NExT-GPT).

Paper: NExT-GPT: Any-to-Any Multimodal LLM, arXiv 2309.05519.

Only the card with the paper's claims exists so far; the verbs are still to come.
"""

from sulan.papers.room import room

__all__: list[str] = []

room(__name__)
