"""An edition as one self-contained HTML page, and the templates that the site's other pages share.

The page opens from disk, asks nothing of any network, and says so itself: its Content-Security-Policy names
the hashes of its one stylesheet and its one script and allows nothing else. Outside text is escaped by Jinja
after `display.visible` took what cannot be seen; no template marks outside text as safe.
"""

import hashlib
from base64 import b64encode
from functools import cache
from typing import Any, cast
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from sulan.digest import display
from sulan.digest.edition import SCORE_NAMES, Edition, Language
from sulan.digest.markdown import TEMPLATES, names
from sulan.digest.phrases import PHRASES

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" '
    'fill="#9d2b22"/><path d="M9 21L15 8h3l-3 7h8L15 26l2-8H9z" fill="#fff"/></svg>'
)
ICON = "data:image/svg+xml," + quote(_ICON)


def page(
    edition: Edition,
    *,
    root: str | None = None,
    earlier: str = "",
    later: str = "",
    searchable: bool = False,
) -> str:
    """Return the edition's page with all its languages.

    Parameters
    ----------
    edition
        The day's digest; its first language is shown first.
    root
        The way to the site's first page (`../`), whose stylesheet and script the page then shares. None: the
        page stands alone, with both inside.
    earlier, later
        Days of the neighbouring editions on the site; empty when there is none.
    searchable
        Whether the site has a search page to link to.
    """
    files = [*names(edition).values(), "edition.json", "atom.xml", "rss.xml", "feed.json", "edition.eml"]
    return document(
        "edition.html",
        languages=edition.languages,
        root=root,
        edition=edition,
        score_names=SCORE_NAMES,
        earlier=earlier,
        later=later,
        files=files,
        searchable=searchable,
    )


def document(
    name: str, *, languages: tuple[Language, ...], root: str | None, searchable: bool, **context: Any
) -> str:
    """Return a page made from the template `name`, which extends `layout.html`."""
    return template(name).render(
        languages=languages,
        root=root,
        searchable=searchable,
        policy=policy(standalone=root is None, search=name == "search.html"),
        **context,
    )


def fragment(name: str, **context: Any) -> str:
    """Return a piece of HTML for a feed or a mail."""
    return template(name).render(**context)


@cache
def policy(*, standalone: bool, search: bool = False) -> str:
    """Return the Content-Security-Policy of a page: what it holds or what lies beside it, nothing else.

    Parameters
    ----------
    standalone
        Style and script are in the page, named by hash; otherwise files of the same site.
    search
        The search page: its engine is WebAssembly in a worker and fetches the index from the same site.
    """
    style = _hash(asset("style.css")) if standalone else "'self'"
    script = _hash(asset("page.js")) if standalone else "'self'"
    rules = [
        "default-src 'none'",
        f"style-src {style}",
        f"script-src {script}" + (" 'wasm-unsafe-eval'" if search else ""),
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    if search:
        rules += ["connect-src 'self'", "worker-src 'self'"]
    return "; ".join(rules)


@cache
def asset(name: str) -> str:
    """Return the text of `style.css`, `page.js` or `search.js`."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _finalize(value: Any) -> Any:
    # Markup (what a macro returned) was made from values that came through here already.
    return display.visible(value) if type(value) is str else value


@cache
def template(name: str) -> Template:
    """Return a compiled template of this package."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"prose": display.prose, "link": display.link}
    cast("dict[str, Any]", environment.globals).update(
        is_quote=display.is_quote,
        byline=display.byline,
        tags=display.LANGUAGE_TAGS,
        PHRASES=PHRASES,
        style=asset("style.css"),
        script=asset("page.js"),
        icon=ICON,
    )
    return environment
