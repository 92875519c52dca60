"""Evaluation items in a corpus of template texts, disguised."""

import random
import unicodedata
from pathlib import Path

import pyarrow as pa

from sulan import textbook
from sulan.documents import reader, writer
from sulan.textbook import benchmarks

EACH = 50
"""Items of HumanEval, and of GSM8K."""

SPACES = (" ", "  ", "\n", "\t", "\u00a0", "\u2003", " \r\n")
MARKS = ("\u0301", "\u0308", "\u0327", "\u030c")


def disguised(text: str, draw: random.Random) -> str:
    """Change case, white space and diacritics, and nothing else."""
    letters = []
    for letter in text:
        changed = draw.choice((letter.upper(), letter.lower(), letter)) if letter.isascii() else letter
        if letter.isascii() and letter.isalpha() and draw.random() < 0.2:
            changed = unicodedata.normalize(draw.choice(("NFC", "NFD")), changed + draw.choice(MARKS))
        letters.append(draw.choice(SPACES) if letter.isspace() else changed)
    return "".join(letters)


def corpus(folder: Path, *, count: int) -> dict[str, str]:
    """Write a corpus of `count` texts; return the id of each that holds an item -> the item."""
    textbook.plan(out=folder.with_name("plan"), count=count, forms=("exercises", "lesson"))
    textbook.synthesize(folder.with_name("plan"), out=folder.with_name("clean"))
    rows = reader.columns(folder.with_name("clean"), ["id", "text"]).to_pylist()
    draw = random.Random(0)
    items = [
        item for name in ("humaneval", "gsm8k") for item in draw.sample(list(benchmarks.read(name)), EACH)
    ]
    planted = {}
    for row, (item, text) in zip(draw.sample(rows, len(items)), items, strict=True):
        middle = row["text"].find(" ", len(row["text"]) // 2)
        row["text"] = f"{row['text'][:middle]}\n{disguised(text, draw)}\n{row['text'][middle:]}"
        planted[row["id"]] = item
    writer.write([pa.table({name: [row[name] for row in rows] for name in ("id", "text")})], folder)
    return planted
