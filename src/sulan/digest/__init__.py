"""The day's papers as a digest that checks its own numbers.

Sulan's own room: it started from the digest of 2023-09-12.

Example::

    sulan digest write 2023-09-12 --out editions/2023-09-12
"""

from typing import TYPE_CHECKING

from sulan.papers.room import room

if TYPE_CHECKING:
    from sulan.digest.fetch import fetch
    from sulan.digest.site import site
    from sulan.digest.status import status
    from sulan.digest.verify import verify
    from sulan.digest.write import write

__all__ = ["fetch", "site", "status", "verify", "write"]

room(__name__)
