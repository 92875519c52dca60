"""What becomes of a made medium before anybody sees it: it is checked, written as a file and marked."""

import logging
from dataclasses import dataclass

from sulan.anytoany import files
from sulan.anytoany.media import Media
from sulan.anytoany.provenance import Marker
from sulan.anytoany.safety import Checker, Unchecked

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Withheld:
    """A medium that is not shown, and why, in a sentence for whoever asked."""

    reason: str


class Delivery:
    """Turns media into files that may be shown.

    Parameters
    ----------
    checker
        Judges each medium.
    provenance
        Mark the files; without, the log says so once.
    """

    def __init__(self, *, checker: Checker | None = None, provenance: bool = True) -> None:
        self.checker = checker or Unchecked()
        self._marker = Marker() if provenance else None
        if not provenance:
            log.warning("generated media are not marked as generated (--no-provenance)")

    def file(self, media: Media) -> bytes | Withheld:
        """Return a medium's file, or why it's withheld."""
        reason = self.checker.medium(media)
        if reason:
            log.info("withheld a generated %s: %s", media.kind, reason)
            return Withheld(reason=f"The {media.kind} is withheld: {reason}.")
        body = files.encode(media)
        return self._marker.mark(body, type=files.TYPES[media.kind]) if self._marker else body
