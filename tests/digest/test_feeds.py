import json
import re
from xml.etree import ElementTree

import feedparser
import pytest
from hypothesis import given, settings

from digest import editions
from digest.hostile import hostile
from digest.test_html import Page
from sulan.digest import display, feeds
from sulan.digest.edition import Edition, Language

ATOM = "{http://www.w3.org/2005/Atom}"


def written(edition: Edition, *, base_url: str = "", language: Language = "zh") -> dict[str, bytes]:
    texts = feeds.contents(edition, language)
    channel = feeds.Channel(
        title="速览", language=language, updated=edition.updated, about=edition.day, base_url=base_url
    )
    return feeds.feeds(feeds.items(edition, language, texts, base_url=base_url), channel)


@pytest.mark.parametrize("name", ["atom.xml", "rss.xml"])
@pytest.mark.parametrize("base_url", ["", "https://example.org/digest/"])
def test_feedparser_reads_the_feed_without_complaint(name, base_url):
    parsed = feedparser.parse(written(editions.edition(3), base_url=base_url)[name])
    assert parsed.bozo == 0
    assert parsed.version == {"atom.xml": "atom10", "rss.xml": "rss20"}[name]
    assert [entry.title for entry in parsed.entries][:1] == [
        "When Less is More: Pruning Pretraining Data at Scale"
    ]
    assert [author.name for author in parsed.entries[0].authors] == [
        "Max Marion",
        "Ahmet Üstün",
        "Luiza Pozzobon",
    ]
    assert "困惑度" in parsed.entries[0].summary
    where = (
        f"{base_url}2023-09-12/index.html#2309.04564"
        if base_url
        else "https://huggingface.co/papers/2309.04564"
    )
    assert parsed.entries[0].link == where


def test_atom_has_what_rfc_4287_asks_for():
    root = ElementTree.fromstring(written(editions.edition(2), base_url="https://example.org")["atom.xml"])
    for node in (root, *root.iter(f"{ATOM}entry")):
        for name in ("id", "title", "updated", "author"):
            assert node.find(ATOM + name) is not None
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", node.findtext(f"{ATOM}updated", ""))
    links = {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")}
    assert links == {"alternate": "https://example.org/index.html", "self": "https://example.org/atom.xml"}
    ids = [node.text for node in root.iter(f"{ATOM}id")]
    assert len(set(ids)) == 3 and all(each and each.startswith("urn:uuid:") for each in ids)


def test_json_feed_is_of_version_1_1():
    document = json.loads(written(editions.edition(2))["feed.json"])
    assert document["version"] == "https://jsonfeed.org/version/1.1"
    assert document["language"] == "zh-Hans" and document["title"]
    assert "feed_url" not in document  # it stands nowhere yet, and claims no address
    for item in document["items"]:
        assert item["id"] and item["url"] and item["content_html"]
        assert all(set(author) == {"name"} for author in item["authors"])


def test_only_a_revised_entry_gets_a_new_time():
    before = editions.edition(3)
    later = "2023-09-14T01:02:03+08:00"
    changed = before.entries[1].model_copy(update={"updated": later})
    after = before.model_copy(
        update={"entries": (before.entries[0], changed, before.entries[2]), "updated": later, "revision": 2}
    )

    def times(edition, name):
        date = {"atom.xml": "updated", "rss.xml": "published"}[name]
        return {entry.id: entry[date] for entry in feedparser.parse(written(edition)[name]).entries}

    for name in ("atom.xml", "rss.xml"):
        old, new = times(before, name), times(after, name)
        assert list(old) == list(new)
        assert [old[key] == new[key] for key in old] == [True, False, True]
    assert list(times(after, "atom.xml").values())[1] == "2023-09-13T17:02:03Z"


def test_an_id_depends_on_day_paper_and_language_alone():
    def ids(edition, **options):
        return [item["id"] for item in json.loads(written(edition, **options)["feed.json"])["items"]]

    first = ids(editions.edition(2))
    assert first == ids(editions.edition(2, extractive=False), base_url="https://example.org")
    assert not set(first) & set(ids(editions.edition(2, day="2023-09-13")))
    assert not set(first) & set(ids(editions.edition(2), language="en"))


@settings(max_examples=50, deadline=None)
@given(hostile())
def test_a_hostile_edition_gives_feeds_that_parse_and_do_nothing(edition):
    made = written(edition)
    title = display.prose(edition.entries[0].paper.title) or edition.entries[0].paper.id
    root = ElementTree.fromstring(made["atom.xml"])
    assert root.findtext(f"{ATOM}entry/{ATOM}title") == title
    channel = ElementTree.fromstring(made["rss.xml"])
    assert channel.findtext("channel/item/title") == title
    (item,) = json.loads(made["feed.json"])["items"]
    content = root.findtext(f"{ATOM}entry/{ATOM}content", "")
    assert content == item["content_html"] == channel.findtext("channel/item/description")
    allowed = {"h3", "p", "ul", "li", "blockquote", "small", "a", "code", "table", "tr", "th", "td"}
    page = Page(content)
    assert {tag for tag, _ in page.elements} <= allowed
    for tag, attributes in page.elements:
        assert set(attributes) <= {"a": {"href"}, "blockquote": {"lang"}}.get(tag, set())
        assert (attributes.get("href") or "https://").startswith(("https://", "http://"))
    assert feedparser.parse(made["atom.xml"]).bozo == 0
    assert feedparser.parse(made["rss.xml"]).bozo == 0
