"""BibTeX as records: entries that name an arXiv paper, with LaTeX accents resolved and mathematics kept.

Parsing is `bibtexparser`'s, which is linear and goes on after a broken entry; LaTeX is `pylatexenc`'s. Not
covered: papers without an arXiv id, since an edition has nothing to link them to.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bibtexparser import parse_string
from bibtexparser.middlewares import SeparateCoAuthors
from bibtexparser.model import Entry, ParsingFailedBlock
from pylatexenc.latex2text import LatexNodes2Text

from sulan.digest import identifiers
from sulan.digest.paper import MAX_ABSTRACT

_ID_FIELDS = ("eprint", "arxivid", "arxiv", "doi", "url")
_PROSE_FIELDS = ("journal", "note", "howpublished", "eprint", "url")
_MAX_DEPTH = 100  # of braces; what resolves LaTeX is recursive


def records(text: str) -> Iterator[dict[str, Any] | str]:
    """Yield each entry as a flat record (`id`, `title`, `abstract`, `authors`, `published_at`).

    An entry that is broken, or names no arXiv paper, is yielded as a line of text that says so.
    """
    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # what is broken is reported below, by line
    resolve = LatexNodes2Text(math_mode="verbatim")
    for block in parse_string(text, append_middleware=[SeparateCoAuthors()]).blocks:
        if isinstance(block, ParsingFailedBlock):
            yield f"the entry in line {(block.start_line or 0) + 1} is broken or repeats a key"
        elif isinstance(block, Entry):
            fields = {name.lower(): field.value for name, field in block.fields_dict.items()}
            paper_id = _id(fields)
            if paper_id is None:
                yield f"the entry {block.key[:60]!a} names no arXiv paper"
                continue
            yield {
                "id": paper_id,
                "title": _plain(fields.get("title"), resolve),
                "abstract": _plain(fields.get("abstract"), resolve),
                "authors": list(_authors(fields.get("author", ()), resolve)),
                "published_at": str(fields.get("date", "")),
            }


def _id(fields: Mapping[str, Any]) -> str | None:
    for name in _ID_FIELDS:
        if found := identifiers.parse(str(fields.get(name, ""))):
            return found[0]
    for name in _PROSE_FIELDS:  # journal = {arXiv preprint arXiv:2309.05463}
        if inside := identifiers.parse_inside(str(fields.get(name, ""))):
            return inside
    return None


def _plain(value: object, resolve: LatexNodes2Text) -> str:
    if not isinstance(value, str):
        return ""
    value = value[: 5 * MAX_ABSTRACT]
    return resolve.latex_to_text(value) if _depth(value) <= _MAX_DEPTH else value


def _depth(text: str) -> int:
    deepest = depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        deepest = max(deepest, depth)
    return deepest


def _authors(names: Iterable[str], resolve: LatexNodes2Text) -> Iterator[str]:
    """Names as they are spoken: `Li, Yuanzhi` is Yuanzhi Li, `King, Jr., Martin` is Martin King Jr."""
    for name in names if isinstance(names, list | tuple) else ():
        parts = [part.strip() for part in _plain(name, resolve).split(",")]
        yield " ".join([parts[-1], *parts[:-1]])
