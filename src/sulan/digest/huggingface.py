"""The Hub's Daily Papers: `GET {endpoint}/api/daily_papers?date=...&limit=100&p=N`.

The Hub's own client library is not used: it drops the fields inside `paper` (keywords, code, stars) and takes
the arXiv date for the day a paper was featured. No key is needed; `HF_TOKEN` only raises the limits. Not
covered: discussions (no API) and the order by trend.
"""

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote

from sulan.digest import records
from sulan.digest.paper import Paper
from sulan.digest.transport import Client, Patience, Refused
from sulan.errors import BackendError

_log = logging.getLogger(__name__)

ENDPOINT = "https://huggingface.co"
VARIABLE = "HF_ENDPOINT"

PAGE = 100
"""Papers asked for at once: the most that the API gives."""

_DEFAULT_PAGE = 50
"""What the API gives where `limit` is not looked at, so a first page of this very size may not be all."""

MAX_PAGES = 50
"""A day has had at most a few hundred papers; a service that goes on for ever is stopped here."""


@dataclass(frozen=True, kw_only=True)
class Day:
    """What the Hub says of one day.

    Attributes
    ----------
    listing
        The papers, and what could not be used.
    body
        The items as they came, one JSON array over all pages, UTF-8.
    """

    listing: records.Listing
    body: bytes


def client(*, patience: Patience | None = None) -> Client:
    """Return a client of the Hub or of `HF_ENDPOINT`'s mirror; `HF_TOKEN` is sent to that host only."""
    return Client(
        os.environ.get(VARIABLE) or ENDPOINT,
        variable=VARIABLE,
        token=os.environ.get("HF_TOKEN", "").strip(),
        patience=patience,
    )


def day(day: date, client: Client) -> Day:
    """Return the list of a day; one without papers is not an error.

    Raises
    ------
    BackendError
        The service failed, sent something that is not a list of papers, or nothing in it could be used.
    """
    items = _items(day, client)
    found = records.listing(items, source="hf")
    if items and not found.papers:
        raise BackendError(
            f"{client.host} sent nothing usable for {day} in {len(items)} items: {found.skipped[0]}",
            hint="the API may have changed, or the mirror answers for something else",
        )
    # The payloads of 2023 do not say when a paper was featured: it stands in the list of the day asked for.
    papers = tuple(
        paper if paper.featured_on else paper.model_copy(update={"featured_on": day.isoformat()})
        for paper in found.papers
    )
    for line in (*found.skipped, *found.remarks):
        _log.warning("%s: %s", day, line)
    listing = records.Listing(papers=papers, skipped=found.skipped, remarks=found.remarks)
    return Day(listing=listing, body=json.dumps(items, ensure_ascii=True).encode())


def papers(ids: Sequence[str], client: Client) -> records.Listing:
    """Return single papers by id, one request each; one that the Hub does not know is reported as skipped.

    Raises
    ------
    BackendError
        The service failed, or knows none of them.
    """
    found: list[Paper] = []
    skipped: list[str] = []
    remarks: list[str] = []
    for paper_id in ids:
        notes: list[str] = []
        try:
            item = client.get_json(f"/api/papers/{quote(paper_id, safe='/')}")
            found.append(records.parse(item, source="hf", notes=notes))
        except (Refused, records.Unusable) as error:
            skipped.append(f"{paper_id}: {error}")
        remarks += [f"{paper_id}: {note}" for note in notes]
    if ids and not found:
        raise BackendError(f"no paper of {len(ids)} could be fetched: {skipped[0]}")
    return records.Listing(papers=tuple(found), skipped=tuple(skipped), remarks=tuple(remarks))


def _items(day: date, client: Client) -> list[object]:
    items: list[object] = []
    seen: set[str] = set()
    full = 0
    for page in range(MAX_PAGES):
        answer = client.get_json("/api/daily_papers", date=day.isoformat(), limit=PAGE, p=page)
        if not isinstance(answer, list):
            raise BackendError(
                f"{client.host} sent something else than a list of papers for {day}",
                hint=f"try again later, or check {VARIABLE}",
            )
        fresh = [item for item in answer if json.dumps(item, sort_keys=True) not in seen]
        seen.update(json.dumps(item, sort_keys=True) for item in fresh)
        items += fresh
        if page == 0:
            full = _DEFAULT_PAGE if len(answer) == _DEFAULT_PAGE else PAGE
        # A mirror that does not look at `p` sends the same page again: nothing fresh, so it ends too.
        if not fresh or len(answer) < full:
            return items
    raise BackendError(f"{client.host} sent {MAX_PAGES} full pages for {day} and did not end")
