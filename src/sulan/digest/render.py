"""Every file of an edition's folder but its run record: rendered from `Edition` and from nothing else."""

from pathlib import Path

from sulan.digest import feeds, html, mail, markdown
from sulan.digest.edition import Edition
from sulan.digest.phrases import PHRASES


def render(edition: Edition, folder: Path) -> None:
    """Write an edition in every format; the same edition gives the same bytes.

    Files: Markdown per language (`markdown.names`), `edition.json`, `index.html`, `atom.xml`, `rss.xml`,
    `feed.json` and `edition.eml`. Feeds and mail are in the edition's first language.

    Parameters
    ----------
    edition
        The day's digest.
    folder
        An existing folder that is being filled (see `sulan.runs.outputs.folder`).

    Raises
    ------
    BrokenArtefact
        `updated` of the edition or of an entry is not an ISO 8601 time.
    """
    for name, content in files(edition).items():
        (folder / name).write_bytes(content)


def files(edition: Edition) -> dict[str, bytes]:
    """Return the content of every file of an edition's folder by name."""
    language = edition.languages[0]
    texts = feeds.contents(edition, language)
    channel = feeds.Channel(
        title=PHRASES[language]["title"].format(day=edition.day),
        language=language,
        updated=edition.updated,
        about=edition.day,
    )
    pages = {
        name: markdown.markdown(edition, each).encode() for each, name in markdown.names(edition).items()
    }
    return {
        **pages,
        "edition.json": (edition.model_dump_json(indent=1) + "\n").encode(),
        "index.html": html.page(edition).encode(),
        **feeds.feeds(feeds.items(edition, language, texts), channel),
        "edition.eml": mail.message(edition, texts).as_bytes(),
    }
