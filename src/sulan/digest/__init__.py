"""The day's papers as a digest that checks its own numbers.

Sulan's own room: it started from the digest of 2023-09-12.

Example::

    sulan digest write 2023-09-12 --out editions/2023-09-12
"""

from sulan.papers.room import room

__all__ = ["fetch", "site", "status", "verify", "write"]

room(__name__)
