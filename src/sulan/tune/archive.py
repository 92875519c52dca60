"""Tasks from Debian's package descriptions: one line a package, translated by people, with the archive's section.

The archive's own index files are read: `Packages.xz` (names, sections, English lines) and `i18n/Translation-LANG`
for each language, checked against the hashes of `Release`. A section is a label that people gave; the English line is
what a perfect translation would be. Of packages that share the first word of their name one is taken, so that no split
holds a sibling of another's (`0ad`, `0ad-data`).

The descriptions are the archive's, each under the licence of its package; they are fetched, never shipped.
Not covered: long descriptions, suites with signed-by keys (hashes find damage, not forgery).
"""

import bz2
import hashlib
import json
import lzma
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sulan.errors import BackendError, InputError
from sulan.runs import outputs, seeds
from sulan.tune.task import FILE, plain

Kind = Literal["section", "same", "english"]
SECTIONS = ("games", "science", "web", "sound", "fonts")
"""Sections that a line of description tells apart, each with hundreds of translated packages."""

LARGEST = 1 << 28
"""Bytes that an index may have, packed or not; `Packages` of Debian 12 has 47 MB."""

NAMES = {
    "de": "German", "fr": "French", "it": "Italian", "ja": "Japanese", "ko": "Korean", "ru": "Russian",
    "uk": "Ukrainian", "zh_CN": "Chinese",
}  # fmt: skip
"""Languages by the archive's codes, as the prompts call them."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """One package: its English line and, by language, what translators made of it."""

    name: str
    section: str
    english: str
    translated: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Examples of each split, and exemplars."""

    train: int = 100
    dev: int = 100
    test: int = 300
    exemplars: int = 10


