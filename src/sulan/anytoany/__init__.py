"""Text, image, audio and video in and out of one language model (NExT-GPT).

Paper: NExT-GPT: Any-to-Any Multimodal LLM, arXiv 2309.05519.

Example::

    sulan anytoany chat system "draw what you hear" --audio beeps.wav --out reply
    sulan anytoany serve system
"""

from typing import TYPE_CHECKING

from sulan.papers.room import room

if TYPE_CHECKING:
    from sulan.anytoany.chat import chat
    from sulan.anytoany.generate import generate
    from sulan.anytoany.serve import serve
    from sulan.anytoany.web import web

__all__ = [
    "chat",
    "generate",
    "serve",
    "web",
]

room(__name__)
