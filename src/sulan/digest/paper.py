"""One paper as the digest knows it: what the record says, cleaned, and nothing else.

Text from outside is data. Here it loses what could act or deceive on a page (control, bidirectional and
zero-width characters) and its line wrapping; escaping is the renderers' work, for each format its own.
"""

import re
import unicodedata
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_TITLE = 500
"""Characters of a title that are kept; arXiv itself allows far fewer."""

MAX_ABSTRACT = 20_000
"""Characters of an abstract that are kept. arXiv's own limit is 1,920; a longer one is not an abstract."""

_BREAKING = re.compile(r"\s+")


def clean(text: str, *, limit: int) -> str:
    """Return `text` on one line without characters that are invisible or reorder what is seen.

    Unicode categories Cc (control), Cf (format: zero-width, bidirectional), Co, Cs and Cn are dropped; white
    space of every kind becomes one blank. LaTeX, HTML and Markdown stay: they are the author's characters.

    Parameters
    ----------
    text
        Text from outside.
    limit
        Characters kept; the input is cut before anything else is done, so cost is bounded.

    Examples
    --------
    >>> clean("Pruning for LLMs at\\n  Scale\\u202e\\u200b", limit=100)
    'Pruning for LLMs at Scale'
    """
    text = _BREAKING.sub(" ", text[: 4 * limit])
    visible = "".join(c for c in text if c == " " or not unicodedata.category(c).startswith("C"))
    # Composed only now: what stood between two characters that belong together is gone.
    return _BREAKING.sub(" ", unicodedata.normalize("NFC", visible)).strip()[:limit].rstrip()


class Paper(BaseModel):
    """One paper of a day, from whichever source; every text is already cleaned.

    Attributes
    ----------
    id
        arXiv id without version (`2309.05463`) or another id made of letters, digits, `.`, `-`, `_`, `/`.
    title, abstract, authors
        As the record gives them, through `clean`.
    published_at
        ISO 8601, UTC: when the paper appeared on arXiv. Empty when unknown.
    featured_on
        `YYYY-MM-DD`, UTC: its day on the daily list (`paper.submittedOnDailyAt`). Empty when unknown.
    upvotes, comments, stars
        Signals at the time of the fetch; None when the source does not say.
    code_url, project_url
        http(s) links of the record; anything else was dropped.
    organization
        Who published it, when the record says.
    categories
        arXiv categories (`cs.CL`), when known.
    keywords
        Keywords that the source itself attached (the Hub's `ai_keywords`).
    abstract_note
        Says it when the abstract is not the authors' own wording (the stored day that ships with Sulan).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$")
    title: str
    abstract: str = ""
    authors: tuple[str, ...] = ()
    published_at: str = ""
    featured_on: str = ""
    upvotes: int | None = None
    comments: int | None = None
    stars: int | None = None
    code_url: str = ""
    project_url: str = ""
    organization: str = ""
    categories: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    abstract_note: str = ""
    source: Literal["hf", "arxiv", "file", "shipped"] = "file"

    @property
    def url(self) -> str:
        """The paper's page: built from the id, never taken from the record."""
        return f"https://huggingface.co/papers/{self.id}"
