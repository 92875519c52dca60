"""The files of a site, each made only when what it is made from changed.

Nothing is written in place: `Build` fills a fresh folder and takes an unchanged file over from the last build
by a hard link, so the old site stays whole until the new one replaces it.
"""

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import sulan
from sulan.digest import archive, display, feeds, html, search, topics, trends
from sulan.digest.archive import Brief, Day
from sulan.digest.edition import Language
from sulan.digest.phrases import PHRASES
from sulan.errors import BrokenArtefact
from sulan.runs.progress import progress

MANIFEST = "site.json"
SCHEMA_VERSION = 1

LATEST = 7
"""Editions on the first page and in the site's feeds: a week."""

BEST = 5
"""Papers named per edition on the first page."""


class Build:
    """One build of a site.

    Parameters
    ----------
    folder
        An empty folder that becomes the site.
    previous
        The last build, if there is one.
    base_url
        Address the site will have; empty when unknown.

    Attributes
    ----------
    made, kept
        Files rendered anew, and files taken over from the last build.
    searchable
        Whether the site has a search index.
    """

    def __init__(self, *, folder: Path, previous: Path, base_url: str) -> None:
        self.folder = folder
        self.previous = previous
        self.base_url = display.link(base_url)
        self.made = 0
        self.kept = 0
        self.searchable = False
        self._folders: set[Path] = set()
        self._keys: dict[str, str] = {}
        self._old_keys, self._known = _manifest(previous)

    def read(self, paths: Iterable[Path]) -> tuple[list[Day], list[tuple[str, str]]]:
        """Return the days of all editions, earliest first, and what could not be read with the reason.

        Of two editions of one day the higher revision stays.
        """
        days: dict[str, Day] = {}
        problems: list[tuple[str, str]] = []
        for path in progress(list(paths), label="read editions"):
            try:
                data = archive.content(path)
                key = archive.fingerprint(data)
                stored = self._known.get(key)
                day = (
                    Day.from_json(path, stored)
                    if stored
                    else archive.day(archive.parse(path, data), path=path, fingerprint=key)
                )
            except BrokenArtefact as error:
                problems.append((str(path), str(error)))
                continue
            other = days.get(day.day)
            if other is not None:
                loser = min(day, other, key=lambda each: each.revision)
                problems.append(
                    (str(loser.path), f"another edition of {day.day} has a higher or equal revision")
                )
            if other is None or day.revision > other.revision:
                days[day.day] = day
        return [days[name] for name in sorted(days)], problems

    def write(self, days: Sequence[Day], *, searchable: bool) -> None:
        """Write every page, feed and list.

        Parameters
        ----------
        days
            At least one, earliest first.
        searchable
            Link to a search page; its index is written by `index`.
        """
        languages = _languages(days)
        page = functools.partial(html.document, languages=languages, searchable=searchable)
        look = _digest(languages, searchable)
        for name in ("style.css", "page.js", *(["search.js"] if searchable else [])):
            self._file(name, look, functools.partial(html.asset, name))
        self._days(days, searchable=searchable)
        self._home(days, page, look)
        self._keywords(days, page, look)
        self._file(
            "trends.html",
            _digest(look, [day.fingerprint for day in days]),
            lambda: page(
                "trends.html",
                root="",
                trends=trends.trends(days),
                points=trends.points,
                ticks=trends.ticks,
                width=trends.WIDTH,
                height=trends.HEIGHT,
            ),
        )
        if searchable:
            keys = ("search_found", "search_none", "search_failed")
            words = {language: {key: PHRASES[language][key] for key in keys} for language in languages}
            bundles = list(dict.fromkeys(search.bundle(day.day) for day in reversed(days)))
            self._file(
                "search.html",
                _digest(look, bundles),
                lambda: page(
                    "search.html",
                    root="",
                    words=words,
                    index_language=_index_language(languages),
                    bundles=bundles,
                ),
            )
        self._feeds(days, languages)
        if self.base_url:
            self._file(
                "sitemap.xml", _digest(days[-1].day, [day.updated for day in days]), lambda: self._map(days)
            )

    def index(self, days: Sequence[Day]) -> None:
        """Write the search index, bundle by bundle; one whose pages are the same is taken over.

        Raises
        ------
        BackendError
            pagefind failed; the rest of the site is not touched.
        """
        bundles: dict[str, list[str]] = {}
        for day in days:
            bundles.setdefault(search.bundle(day.day), []).append(self._keys[f"{day.day}/index.html"])
        language = _index_language(_languages(days))
        for name, keys in progress(bundles.items(), label="index", total=len(bundles)):
            path = f"{search.FOLDER}/{name}"
            self._keys[path] = _digest(language, keys)
            if self._same(path) and (self.previous / path / "pagefind.js").is_file():
                shutil.copytree(self.previous / path, self.folder / path, copy_function=_take)
            else:
                search.index(self.folder, name, language=language)
        self.searchable = True

    def finish(self, days: Sequence[Day]) -> None:
        """Write `site.json`, from which the next build knows what it may take over."""
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "version": _version(),
            "files": self._keys,
            "days": {day.fingerprint: day.to_json() for day in days},
        }
        (self.folder / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")

    def _same(self, name: str) -> bool:
        return self._old_keys.get(name) == self._keys[name]

    def _file(self, name: str, key: str, make: Callable[[], str | bytes]) -> None:
        path = self.folder / name
        if path.parent not in self._folders:
            path.parent.mkdir(exist_ok=True)
            self._folders.add(path.parent)
        self._keys[name] = key
        if self._same(name) and (self.previous / name).is_file():
            _take(self.previous / name, path)
            self.kept += 1
            return
        content = make()
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.made += 1

    def _days(self, days: Sequence[Day], *, searchable: bool) -> None:
        for place, day in enumerate(progress(days, label="render days")):
            earlier = days[place - 1].day if place else ""
            later = days[place + 1].day if place + 1 < len(days) else ""
            key = _digest(day.fingerprint, earlier, later, searchable)

            def make(day: Day = day, earlier: str = earlier, later: str = later) -> str:
                edition = archive.parse(day.path, archive.content(day.path))
                return html.page(edition, root="../", earlier=earlier, later=later, searchable=searchable)

            self._file(f"{day.day}/index.html", key, make)

    def _home(self, days: Sequence[Day], page: Callable[..., str], look: str) -> None:
        months: dict[str, list[Day]] = {}
        for day in reversed(days):
            months.setdefault(day.month, []).append(day)
        counts = [(name, len(group), sum(len(day.papers) for day in group)) for name, group in months.items()]
        latest = list(reversed(days[-LATEST:]))
        self._file(
            "index.html",
            _digest(look, counts, [day.fingerprint for day in latest]),
            lambda: page("home.html", root="", month="", shown=latest, months=counts, limit=BEST, best=_best),
        )
        for name, group in months.items():
            self._file(
                f"months/{name}.html",
                _digest(look, [day.fingerprint for day in group]),
                functools.partial(
                    page, "home.html", root="../", month=name, shown=group, months=[], limit=1000, best=_best
                ),
            )

    def _keywords(self, days: Sequence[Day], page: Callable[..., str], look: str) -> None:
        found = topics.topics(days)
        for topic in found:
            rows = topic.papers[: topics.ROWS]
            self._file(
                f"keywords/{topic.file}",
                _digest(look, topic.term, topic.translation, len(topic.papers), [day for day, _ in rows]),
                functools.partial(
                    page,
                    "keyword.html",
                    root="../",
                    term=topic.term,
                    translation=topic.translation,
                    total=len(topic.papers),
                    rows=rows,
                ),
            )
        self._file(
            "keywords/index.html",
            _digest(look, [(topic.term, topic.translation, len(topic.papers)) for topic in found]),
            lambda: page("keywords.html", root="../", topics=found, least=topics.LEAST),
        )

    def _feeds(self, days: Sequence[Day], languages: tuple[Language, ...]) -> None:
        latest = list(reversed(days[-LATEST:]))
        key = _digest(self.base_url, languages, [day.fingerprint for day in latest])
        made: dict[str, bytes] = {}

        def make(name: str) -> bytes:
            if not made:
                editions = [archive.parse(day.path, archive.content(day.path)) for day in latest]
                for place, language in enumerate(languages):
                    entries = [
                        item
                        for edition in editions
                        if language in edition.languages
                        for item in feeds.items(
                            edition, language, feeds.contents(edition, language), base_url=self.base_url
                        )
                    ]
                    channel = feeds.Channel(
                        title=PHRASES[language]["heading"],
                        language=language,
                        updated=max((day.updated for day in latest), key=display.moment),
                        about="site",
                        base_url=self.base_url,
                        suffix=f".{language}" if place else "",
                    )
                    made.update(feeds.feeds(entries, channel))
            return made[name]

        for place, language in enumerate(languages):
            for file in feeds.FILES:
                stem, _, kind = file.partition(".")
                name = f"{stem}.{language}.{kind}" if place else file
                self._file(name, key, functools.partial(make, name))

    def _map(self, days: Sequence[Day]) -> bytes:
        root = ElementTree.Element("urlset", {"xmlns": "http://www.sitemaps.org/schemas/sitemap/0.9"})
        for name, updated in [("index.html", days[-1].updated)] + [
            (f"{day.day}/index.html", day.updated) for day in days
        ]:
            node = ElementTree.SubElement(root, "url")
            ElementTree.SubElement(node, "loc").text = f"{self.base_url.rstrip('/')}/{name}"
            ElementTree.SubElement(node, "lastmod").text = display.rfc3339(updated)
        return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def _best(day: Day, limit: int) -> list[Brief]:
    return sorted(day.papers, key=lambda paper: -(paper.recommendation or 0))[:limit]


def _languages(days: Sequence[Day]) -> tuple[Language, ...]:
    """Languages of the site: the latest edition's order first."""
    return tuple(dict.fromkeys(language for day in reversed(days) for language in day.languages))


def _index_language(languages: Sequence[Language]) -> Language:
    return "zh" if "zh" in languages else "en"


def _take(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def _digest(*parts: Any) -> str:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@functools.cache
def _version() -> str:
    """Everything that shapes a page besides its edition: the program's version and its templates."""
    digest = hashlib.sha256(sulan.__version__.encode())
    for path in sorted(html.TEMPLATES.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _manifest(previous: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what the last build was made from; nothing when there was none, or another version made it."""
    try:
        manifest = json.loads((previous / MANIFEST).read_bytes())
        if (manifest["schema_version"], manifest["version"]) != (SCHEMA_VERSION, _version()):
            return {}, {}
        return manifest["files"], manifest["days"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}, {}  # a damaged manifest costs a full build and nothing else
