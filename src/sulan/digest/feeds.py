"""Atom (RFC 4287), RSS 2.0 and JSON Feed 1.1 of one edition or of a site's latest ones.

An item is one paper on one day in one language. Its id is a UUID made from these three, so it survives a new
address, a new title and a new wording; its `updated` is the entry's own, so a reader sees again only what was
revised. Without a site address (`base_url`) an item links to the paper's page on Hugging Face.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from sulan.digest import display
from sulan.digest.edition import SCORE_NAMES, Edition, Entry, Language
from sulan.digest.html import fragment
from sulan.digest.phrases import PHRASES

FILES = ("atom.xml", "rss.xml", "feed.json")

AUTHORS = 30
"""Authors named per item; a paper of a large collaboration has thousands."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One entry of a feed, everything ready to be written.

    Attributes
    ----------
    id
        `urn:uuid:...`, stable.
    title, authors
        Text without invisible characters, not yet escaped.
    link
        Where the item leads: the site's page, else the paper's.
    paper
        The paper's page.
    content
        HTML, escaped inside.
    published, updated
        RFC 3339 in UTC: the day of the edition, and when the entry last changed.
    """

    id: str
    title: str
    authors: tuple[str, ...]
    link: str
    paper: str
    content: str
    published: str
    updated: str
    keywords: tuple[str, ...]


def identifier(*parts: str) -> str:
    """Return the stable id of a feed or an item, from what it is about.

    Examples
    --------
    >>> identifier("2023-09-12", "2309.05463", "zh")
    'urn:uuid:9f4555b7-c454-5831-87cf-34450fdff708'
    """
    return uuid.uuid5(uuid.NAMESPACE_URL, "https://huggingface.co/papers#" + "/".join(parts)).urn


def contents(edition: Edition, language: Language) -> list[Markup]:
    """Return the HTML of every entry in one language, for feeds and mail alike."""
    return [
        Markup(fragment("entry.html", entry=entry, language=language, score_names=SCORE_NAMES).strip())
        for entry in edition.entries
    ]


def items(edition: Edition, language: Language, texts: Sequence[Markup], *, base_url: str = "") -> list[Item]:
    """Return the feed items of an edition.

    Parameters
    ----------
    edition
        The day's digest.
    language
        Language of titles' surroundings and content.
    texts
        What `contents` gave for the same edition and language.
    base_url
        Address of the site's first page; empty when the edition is not on a site.
    """
    return [
        _item(edition, entry, language, text, base_url)
        for entry, text in zip(edition.entries, texts, strict=True)
    ]


def _item(edition: Edition, entry: Entry, language: Language, text: Markup, base_url: str) -> Item:
    paper = entry.paper
    summary = entry.summaries.get(language)
    page = f"{base_url.rstrip('/')}/{edition.day}/index.html#{paper.id}" if base_url else paper.url
    return Item(
        id=identifier(edition.day, paper.id, language),
        title=display.prose(paper.title) or paper.id,
        authors=tuple(display.visible(author) for author in paper.authors[:AUTHORS]),
        link=display.link(page),
        paper=display.link(paper.url),
        content=str(text),  # a plain string: Markup would escape itself once more
        published=f"{edition.day}T00:00:00Z",
        updated=display.rfc3339(entry.updated),
        keywords=tuple(display.prose(keyword.term) for keyword in summary.keywords) if summary else (),
    )


@dataclass(frozen=True, kw_only=True)
class Channel:
    """What a feed says of itself.

    Attributes
    ----------
    title
        The feed's own title.
    language
        Language of the feed.
    updated
        ISO 8601: when anything in it last changed.
    about
        What the feed is of: a day, or `site`; its id is made from this and the language.
    base_url
        Address of the site; empty when there is none, and then no feed claims an address of its own.
    folder
        Where the feed stands below `base_url`: a day, or nothing.
    suffix
        What stands between a file's name and its extension: `.en` for a site's second language.
    """

    title: str
    language: Language
    updated: str
    about: str
    base_url: str = ""
    folder: str = ""
    suffix: str = ""

    @property
    def tag(self) -> str:
        """BCP 47 tag of the language."""
        return display.LANGUAGE_TAGS[self.language]

    @property
    def home(self) -> str:
        """Page that the feed belongs to."""
        return self.address("index.html") or "https://huggingface.co/papers"

    def name(self, file: str) -> str:
        """File name of one of `FILES`."""
        stem, _, kind = file.partition(".")
        return f"{stem}{self.suffix}.{kind}"

    def address(self, file: str) -> str:
        """Where a file beside the feed stands on the web; empty without a site."""
        base = display.link(self.base_url)
        return "/".join(part.strip("/") for part in (base, self.folder, file) if part) if base else ""


def feeds(entries: Sequence[Item], channel: Channel) -> dict[str, bytes]:
    """Return the three feeds by file name.

    Parameters
    ----------
    entries
        Items in the order shown.
    channel
        What the feed says of itself.
    """
    writers = {"atom.xml": _atom, "rss.xml": _rss, "feed.json": _json}
    return {channel.name(file): writers[file](entries, channel) for file in FILES}


def _atom(entries: Sequence[Item], channel: Channel) -> bytes:
    root = ElementTree.Element("feed", {"xmlns": "http://www.w3.org/2005/Atom", "xml:lang": channel.tag})
    _add(root, "id", identifier(channel.about, channel.language))
    _add(root, "title", display.visible(channel.title))
    _add(root, "updated", display.rfc3339(channel.updated))
    _add(root, "link", rel="alternate", type="text/html", href=channel.home)
    if channel.base_url:
        _add(
            root,
            "link",
            rel="self",
            type="application/atom+xml",
            href=channel.address(channel.name("atom.xml")),
        )
    _add(_add(root, "author"), "name", "Sulan")
    _add(root, "generator", "Sulan")
    for item in entries:
        entry = _add(root, "entry")
        _add(entry, "id", item.id)
        _add(entry, "title", item.title)
        _add(entry, "published", item.published)
        _add(entry, "updated", item.updated)
        _add(entry, "link", rel="alternate", type="text/html", href=item.link)
        if item.paper != item.link:
            _add(entry, "link", rel="related", type="text/html", href=item.paper)
        for author in item.authors:
            _add(_add(entry, "author"), "name", author)
        for keyword in item.keywords:
            _add(entry, "category", term=keyword)
        _add(entry, "content", item.content, type="html")
    return _xml(root)


def _rss(entries: Sequence[Item], channel: Channel) -> bytes:
    root = ElementTree.Element(
        "rss",
        {
            "version": "2.0",
            "xmlns:dc": "http://purl.org/dc/elements/1.1/",
            "xmlns:atom": "http://www.w3.org/2005/Atom",
        },
    )
    top = _add(root, "channel")
    _add(top, "title", display.visible(channel.title))
    _add(top, "link", channel.home)
    _add(top, "description", PHRASES[channel.language]["read"])
    _add(top, "language", "zh-cn" if channel.language == "zh" else "en")
    _add(top, "lastBuildDate", _rfc822(channel.updated))
    _add(top, "generator", "Sulan")
    if channel.base_url:
        _add(
            top,
            "atom:link",
            rel="self",
            type="application/rss+xml",
            href=channel.address(channel.name("rss.xml")),
        )
    for item in entries:
        node = _add(top, "item")
        _add(node, "title", item.title)
        _add(node, "link", item.link)
        _add(node, "guid", item.id, isPermaLink="false")
        _add(node, "pubDate", _rfc822(item.updated))
        for author in item.authors:
            _add(node, "dc:creator", author)
        for keyword in item.keywords:
            _add(node, "category", keyword)
        _add(node, "description", item.content)
    return _xml(root)


def _json(entries: Sequence[Item], channel: Channel) -> bytes:
    document: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": display.visible(channel.title),
        "home_page_url": channel.home,
        "language": channel.tag,
        "authors": [{"name": "Sulan"}],
    }
    if channel.base_url:
        document["feed_url"] = channel.address(channel.name("feed.json"))
    document["items"] = [
        {
            "id": item.id,
            "url": item.link,
            "external_url": item.paper,
            "title": item.title,
            "content_html": item.content,
            "date_published": item.published,
            "date_modified": item.updated,
            "authors": [{"name": author} for author in item.authors],
            "tags": list(item.keywords),
        }
        for item in entries
    ]
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _add(parent: ElementTree.Element, name: str, text: str = "", **attributes: str) -> ElementTree.Element:
    node = ElementTree.SubElement(parent, name, attributes)
    node.text = text or None
    return node


def _xml(root: ElementTree.Element) -> bytes:
    ElementTree.indent(root, space=" ")
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _rfc822(time: str) -> str:
    return format_datetime(display.moment(time), usegmt=True)
