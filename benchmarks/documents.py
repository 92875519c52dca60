"""JSON Lines to Parquet: Sulan's conversion beside a polars scan and sink of the same file.

Both read the same file one after the other, three times in turn, each in a process of its own, so that peak
memory is that of one of them. Sulan also makes ids, checks every record and cuts parts of stable size; polars
only takes over the columns. Printed: megabytes of input per second of wall and of CPU time (best of three),
the ratio of the CPU times, and the highest peak.

    python benchmarks/documents.py [MEGABYTES]
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3


def make(path: Path, megabytes: int) -> None:
    """Write documents of 200 to 8,000 characters in English and Chinese letters, without ids, from a seed."""
    source = random.Random(0)
    words = ["".join(source.choices("etaoinshrdlu", k=source.randint(2, 9))) for _ in range(9000)]
    words += ["".join(source.choices("速览读论文模型数据", k=2)) for _ in range(1000)]
    text = " ".join(source.choices(words, k=500_000))
    written = 0
    with path.open("w") as stream:
        while written < megabytes << 20:
            start = source.randrange(len(text) - 8000)
            piece = text[start : start + source.randint(200, 8000)]
            record = {"text": piece, "url": f"https://example.org/{start}", "lang": "en"}
            line = json.dumps(record, ensure_ascii=False) + "\n"
            written += len(line.encode())
            stream.write(line)


def run(which: str, source: Path, folder: Path) -> None:
    """Convert once and print wall seconds, CPU seconds and peak memory in MB."""
    if which == "sulan":
        from sulan.documents.convert import convert

        wall, cpu = time.perf_counter(), time.process_time()
        convert(source, folder)
    else:
        import polars

        folder.mkdir()
        wall, cpu = time.perf_counter(), time.process_time()
        plan = polars.scan_ndjson(source)
        plan.sink_parquet(folder / "part-00000.parquet", compression="zstd", compression_level=3)
    spent = [time.perf_counter() - wall, time.process_time() - cpu]
    print(*spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main(megabytes: int) -> None:
    """Compare the two and print a table."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "input.jsonl"
        make(source, megabytes)
        size = source.stat().st_size / 1e6
        found: dict[str, list[list[float]]] = {"sulan": [], "polars": []}
        for number in range(ROUNDS):
            for which, results in found.items():
                command = [sys.executable, __file__, which, str(source), f"{scratch}/{which}-{number}"]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                results.append([float(value) for value in done.stdout.split()])
    print(f"{'':8} {'MB/s wall':>10} {'MB/s CPU':>10} {'peak MB':>10}   ({size:.0f} MB of JSON Lines)")
    best = {which: [min(column) for column in zip(*rows, strict=True)] for which, rows in found.items()}
    for which, (wall, cpu, _) in best.items():
        peak = max(row[2] for row in found[which])
        print(f"{which:8} {size / wall:10.0f} {size / cpu:10.0f} {peak:10.0f}")
    print(f"CPU time, sulan / polars: {best['sulan'][1] / best['polars'][1]:.2f}")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        run(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 256)