def packages(fetch: Callable[[str], bytes], *, suite: str, languages: Sequence[str]) -> list[Package]:
    """Read the indexes.

    Parameters
    ----------
    fetch
        Returns the file at a path under the mirror's root.
    suite
        `bookworm`, `stable`, ...
    languages
        Codes of the archive.

    Raises
    ------
    InputError
        The archive has no translations into a language.
    BackendError
        An index is damaged.
    """
    root = f"dists/{suite}"
    hashes = _hashes(fetch(f"{root}/Release").decode("utf-8", errors="replace"))

    def index(name: str, unpack: Callable[[bytes], bytes]) -> Iterator[dict[str, str]]:
        if name not in hashes:
            raise InputError(f"the archive has no {name}", hint=f"languages such as {', '.join(NAMES)}")
        data = fetch(f"{root}/{name}")
        if hashlib.sha256(data).hexdigest() != hashes[name]:
            raise BackendError(f"{name} is not what the archive's Release says", hint="try again later")
        return paragraphs(unpack(data).decode("utf-8", errors="replace"))

    english = {
        entry["Package"]: entry
        for entry in index("main/binary-amd64/Packages.xz", _unxz)
        if {"Package", "Section", "Description", "Description-md5"} <= entry.keys()
    }
    translated: dict[str, dict[str, str]] = {name: {} for name in english}
    for language in languages:
        for entry in index(f"main/i18n/Translation-{language}.bz2", _unbz2):
            name = entry.get("Package", "")
            line = entry.get(f"Description-{language}", "")
            known = english.get(name)
            # A translation of an older description is of another text.
            if known and line and entry.get("Description-md5") == known["Description-md5"]:
                translated[name][language] = line
    return [
        Package(
            name=name, section=entry["Section"], english=entry["Description"], translated=translated[name]
        )
        for name, entry in sorted(english.items())
    ]


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Yield the entries of an index: first lines of fields by name.

    Examples
    --------
    >>> list(paragraphs("Package: a\\nDescription: One.\\n more\\n\\nPackage: b\\n"))
    [{'Package': 'a', 'Description': 'One.'}, {'Package': 'b'}]
    """
    entry: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            if entry:
                yield entry
                entry = {}
        elif line[0] not in " \t#":
            name, colon, value = line.partition(":")
            if colon:
                entry[name] = value.strip()
    if entry:
        yield entry


def build(
    found: Iterable[Package], folder: Path, *, kind: Kind, languages: Sequence[str], sizes: Sizes, seed: int
) -> dict[str, int]:
    """Write a task into a folder that `outputs.folder` gave, and return how many examples each split has.

    Raises
    ------
    InputError
        There are fewer packages than examples are wanted.
    """
    rows = {"section": _sections, "same": _pairs, "english": _english}[kind](found, languages, seed)
    wanted = {"exemplar": sizes.exemplars, "train": sizes.train, "dev": sizes.dev, "test": sizes.test}
    split = _split(rows, wanted, seed=seed)
    exemplars = split.pop("exemplar")
    lines = [
        json.dumps({**row, "split": name}, ensure_ascii=False) + "\n" for name in split for row in split[name]
    ]
    outputs.write_text(folder / "examples.jsonl", "".join(lines))
    outputs.write_text(folder / FILE, _toml(kind, languages, exemplars))
    return {name: len(each) for name, each in split.items()}


def _single(found: Iterable[Package], seed: int) -> list[Package]:
    """Return packages of the sections, one of each family of names and one of each line, in an order of the seed."""
    families: dict[str, Package] = {}
    chosen = [each for each in found if each.section in SECTIONS]
    for each in sorted(chosen, key=lambda package: seeds.key(seed, f"package {package.name}")):
        # fonts-, python3-, r-cran- and the like say no more than the section does.
        words = [
            word
            for word in each.name.split("-")
            if word not in ("fonts", "ttf", "python3", "lib", "r", "cran")
        ]
        families.setdefault(words[0] if words else each.name, each)
    lines: dict[str, Package] = {}
    for each in families.values():
        lines.setdefault(plain(each.english), each)
    return list(lines.values())


def _sections(found: Iterable[Package], languages: Sequence[str], seed: int) -> list[dict[str, str]]:
    rows = []
    seen: set[str] = set()
    for package in _single(found, seed):
        there = [language for language in languages if language in package.translated]
        if not there:
            continue
        language = there[seeds.key(seed, f"language {package.name}") % len(there)]
        line = package.translated[language]
        if plain(line) in seen or plain(line) == plain(package.english):
            continue
        seen.add(plain(line))
        rows.append(_row(package, language, text=line, answer=package.section))
    return rows


def _english(found: Iterable[Package], languages: Sequence[str], seed: int) -> list[dict[str, str]]:
    """Rows that a small model can read by itself: the English line."""
    return [
        _row(package, "en", text=package.english, answer=package.section)
        for package in _single(found, seed)
        if package.section in ("games", "fonts")
    ]


def _pairs(found: Iterable[Package], languages: Sequence[str], seed: int) -> list[dict[str, str]]:
    """Rows that ask whether a translation and an English line are of one package; wrong ones share the section."""
    packages = {each.name: each for each in _single(found, seed)}
    rows = []
    for row in _sections(found, languages, seed):
        package = packages[row["id"]]
        same = seeds.key(seed, f"pair {package.name}") % 2 == 0
        others = [
            each
            for each in packages.values()
            if each.section == package.section and each.name != package.name
        ]
        other = package if same else others[seeds.key(seed, f"other {package.name}") % len(others)]
        rows.append({**row, "text": f"{row['text']}\n{other.english}", "answer": "yes" if same else "no"})
    return rows


def _row(package: Package, language: str, *, text: str, answer: str) -> dict[str, str]:
    return {"id": package.name, "text": text, "answer": answer, "lang": language, "english": package.english}


def _split(
    rows: Sequence[dict[str, str]], wanted: Mapping[str, int], *, seed: int
) -> dict[str, list[dict[str, str]]]:
    """Divide rows so that every answer and language has about the same share of every split."""
    cells: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in sorted(rows, key=lambda row: seeds.key(seed, f"split {row['id']}")):
        cells.setdefault((row["answer"], row["lang"]), []).append(row)
    found: dict[str, list[dict[str, str]]] = {name: [] for name in wanted}
    answers, languages = (sorted({key[part] for key in cells}) for part in (0, 1))
    # Answers take turns before languages do, so that a few exemplars already show them all.
    turn = [
        cells[answer, languages[(number + shift) % len(languages)]]
        for shift in range(len(languages))
        for number, answer in enumerate(answers)
        if (answer, languages[(number + shift) % len(languages)]) in cells
    ]
    for name, count in wanted.items():
        number = 0
        while len(found[name]) < count:
            if not any(turn):
                raise InputError(
                    f"the archive has {len(rows)} such packages, not {sum(wanted.values())}",
                    hint="fewer examples, or more languages",
                )
            cell = turn[number % len(turn)]
            if cell:
                found[name].append(cell.pop())
            number += 1
    return found


def _toml(kind: Kind, languages: Sequence[str], exemplars: Sequence[Mapping[str, str]]) -> str:
    names = [NAMES.get(language, language) for language in languages]
    spoken = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    if kind == "same":
        about = f"Whether a description in {spoken} and one in English are of the same Debian package."
        labels = ["yes", "no"]
        reasons = "Translate the first line of each pair into English."
        asks = "Are the two descriptions of the same package?"
    else:
        read = spoken if kind == "section" else "English"
        about = f"The section of a Debian package, from its description in {read}."
        labels = list(SECTIONS) if kind == "section" else ["games", "fonts"]
        reasons = "Translate the descriptions of software packages into English."
        asks = f"Which section of the archive is the package in: {', '.join(labels)}?"
    lines = [
        f"about = {_quoted(about)}",
        'data = "examples.jsonl"',
        'group = "lang"',
        'oracle = "english"',
        f"labels = [{', '.join(map(_quoted, labels))}]",
        "",
        "[teacher]",
        f"instructions = {_quoted(reasons)}",
        'question = "{input}"',
        'reasoning = "English:"',
        'answer = "Answer:"' if kind == "same" else 'answer = "Section:"',
        "",
        "[student]",
        f"instructions = {_quoted(asks)}",
        'question = "{input}"',
        'reasoning = "English:"',
        'answer = "Answer:"' if kind == "same" else 'answer = "Section:"',
    ]
    for row in exemplars:
        lines += [
            "",
            "[[teacher.exemplars]]",
            f"input = {_quoted(row['text'])}",
            f"reasoning = {_quoted(row['english'])}",
            f"answer = {_quoted(row['answer'])}",
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    # JSON's strings are TOML's basic strings but for DEL, which no description has.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "")


def _hashes(release: str) -> dict[str, str]:
    found: dict[str, str] = {}
    inside = False
    for line in release.splitlines():
        if not line.startswith(" "):
            inside = line.strip() == "SHA256:"
        elif inside and len(parts := line.split()) == 3:
            found[parts[2]] = parts[0]
    return found


def _unxz(data: bytes) -> bytes:
    return _unpacked(lzma.LZMADecompressor(), data)


def _unbz2(data: bytes) -> bytes:
    return _unpacked(bz2.BZ2Decompressor(), data)


def _unpacked(decompressor: Any, data: bytes) -> bytes:
    try:
        found = decompressor.decompress(data, max_length=LARGEST)
    except (lzma.LZMAError, OSError) as error:
        raise BackendError(f"an index of the archive is damaged: {error}") from error
    if not decompressor.eof:
        raise BackendError("an index of the archive is cut off, or larger than it can be")
    return found
