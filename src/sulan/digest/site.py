"""`sulan digest site`: every edition below a folder as one static site that needs no server of its own.

Incremental by content: each file remembers what it was made from (`site.json`), and one whose sources are the
same is taken over from the last build. The search index is made anew for the quarter of a year that changed.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sulan.errors import BackendError, InputError, MissingExtra, MissingFile
from sulan.reports.report import Report, Table

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

_log = logging.getLogger(__name__)


def site(
    editions: Path,
    *,
    out: Path | None = None,
    base_url: str = "",
    search: bool = True,
    serve: bool = False,
    port: int = 8000,
) -> Report:
    """Build the site of all editions.

    Parameters
    ----------
    editions
        Folder whose subfolders hold an `edition.json` each, as `sulan digest write` makes them.
    out
        Folder for the site; default: `site` inside `editions`. Written aside, renamed when whole.
    base_url
        Address the site will have, e.g. `https://example.org/digest/`. Feeds then link to its pages, and a
        sitemap is written; without it feeds link to the papers' pages on Hugging Face.
    search
        Build the full-text search (extra `search`).
    serve
        Serve the site on 127.0.0.1 until Ctrl-C; search works only when served.
    port
        Port for `serve`; 0 takes a free one.

    Returns
    -------
    Report
        Editions and papers, pages made and kept, and the editions that could not be read (exit code 3).

    Raises
    ------
    MissingFile
        There is no such folder.
    InputError
        It has no readable edition, or `base_url` is not an http(s) address.
    """
    out = out or editions / "site"
    config = dict(locals())
    from sulan.digest import archive, display
    from sulan.digest.pages import Build
    from sulan.runs import outputs
    from sulan.runs.record import record

    if not editions.is_dir():
        raise MissingFile(f"no folder at {editions}")
    if base_url and not display.link(base_url):
        raise InputError(f"not an http(s) address: {base_url}")
    search_missing = _missing_search()
    with outputs.folder(out) as folder, record(verb="digest site", folder=folder, config=config) as run:
        build = Build(folder=folder, previous=out, base_url=base_url)
        days, problems = build.read(archive.find(editions))
        if not days:
            hint = problems[0][1] if problems else "write one: sulan digest write DATE --out DIR/DATE"
            raise InputError(f"no edition in {editions}", hint=hint)
        run.inputs.update({str(day.path): day.fingerprint for day in days})
        build.write(days, searchable=search and search_missing is None)
        if search and search_missing is None:
            try:
                build.index(days)
            except BackendError as error:
                problems.append(("search index", str(error)))
        build.finish(days)
        for path, reason in problems:
            run.partial(f"{path}: {reason}")
        papers = sum(len(day.papers) for day in days)
        scale = f"{len(days)} editions, {papers} papers"
        run.metric("pages.made", build.made, scale=scale)
        run.metric("pages.kept", build.kept, scale=scale)
    report = Report(
        title=f"digest site {editions}",
        summary={
            "site": str(out),
            "editions": len(days),
            "papers": papers,
            "first": days[0].day,
            "last": days[-1].day,
            "files made": build.made,
            "files kept": build.kept,
            "search": "yes" if build.searchable else "no",
        },
        tables=(Table(title="Left out", columns=("file", "reason"), rows=tuple(problems)),)
        if problems
        else (),
        notes=(f"No search: {search_missing}. {search_missing.hint}",) if search and search_missing else (),
        exit_code=3 if problems else 0,
    )
    if serve:
        _serve(out, port=port)
    return report


def _missing_search() -> MissingExtra | None:
    from sulan.digest.search import program

    try:
        program()
    except MissingExtra as error:
        return error
    return None


def server(folder: Path, *, port: int) -> "ThreadingHTTPServer":
    """Return a server of a folder on 127.0.0.1, not yet running.

    Raises
    ------
    InputError
        The port is taken.
    """
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            _log.debug(format, *args)

    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        raise InputError(
            f"cannot listen on port {port}: {error}", hint="say --port 0 for a free one"
        ) from error


def _serve(folder: Path, *, port: int) -> None:
    with server(folder, port=port) as running:
        _log.info("Serving %s at http://127.0.0.1:%d/ until Ctrl-C", folder, running.server_address[1])
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            _log.info("Stopped")
