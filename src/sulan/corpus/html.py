"""A page to text: charset, HTML tree, main content (Resiliparse). Runs in the sandbox.

Not covered: pages that a script draws, PDF and office files.
"""

from dataclasses import dataclass

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from sulan.corpus.charsets import clean, decode

PLAIN = "text/plain"
SKIPPED = ("script", "style", "info", "credit")
"""Elements whose text is not of the page; the last two are Mallard's, in XML manuals."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """What was read from a page."""

    text: str
    title: str
    charset: str


def read(body: bytes, *, mime: str, charset: str | None) -> Read:
    """Return the text of a page.

    Parameters
    ----------
    body
        Its bytes.
    mime
        `text/plain` is taken as it is; anything else as HTML, which XML manuals nearly are.
    charset
        What the HTTP header says.
    """
    text, found = decode(body, charset)
    if mime == PLAIN:
        return Read(text=clean(text), title="", charset=found)
    tree = HTMLTree.parse(text.replace("\x00", ""))
    extracted = extract_plain_text(
        tree, main_content=True, alt_texts=False, list_bullets=False, skip_elements=list(SKIPPED)
    )
    return Read(text=clean(extracted), title=clean(tree.title or ""), charset=found)
