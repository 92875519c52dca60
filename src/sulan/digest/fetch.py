"""Fetch days of papers into the store."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date as Date
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sulan.reports.report import Cell, Report, Table
from sulan.runs import folders

if TYPE_CHECKING:
    from sulan.digest.records import Listing
    from sulan.digest.snapshots import Update
    from sulan.digest.store import Snapshot, Store

GIVE_UP_AFTER = 3
"""Days in a row that a service may fail before the rest of a range is left for the next run."""


def fetch(
    date: str,
    *,
    until: str | None = None,
    source: Literal["hf", "arxiv"] = "hf",
    input: Path | None = None,
    out: Path | None = None,
    refresh: bool = False,
    enrich: bool = False,
) -> Report:
    """Fetch days of papers into the store.

    Days that are stored as complete are skipped, so a long range that was interrupted goes on where it
    stopped. What is stored is merged with what is fetched and never lost; a day that fails does not stop the
    days after it. The environment may set `HF_ENDPOINT` and `ARXIV_ENDPOINT` (mirrors) and `HF_TOKEN` (higher
    limits; none is needed).

    Parameters
    ----------
    date
        A day in UTC (`2023-09-12`), an ISO week (`2023-W37`) or a month (`2023-09`).
    until
        The other end of a range, in the same forms; included.
    source
        `hf`: the Hub's daily list, from 2023-05-04 on. `arxiv`: everything first submitted to cs.AI, cs.CL,
        cs.CV, cs.LG and stat.ML on that day, which nobody chose. With `input`, where papers known by id only
        are asked for.
    input
        Take the list from this file instead, `-` for stdin: JSON, JSON Lines, an edition, arXiv ids one a
        line, Atom or BibTeX, also compressed. Papers whose record names another day are left out.
    out
        Folder of the store, `store.sqlite`. Default: `digest` in the user's data folder.
    refresh
        Fetch complete days again too.
    enrich
        Also ask arXiv for categories, one request every three seconds; its failure never fails a day.

    Returns
    -------
    Report
        One row a day: papers, new and revised ones, state, and what happened. Exit code 3 when a day failed
        or a record had to be left out.

    Raises
    ------
    InputError
        A date that is none, in the future or too early; a file that cannot be used; a store in use.
    BackendError
        The one day asked for failed, or the ids of a file could not be asked for.
    BrokenArtefact
        The store is damaged; it is left as it is.
    """
    from sulan.digest import arxiv, database, days, inputs
    from sulan.digest.store import LOCK, Store
    from sulan.runs.record import record

    now = days.clock()
    first = arxiv.FIRST_DAY if source == "arxiv" or input is not None else days.FIRST_DAY
    wanted = days.expand(date, until=until, now=now, first=first)
    listing = inputs.read_listing(input) if input is not None else None
    folder = out if out is not None else folders.data() / "digest"
    config = {"date": date, "until": until, "source": source, "input": input, "out": folder}
    config |= {"refresh": refresh, "enrich": enrich}
    files = [input] if input is not None and input != Path("-") else []

    with database.mapped(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with database.alone(folder / LOCK):
        Store.open(folder).close()  # a damaged store is refused before the folder's record is touched
        with record(verb="digest fetch", folder=folder, config=config, inputs=files) as run:
            rows, failed = [], 0
            with Store.open(folder) as store:
                if listing is None:
                    fetched = _from_service(wanted, store, source, now=now, refresh=refresh, enrich=enrich)
                else:
                    fetched = _from_file(wanted, listing, store, source, now=now)
                for day, update, failure in fetched:
                    kept = store.papers(day, source=source if listing is None else "file")
                    rows.append(_row(day, update, failure, kept))
                    failed += bool(failure)
                    if failure or (update is not None and update.partial):
                        run.partial(f"{day}: {rows[-1][-1]}")
    return Report(
        title=f"digest fetch {date}" + (f" to {until}" if until else ""),
        summary={
            "days": len(rows),
            "failed": failed,
            "papers": sum(int(row[1] or 0) for row in rows),
            "new": sum(int(row[2] or 0) for row in rows),
            "store": str(folder),
        },
        tables=(
            Table(
                title="Days",
                columns=("day", "papers", "new", "revised", "state", "message"),
                rows=tuple(rows),
            ),
        ),
        notes=("Run the same command again to go on: complete days are skipped.",) if failed else (),
        exit_code=3 if run.reasons else 0,
    )


_Fetched = tuple[Date, "Update | None", str]
"""A day, what was saved of it (None: nothing), and why not."""


def _from_service(
    wanted: tuple[Date, ...],
    store: "Store",
    source: Literal["hf", "arxiv"],
    *,
    now: datetime,
    refresh: bool,
    enrich: bool,
) -> Iterator[_Fetched]:
    from sulan.digest import arxiv, huggingface, snapshots
    from sulan.errors import BackendError
    from sulan.runs.progress import progress

    failures = 0
    with ExitStack() as stack:
        client = stack.enter_context(huggingface.client() if source == "hf" else arxiv.client())
        extra = stack.enter_context(arxiv.client()) if enrich and source == "hf" else None
        for day in progress(wanted, label="fetch"):
            stored = store.papers(day, source=source)
            if stored is not None and stored.state == "complete" and not refresh:
                yield day, None, ""
            elif failures >= GIVE_UP_AFTER:
                yield day, None, f"not tried: {client.host} failed {failures} days in a row"
            else:
                try:
                    update = snapshots.update(
                        day, store, service=source, client=client, now=now, arxiv_client=extra
                    )
                except BackendError as error:
                    if len(wanted) == 1:
                        raise
                    failures += 1
                    yield day, None, str(error)
                else:
                    failures = 0
                    yield day, update, ""


def _from_file(
    wanted: tuple[Date, ...],
    listing: "Listing",
    store: "Store",
    source: Literal["hf", "arxiv"],
    *,
    now: datetime,
) -> Iterator[_Fetched]:
    from sulan.digest import arxiv, huggingface, inputs, snapshots

    bare = inputs.bare(listing.papers)
    if bare:
        with huggingface.client() if source == "hf" else arxiv.client() as client:
            listing = snapshots.complete(listing, store, service=source, client=client, now=now)
    for day, papers in snapshots.by_day(listing, wanted, bare=bare).items():
        yield day, snapshots.store_input(day, papers, store, now=now), ""


def _row(day: Date, update: "Update | None", failure: str, kept: "Snapshot | None") -> tuple[Cell, ...]:
    papers = None if kept is None else len(kept.papers)
    state = "missing" if kept is None else "empty" if not papers and kept.state == "complete" else kept.state
    if update is None:
        message = f"failed: {failure}" if failure else "already stored"
        return (day.isoformat(), papers, None, None, state, message)
    message = "; ".join(update.messages[:3]) + (" ..." if len(update.messages) > 3 else "")
    return (day.isoformat(), papers, update.saved.new, update.saved.revised, state, message)
