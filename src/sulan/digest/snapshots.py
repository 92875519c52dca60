"""One day's papers: from the store where it has them for good, else from a service, else a plain failure.

`obtain` is what `write` calls; `update` is one day of `fetch`. Every network access of the room that reads
papers goes through here.
"""

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from sulan.digest import arxiv, huggingface, identifiers, records
from sulan.digest.days import is_open
from sulan.digest.paper import Paper
from sulan.digest.records import Listing, Source
from sulan.digest.store import Saved, Snapshot, Store
from sulan.digest.transport import Client
from sulan.errors import BackendError, InputError, MissingFile

Service = Literal["hf", "arxiv"]


@dataclass(frozen=True, kw_only=True)
class Update:
    """What one fetch of a day did.

    Attributes
    ----------
    saved
        What changed in the store.
    messages
        One line for each thing that the user should know.
    partial
        Whether a record had to be left out.
    """

    saved: Saved
    messages: tuple[str, ...]
    partial: bool


def obtain(
    day: date, store: Store, *, now: datetime, offline: bool = False, client: Client | None = None
) -> Snapshot:
    """Return a day's papers, fetching them where need be.

    A day that is stored as complete is returned without a call. An open one is fetched again and merged; when
    that fails, the stored list is returned with a note. A stored list of arXiv submissions stands in for the
    Hub's only where the Hub cannot be asked.

    Parameters
    ----------
    day
        A day in UTC that is not in the future.
    store
        Read, and written to by a fetch.
    now
        The present time.
    offline
        Make no call.
    client
        The Hub's client; default: one for this call.

    Raises
    ------
    MissingFile
        Offline, and the day is not stored.
    BackendError
        The day is not stored and could not be fetched.
    """
    stored = store.papers(day)
    if stored is not None and stored.state == "complete" and stored.source != "arxiv":
        return stored
    if offline:
        if stored is None:
            raise MissingFile(
                f"{day} is not stored, and offline nothing is fetched", hint=f"sulan digest fetch {day}"
            )
        note = f"The list was still open when it was fetched ({stored.fetched_at})."
        return stored if stored.state == "complete" else dataclasses.replace(stored, notes=(note,))
    try:
        with ExitStack() as stack:
            client = client or stack.enter_context(huggingface.client())
            update(day, store, service="hf", client=client, now=now)
    except BackendError as error:
        if stored is None:
            raise
        return dataclasses.replace(stored, notes=(f"The list could not be fetched again: {error}.",))
    fresh = store.papers(day, source="hf")
    if fresh is None:
        raise AssertionError(f"{day} was saved and is not there")
    return fresh


def update(
    day: date,
    store: Store,
    *,
    service: Service,
    client: Client,
    now: datetime,
    arxiv_client: Client | None = None,
) -> Update:
    """Fetch one day from a service and merge it into the store.

    Parameters
    ----------
    day
        A day in UTC.
    store
        Where it goes; a failure is noted there and changes nothing else.
    service
        `hf`: the Hub's daily list. `arxiv`: all submissions of that day to `arxiv.CATEGORIES`.
    client
        The service's client.
    now
        The present time.
    arxiv_client
        Also ask arXiv for what the Hub does not say; its failure is only a message.

    Raises
    ------
    BackendError
        The service failed.
    """
    try:
        listing, body = _list(day, store, service=service, client=client, now=now)
    except BackendError as error:
        store.fail(day, source=service, at=_stamp(now), message=str(error))
        raise
    messages = list(listing.skipped + listing.remarks)
    if arxiv_client is not None:
        messages += enrich([paper.id for paper in listing.papers], store, client=arxiv_client, now=now)
    return _save(day, listing, store, source=service, now=now, body=body, messages=messages)


def store_input(day: date, listing: Listing, store: Store, *, now: datetime) -> Update:
    """Make a file's papers the list of a day under the source `file`; an earlier file's list makes way."""
    return _save(
        day,
        listing,
        store,
        source="file",
        now=now,
        messages=[*listing.skipped, *listing.remarks],
        replace=True,
    )


