"""The one day that ships with Sulan, so that a first digest needs neither a network nor a key.

Ids, titles, authors and dates are the record's. The abstracts belong to their authors and are not copied:
each is reworded, with every number and name kept, and says so in `Paper.abstract_note`.
"""

import json
from functools import cache
from importlib import resources

from sulan.digest.paper import Paper

FILE = "day.json"


def papers(day: str) -> tuple[Paper, ...] | None:
    """Return the stored papers of `day` (`YYYY-MM-DD`) in the order of its list; None for any other day.

    Votes and comments stay unknown: the record that this was made from does not have them.
    """
    stored_day, stored = _read()
    return stored if day == stored_day else None


@cache
def _read() -> tuple[str, tuple[Paper, ...]]:
    document = json.loads(resources.files("sulan.digest").joinpath(FILE).read_text(encoding="utf-8"))
    shared = {
        "featured_on": document["day"],
        "abstract_note": document["abstract_note"],
        "source": "shipped",
    }
    return document["day"], tuple(Paper.model_validate(entry | shared) for entry in document["papers"])
