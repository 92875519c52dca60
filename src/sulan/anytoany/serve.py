"""`sulan anytoany serve`: a system behind OpenAI's chat completions."""

from pathlib import Path

from sulan.reports.report import Report


def serve(
    system: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    waiting: int = 4,
    provenance: bool = True,
    safety: bool = False,
) -> Report:
    """Serve `/v1/chat/completions` with media in and out until interrupted.

    Parameters
    ----------
    system
        What `sulan anytoany train` wrote.
    host
        Where to listen. There are no keys and no users: put a proxy in front before others reach it.
    port
        Where to listen.
    waiting
        Requests that wait while one is answered; the next gets 429.
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
    from sulan.anytoany import serving
    from sulan.anytoany.server import application

    delivery = serving.delivery(provenance=provenance, safety=safety)
    name = system.resolve().name
    api = application(serving.assistant(system), name=name, delivery=delivery, waiting=waiting)
    serving.run(api, host=host, port=port)
    return Report(title="anytoany serve", summary={"system": name})
