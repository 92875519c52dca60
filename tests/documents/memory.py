"""Makes an input of a size, does one thing with it, prints the most memory that took, in MB.

Run as `python memory.py STAGE FOLDER MEGABYTES`; the input is made in another process, so that only the stage
counts. Used by the tests of this folder.
"""

import json
import random
import resource
import subprocess
import sys
from pathlib import Path


def make(path: Path, megabytes: int) -> None:
    """Write JSON Lines of about that size: documents of 100 to 8,000 characters, from a fixed seed."""
    source = random.Random(0)
    words = ["".join(source.choices("abcdefghij", k=source.randint(2, 9))) for _ in range(5000)]
    text = " ".join(source.choices(words, k=400_000))
    with path.open("w") as stream:
        written = number = 0
        while written < megabytes << 20:
            start = source.randrange(len(text) - 8000)
            line = json.dumps({"id": f"d{number}", "text": text[start : start + source.randint(100, 8000)]})
            written += stream.write(line + "\n")
            number += 1


def main(stage: str, folder: Path, megabytes: int) -> None:
    """Do the stage and print its peak."""
    corpus, out = folder / f"corpus-{megabytes}", folder / f"{stage}-{megabytes}"
    if stage == "make":
        make(folder / f"{megabytes}.jsonl", megabytes)
    elif stage == "convert":
        from sulan.documents.convert import convert

        convert(folder / f"{megabytes}.jsonl", corpus)
    elif stage == "filtered":
        from sulan.documents import writer

        writer.filtered(corpus, lambda batch: batch.column("text").is_valid(), out)
    elif stage == "with_columns":
        import pyarrow

        from sulan.documents import reader, writer

        scores = (
            pyarrow.record_batch({"id": batch.column(0), "score": pyarrow.array([0.5] * len(batch))})
            for batch in reader.batches(corpus, ["id"])
        )
        writer.with_columns(corpus, scores, out)
    elif stage == "overlap":
        from sulan.documents.overlap import overlap

        for _ in overlap(corpus, [("question", "one two three " * 20)]):
            pass
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)  # noqa: T201


def peak(stage: str, folder: Path, megabytes: int) -> int:
    """Run `main` in a process of its own and return its peak in MB."""
    command = [sys.executable, __file__, stage, str(folder), str(megabytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
