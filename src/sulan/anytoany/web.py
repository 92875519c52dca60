"""`sulan anytoany web`: a page to talk with a system."""

from pathlib import Path

from sulan.reports.report import Report


def web(
    system: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    provenance: bool = True,
    safety: bool = False,
) -> Report:
    """Open a page with uploads, streamed replies and cancel until interrupted.

    Parameters
    ----------
    system
        What `sulan anytoany train` wrote.
    host
        Where to listen. There are no users: put a proxy in front before others reach it.
    port
        Where to listen.
    provenance
        Mark made media as made (C2PA).
    safety
        Withhold made pictures that may show nudity (open_nsfw).

    Returns
    -------
    Report
        That it has ended.

    Raises
    ------
    MissingFile, InputError
        There is no such system.
    """
    import tempfile

    from sulan.anytoany import serving
    from sulan.anytoany.page import mounted

    delivery = serving.delivery(provenance=provenance, safety=safety)
    name = system.resolve().name
    with tempfile.TemporaryDirectory() as folder:
        api = mounted(serving.assistant(system), name=name, delivery=delivery, folder=Path(folder))
        serving.run(api, host=host, port=port)
    return Report(title="anytoany web", summary={"system": name})