def complete(listing: Listing, store: Store, *, service: Service, client: Client, now: datetime) -> Listing:
    """Return a listing in which papers known by id only have been asked for.

    Raises
    ------
    BackendError
        The service failed, or knows none of them.
    """
    wanted = [paper.id for paper in listing.papers if not paper.title]
    if not wanted:
        return listing
    skipped, remarks = listing.skipped, listing.remarks
    found: dict[str, Paper] = {}
    if service == "hf":
        answer = huggingface.papers(wanted, client)
        found = {paper.id: paper for paper in answer.papers}
        skipped, remarks = skipped + answer.skipped, remarks + answer.remarks
    else:
        known = store.arxiv(wanted)
        for batch in arxiv.by_id([paper_id for paper_id in wanted if paper_id not in known], client):
            _keep(batch, store, now)
            found |= {record.id: arxiv.paper(record) for record in batch}
        found |= {p.id: p for p in arxiv.enriched([_blank(paper_id) for paper_id in known], known)}
        unknown = [paper_id for paper_id in wanted if paper_id not in found]
        skipped += tuple(f"{paper_id}: {client.host} does not know it" for paper_id in unknown)
        if not found:
            raise BackendError(f"{client.host} knows none of the {len(wanted)} ids")
    papers = (found.get(paper.id, paper) for paper in listing.papers)
    return Listing(papers=tuple(p for p in papers if p.title), skipped=skipped, remarks=remarks)


def by_day(listing: Listing, days: Sequence[date], *, bare: Collection[str] = ()) -> dict[date, Listing]:
    """Return the papers of a file by the day they belong to.

    A paper belongs to the day its record says it was featured; one whose record does not say, and one that
    the file knew by id only, to the one day asked for. Papers of other days are left out and counted.

    Parameters
    ----------
    listing
        The file's papers.
    days
        The days asked for, in order.
    bare
        Ids of the papers that the file knew by id only.

    Raises
    ------
    InputError
        Several days are asked for and some papers do not say theirs, or none belongs to a day asked for.
    """
    wanted: dict[str, list[Paper]] = {day.isoformat(): [] for day in days}
    only = days[0].isoformat()
    others = 0
    for paper in listing.papers:
        if not paper.featured_on and len(days) > 1:
            raise InputError(
                f"{paper.id} does not say on which of {len(days)} days it was featured",
                hint="fetch the file's papers for one day",
            )
        alone = len(days) == 1 and paper.id in bare
        day = only if alone or not paper.featured_on else paper.featured_on
        if day in wanted:
            wanted[day].append(paper.model_copy(update={"featured_on": day}))
        else:
            others += 1
    if listing.papers and others == len(listing.papers):
        seen = sorted({paper.featured_on for paper in listing.papers})
        raise InputError(
            f"no paper belongs to the days asked for, but to {', '.join(seen[:3])}{' ...' * (len(seen) > 3)}",
            hint="ask for those days",
        )
    remarks = listing.remarks + ((f"{others} papers of other days left out",) if others else ())
    return {
        day: Listing(papers=tuple(wanted[day.isoformat()]), skipped=listing.skipped, remarks=remarks)
        for day in days
        if wanted[day.isoformat()] or len(days) == 1
    }


def enrich(ids: Iterable[str], store: Store, *, client: Client, now: datetime) -> list[str]:
    """Ask arXiv for the records that the store lacks and keep them; return a line where that failed."""
    ids = [paper_id for paper_id in ids if identifiers.parse(paper_id)]
    known = store.arxiv(ids)
    try:
        for batch in arxiv.by_id([paper_id for paper_id in ids if paper_id not in known], client):
            _keep(batch, store, now)
    except BackendError as error:
        return [f"without arXiv's categories: {error}"]
    return []


def _list(
    day: date, store: Store, *, service: Service, client: Client, now: datetime
) -> tuple[Listing, bytes]:
    if service == "hf":
        answer = huggingface.day(day, client)
        return answer.listing, answer.body
    found = arxiv.submitted(day, client)
    _keep(found, store, now)
    return Listing(papers=tuple(arxiv.paper(record) for record in found)), b""


def _save(
    day: date,
    listing: Listing,
    store: Store,
    *,
    source: Source,
    now: datetime,
    messages: list[str],
    body: bytes = b"",
    replace: bool = False,
) -> Update:
    papers = arxiv.enriched(listing.papers, store.arxiv(paper.id for paper in listing.papers))
    saved = store.save(
        day,
        papers,
        source=source,
        state="open" if is_open(day, now) else "complete",
        fetched_at=_stamp(now),
        body=body,
        replace=replace,
    )
    if saved.absent:
        fate = "left the list" if replace else "are missing from this answer and stay listed"
        messages.append(f"{len(saved.absent)} known papers {fate}: {', '.join(saved.absent[:5])}")
    return Update(saved=saved, messages=tuple(messages), partial=bool(listing.skipped))


def _keep(batch: Sequence[arxiv.Record], store: Store, now: datetime) -> None:
    store.save_arxiv(
        {(record.id, record.version): arxiv.as_json(record) for record in batch}, fetched_at=_stamp(now)
    )


def _blank(paper_id: str) -> Paper:
    return Paper(id=paper_id, title="", source="arxiv")


def _stamp(now: datetime) -> str:
    return records.instant(now.astimezone(UTC).isoformat())
