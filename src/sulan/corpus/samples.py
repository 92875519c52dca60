"""The sample that comes with Sulan: web pages and sentence pairs of one small grammar in six languages.

`sample` as an input means: some of everything that the room's stages are for. Pages in six languages, two of whose
folders claim the wrong one; the same pages and nearly the same pages again; pages with placeholder text, curly
brackets and cookie notices; a page in a charset of its own that says otherwise. Not covered: anything that a crawl
would really hold; the whole is made of four dozen words a language.
"""

import gzip
import itertools
import json
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sulan.runs import folders, outputs, seeds

SAMPLE = "sample"
PAGES = 24
"""Pages of each language."""

PAIRS = 1200
"""Sentence pairs of each direction."""

_SPOILT = (
    "<p>Lorem ipsum dolor sit amet, consectetur adipisicing elit.</p>",
    "<p>function start() { return 1; }</p>",
    "<p>This site uses cookies to make your visit more pleasant.</p>",
)


def located(path: Path) -> Path:
    """Return where an input is; `sample` is a WARC in the user's cache, unless there is a file of that name."""
    return _made("pages.warc.gz") if str(path) == SAMPLE and not path.exists() else path


def pairs(path: Path) -> Path:
    """Return where sentence pairs are; `sample` is a file in the user's cache, see `located`."""
    return _made("pairs.jsonl") if str(path) == SAMPLE and not path.exists() else path


def recipe(path: Path) -> Path:
    """Return where a recipe of a build is; `sample` is one that comes with Sulan, see `located`."""
    return (
        Path(__file__).with_name("sample-build.toml") if str(path) == SAMPLE and not path.exists() else path
    )


def sentence(language: str, number: int) -> str:
    """Return one of the sentences of a language; the same number is the same sentence in every language.

    Examples
    --------
    >>> sentence("en", 0)
    'In the morning the old teacher reads a long letter near the river.'
    >>> sentence("zh", 0)
    '早上年老的老师在河边读一封很长的信。'
    """
    words = _grammar()[language]
    chosen = {}
    for name in ("time", "who", "what", "where"):
        number, index = divmod(number, len(words[name]))
        chosen[name] = words[name][index]
    return words["order"].format(**chosen)


@cache
def _grammar() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("sample.toml").read_text())


def _sentences() -> int:
    words = _grammar()["en"]
    return len(words["time"]) * len(words["who"]) * len(words["what"]) * len(words["where"])


def _made(name: str) -> Path:
    """Write the sample where it is not there yet; its bytes depend on this file and the words alone."""
    data = b"".join(map(_record, _pages())) if name.endswith(".gz") else "".join(_pairs()).encode()
    path = folders.cache() / "corpus-sample" / name
    if not path.exists() or path.read_bytes() != data:
        outputs.write_bytes(path, data)
    return path


def _pages() -> Iterator[tuple[str, bytes]]:
    """Yield URL and body of every page."""
    for language, number in itertools.product(_grammar(), range(PAGES)):
        draw = seeds.generator(0, f"sample {language} {number}")
        numbers = draw.choice(_sentences(), 9, replace=False).tolist()
        body = _body(language, numbers)
        # These folders hold pages that nobody has translated: most of fr, and some of de.
        if (language == "fr" and number >= 6) or (language == "de" and number >= 18):
            body = _body("en", numbers)
        if number == 1 and language in ("en", "es"):
            body += _SPOILT[0]
        elif number in (2, 3) and language == "en":
            body += _SPOILT[number - 1]
        url = f"http://sample.example/{language}/{number}.html"
        charset = "windows-1251" if (language, number) == ("ru", 0) else "utf-8"
        yield url, _page(language, body).encode(charset)
        if number == 4:
            yield url.replace(".html", "-again.html"), _page(language, body).encode()
        if number == 5:
            nearly = _body(language, [*numbers[:-1], (numbers[-1] + 1) % _sentences()])
            yield url.replace(".html", "-nearly.html"), _page(language, nearly).encode()


def _body(language: str, numbers: list[int]) -> str:
    gap = "" if language == "zh" else " "
    said = [sentence(language, number) for number in numbers]
    return "".join(f"<p>{gap.join(said[start : start + 3])}</p>" for start in range(0, len(said), 3))


def _page(language: str, body: str) -> str:
    return (
        f"<!doctype html><html lang={language}><head><meta charset=utf-8><title>{language}</title></head>"
        f"<body><nav><a href=/>Home</a></nav><main>{body}</main><footer>2026</footer></body></html>"
    )


def _record(page: tuple[str, bytes]) -> bytes:
    url, body = page
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body
    header = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <{url}>\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
        f"WARC-Target-URI: {url}\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(http)}\r\n\r\n"
    )
    return gzip.compress(header.encode() + http + b"\r\n\r\n", mtime=0)


def _pairs() -> Iterator[str]:
    """Yield English and Spanish sentences, both ways, as lines of JSON."""
    numbers = seeds.generator(0, "sample pairs").permutation(_sentences())[:PAIRS].tolist()
    for number, (source, target) in itertools.product(numbers, (("en", "es"), ("es", "en"))):
        row = {
            "id": f"{source}-{target}-{number}",
            "text": sentence(source, number),
            "translation": sentence(target, number),
            "source_lang": source,
            "target_lang": target,
        }
        yield json.dumps(row, ensure_ascii=False) + "\n"
