"""How the days of a range stand in the store."""

from pathlib import Path
from typing import TYPE_CHECKING

from sulan.reports.report import Report, Table
from sulan.runs import folders

if TYPE_CHECKING:
    from sulan.digest.store import Standing


def status(*, since: str, until: str | None = None, store: Path | None = None) -> Report:
    """Show complete, open, empty and missing days.

    Parameters
    ----------
    since
        A day in UTC (`2023-09-12`), an ISO week (`2023-W37`) or a month (`2023-09`).
    until
        The other end of the range, in the same forms; included. Default: the end of `since`.
    store
        Folder of the store. Default: `digest` in the user's data folder.

    Returns
    -------
    Report
        One row a day: its state, papers, revision, source, last good fetch, and how many fetches failed since
        and why. `complete`: the list can no longer grow. `open`: it could still grow when last fetched.
        `empty`: complete, and without a paper. `missing`: no fetch of it ever succeeded.

    Raises
    ------
    InputError
        A date that is none, in the future or before the first list.
    MissingFile
        The folder that was named holds no store. (None in the default folder means that all is missing.)
    BrokenArtefact
        The store is damaged.
    """
    from sulan.digest import days
    from sulan.digest.store import FILE, Store

    wanted = days.expand(since, until=until, now=days.clock())
    folder = store if store is not None else folders.data() / "digest"
    standings: dict[object, Standing] = {}
    if store is not None or (folder / FILE).exists():
        with Store.open(folder, create=False) as opened:
            standings = {each.day: each for each in opened.days(wanted[0], wanted[-1])}

    rows = []
    counts = dict.fromkeys(("complete", "open", "empty", "missing"), 0)
    for day in wanted:
        standing = standings.get(day)
        state = _state(standing)
        counts[state] += 1
        shown = (None,) * 4 + (0, "")
        if standing is not None:
            shown = (standing.papers, standing.revision, standing.source, standing.fetched_at)
            shown += (standing.failures, standing.failure)
        rows.append((day.isoformat(), state, *shown))
    columns = ("day", "state", "papers", "revision", "source", "fetched at", "failures since", "last failure")
    to_do = counts["open"] + counts["missing"]
    return Report(
        title=f"digest status {since}" + (f" to {until}" if until else ""),
        summary={"days": len(wanted), **counts, "store": str(folder)},
        tables=(Table(title="Days", columns=columns, rows=tuple(rows)),),
        notes=(f"sulan digest fetch {wanted[0]} --until {wanted[-1]} fetches the open and missing days.",)
        if to_do
        else (),
    )


def _state(standing: "Standing | None") -> str:
    if standing is None or standing.state is None:
        return "missing"
    return "empty" if standing.state == "complete" and not standing.papers else standing.state
