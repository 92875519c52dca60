"""An archive in miniature, made up on the spot, to try things out without a network.

Its packages have names and one-line descriptions of the archive's kind, in English and in `xx`, a language whose words
are the English ones with their letters moved by thirteen. What a section is about shows in one word of each line.
Not covered: anything real.
"""

import bz2
import codecs
import hashlib
import itertools
import lzma
from functools import cached_property

from sulan.errors import MissingFile
from sulan.tune.archive import SECTIONS

NAME = "miniature"
LANGUAGE = "xx"

ABOUT = {
    "games": ("chess", "puzzle", "maze", "arcade", "cards"),
    "science": ("genome", "protein", "algebra", "galaxy", "climate"),
    "web": ("browser", "server", "cookie", "website", "crawler"),
    "sound": ("music", "audio", "guitar", "mixer", "drums"),
    "fonts": ("typeface", "letters", "glyphs", "serif", "script"),
}
"""Words that show a section; the sections are those of `archive`."""

KINDS = ("tool", "program", "library", "viewer", "editor", "collection")
WORDS = ("small", "fast", "simple", "free", "graphical", "portable")


class Miniature:
    """A mirror that holds the made-up archive."""

    def fetch(self, path: str) -> bytes:
        """Return the file at a path under the root.

        Raises
        ------
        MissingFile
            There is no such file.
        """
        suite, _, name = path.removeprefix("dists/").partition("/")
        if not suite or name not in self._files:
            raise MissingFile(f"the archive in miniature has no {path}", hint=f"its language is {LANGUAGE}")
        return self._files[name]

    @cached_property
    def _files(self) -> dict[str, bytes]:
        packages, translations = [], []
        for section in SECTIONS:
            for subject, kind, word in itertools.product(ABOUT[section], KINDS, WORDS):
                name, line = f"{subject}{kind}{word}", f"{word} {subject} {kind}"
                digest = hashlib.md5(line.encode(), usedforsecurity=False).hexdigest()
                head = f"Package: {name}\n"
                packages.append(f"{head}Section: {section}\nDescription: {line}\nDescription-md5: {digest}\n")
                said = codecs.encode(line, "rot13")
                translations.append(f"{head}Description-md5: {digest}\nDescription-{LANGUAGE}: {said}\n")
        files = {
            "main/binary-amd64/Packages.xz": lzma.compress("\n".join(packages).encode()),
            f"main/i18n/Translation-{LANGUAGE}.bz2": bz2.compress("\n".join(translations).encode()),
        }
        lines = [f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}" for name, data in files.items()]
        return {**files, "Release": "\n".join(["SHA256:", *lines, ""]).encode()}
