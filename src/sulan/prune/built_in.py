"""The corpus that every machine has: text that comes with Python and its installed packages.

It stands where a corpus is asked for under the name `python`, as `smollm2` does for models, so that every verb
has a real example without a network. Five sources of different kinds and qualities, told apart in the column
`source`: `reference` (the language reference, as Python's own help has it), `docstrings` and `code` of the
standard library, `tables` (its character tables: columns of numbers), `licences` of the installed packages.

The content is that of this Python and these packages: another version, another corpus; its fingerprint is in
every `run.json`. Not covered: any language but English, and text of the size that pretraining needs.
"""

import ast
import hashlib
import sysconfig
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pyarrow as pa

from sulan.documents import writer
from sulan.documents.convert import text_id
from sulan.runs import folders, outputs

NAME = "python"

LONGEST = 4_000
"""Characters of a document: longer files are cut at blank lines, as pages of the others are of this order."""

SHORTEST = 200
"""Characters: below it, texts say little more than their name."""

LEFT_OUT = frozenset(
    {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "lib2to3"}
)
"""Folders of the standard library that not every Python has."""

_SCHEMA = pa.schema(
    [("id", pa.string()), ("text", pa.large_string()), ("source", pa.string()), ("title", pa.string())]
)


def located(corpus: Path) -> Path:
    """Return the folder of a corpus: `python` is the built-in one, anything else is a path.

    The built-in corpus is made on first use, in the user's cache folder.
    """
    if str(corpus) != NAME:
        return corpus
    files = sorted(_files())
    described = "\n".join(
        [sysconfig.get_python_version(), *(f"{path} {path.stat().st_size}" for path in files)]
    )
    made = folders.cache() / "corpora" / f"python-{hashlib.sha256(described.encode()).hexdigest()[:16]}"
    if not (made / outputs.RECORD).is_file():
        from sulan.runs.record import record

        with outputs.folder(made) as folder, record(verb="prune built-in", folder=folder, config={}):
            writer.write(_batches(files), folder, schema=_SCHEMA)
    return made


def _files() -> Iterator[Path]:
    library = Path(sysconfig.get_path("stdlib"))
    for path in library.rglob("*.py"):
        if not LEFT_OUT & set(path.relative_to(library).parts):
            yield path
    for package in Path(sysconfig.get_path("purelib")).glob("*.dist-info"):
        for path in package.rglob("*"):
            if path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE")) and path.is_file():
                yield path


def _batches(files: list[Path]) -> Iterator[pa.RecordBatch]:
    seen: set[str] = set()
    for source, title, text in _texts(files):
        rows = []
        for number, piece in enumerate(_pieces(text)):
            name = text_id(piece)
            if len(piece) >= SHORTEST and name not in seen:  # licences repeat
                seen.add(name)
                rows.append({"id": name, "text": piece, "source": source, "title": f"{title} {number + 1}"})
        yield pa.RecordBatch.from_pylist(rows, schema=_SCHEMA)


def _texts(files: list[Path]) -> Iterator[tuple[str, str, str]]:
    """Give (source, title, text) of what is there."""
    for topic, text in sorted(import_module("pydoc_data.topics").topics.items()):
        yield "reference", topic, text
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path.suffix != ".py":
            yield "licences", f"{path.parent.name} {path.name}", text
        elif "encodings" in path.parts:
            yield "tables", path.stem, text
        else:
            documented = "\n\n".join(_docstrings(text))
            yield "docstrings", path.stem, documented
            yield "code", path.stem, text


def _docstrings(source: str) -> Iterator[str]:
    try:
        waiting: list[ast.AST] = [ast.parse(source)]
    except SyntaxError:  # templates of code
        return
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield text
            waiting += reversed(node.body)  # what stands inside an `if` or `try` is passed over


def _pieces(text: str) -> Iterator[str]:
    piece = ""
    for paragraph in text.split("\n\n"):
        if piece and len(piece) + len(paragraph) > LONGEST:
            yield piece
            piece = ""
        piece = f"{piece}\n\n{paragraph}" if piece else paragraph
    yield piece
