"""The pipeline from WARC to deduplicated text beside datatrove's, in one run on this machine, one core each.

Both read the same WARC of real manual pages (`benchmarks/corpus_data.py`), turn by turn, each in processes of its own
whose CPU time the kernel counts, start-up included. Ours extracts (Resiliparse), identifies (a trained identifier,
document and sentences), filters and deduplicates (same text, spans, MinHash). Theirs extracts (trafilatura), filters
(Gopher's two filters, C4's) and deduplicates (MinHash); it identifies no language, because its identifier would have
to be downloaded.

The filters that both have are compared on the same texts: C4's rules by the ids kept, MinHash by the groups kept.

    python benchmarks/corpus.py --cache FOLDER --datatrove PYTHON --identifier FOLDER [--turns 2]

`PYTHON` is that of an environment with `datatrove[processing,io]==0.10.1 lxml_html_clean spacy`.
"""

import argparse
import gzip
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sulan.corpus import groups, matching, minhash
from sulan.corpus.sentences import Texts
from sulan.documents import reader, writer
from sulan.runs import outputs
from sulan.runs.record import Run, record

ROOT = Path(__file__).parents[1]
PEER = Path(__file__).with_name("corpus_datatrove.py")
CLI = [sys.executable, "-m", "sulan", "corpus"]


def cpu_seconds(commands: list[list[str]]) -> float:
    """CPU seconds of commands and all that they start."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pipeline(warc: Path, out: Path, identifier: Path) -> list[list[str]]:
    one = ["--workers", "1"]
    return [
        [*CLI, "extract", str(warc), "--out", str(out / "e"), *one],
        [*CLI, "identify", str(out / "e"), "--identifier", str(identifier), "--out", str(out / "i"), *one],
        [*CLI, "filter", str(out / "i"), "--out", str(out / "f"), *one],
        [*CLI, "deduplicate", str(out / "f"), "--out", str(out / "d"), *one],
    ]


def show(name: str, value: float, unit: str) -> None:
    print(f"{name:<44} {value:>10.4g} {unit}", flush=True)


def measure_speed(warc: Path, work: Path, python: str, identifier: Path, turns: int, run: Run) -> None:
    folder = work / "warc"
    folder.mkdir()
    shutil.copy(warc, folder)
    seconds: dict[str, list[float]] = {"ours": [], "datatrove": []}
    for turn in range(turns):
        for name in sorted(seconds, reverse=bool(turn % 2)):
            out = work / f"{name}-{turn}"
            out.mkdir()
            chain = (
                pipeline(warc, out, identifier)
                if name == "ours"
                else [[python, str(PEER), "chain", str(folder), str(out)]]
            )
            seconds[name].append(cpu_seconds(chain))
            show(f"{name}, turn {turn + 1}", seconds[name][-1], "CPU s")
    count = reader.count(work / "ours-0" / "e")
    scale = f"{count} manual pages, {warc.stat().st_size} bytes of WARC, one core, best of {turns} turns"
    for name, found in seconds.items():
        show(name, count / min(found), "documents / CPU s")
        run.metric(f"documents.per.cpu.second.{name}", round(count / min(found), 1), scale=scale)
    ratio = min(seconds["datatrove"]) / min(seconds["ours"])
    show("ours / datatrove", ratio, "x")
    run.metric("ratio.datatrove", round(ratio, 1), scale=scale)


def measure_agreement(work: Path, python: str, run: Run) -> None:
    batches = list(reader.batches(work / "ours-0" / "i"))
    table = pa.Table.from_batches(batches)
    texts = table["text"].to_pylist()
    ids = [f"{number:06d}" for number in range(len(texts))]
    same = work / "texts"
    same.mkdir()
    with gzip.open(same / "00000.jsonl.gz", "wt") as stream:
        for id_, text in zip(ids, texts, strict=True):
            stream.write(json.dumps({"id": id_, "text": text}) + "\n")
    for what in ("filter", "minhash"):
        cpu_seconds([[python, str(PEER), what, str(same), str(work / what)]])
    numbered = table.set_column(table.column_names.index("id"), "id", pa.array(ids))
    writer.write([numbered], work / "numbered")
    rules = ["--rules.no-policy", "--rules.no-script-aware", "--workers", "1"]
    cpu_seconds([[*CLI, "filter", str(work / "numbered"), "--out", str(work / "c4"), *rules]])
    kept = set(pq.read_table(work / "c4" / "noisy", columns=["id"])["id"].to_pylist())
    theirs = jsonl_ids(work / "filter" / "kept")
    jaccard = len(kept & theirs) / len(kept | theirs)
    show("C4's rules: Jaccard of kept ids", jaccard, f"{len(kept)} and {len(theirs)} of {len(ids)}")
    run.metric(
        "kept.jaccard.c4", round(jaccard, 4), scale=f"{len(ids)} texts, {len(kept)} and {len(theirs)} kept"
    )

    arrays = Texts.of(pa.array(texts, pa.large_string()))
    hashes, worded = minhash.bands(arrays, words=5, bands=14, rows=8)
    keys = np.arange(len(ids), dtype=np.uint64)
    rows = np.zeros((len(ids), 14), matching.OCCURRENCE)
    rows["high"], rows["low"] = hashes, np.arange(14)
    rows["key"], rows["document"] = keys[:, None], np.arange(len(ids))[:, None]
    (work / "shards" / "shard-00000").mkdir(parents=True)
    matching.write(work / "shards" / "shard-00000" / "bands.npy", rows[worded].ravel())
    matching.match_bucket(["bands.npy", 0, 1], work, shards=str(work / "shards"), made="")
    least = groups.union([str(work / "matches.npy")], keys)
    ours = set(least.tolist())
    # Which of a group survives differs (theirs is the largest subgroup's first), so groups are compared: a group
    # of which they keep two counts against the agreement, as does one of which they keep none.
    found = sorted(int(least[int(id_)]) for id_ in jsonl_ids(work / "minhash" / "kept"))
    jaccard = len(ours & set(found)) / (len(ours) + len(found) - len(ours & set(found)))
    show("MinHash: Jaccard of kept groups", jaccard, f"{len(ours)} and {len(found)} of {len(ids)}")
    run.metric(
        "kept.jaccard.minhash",
        round(jaccard, 4),
        scale=f"{len(ids)} texts, {len(ours)} and {len(found)} kept",
    )


def jsonl_ids(folder: Path) -> set[str]:
    found = set()
    for path in folder.glob("*.jsonl.gz"):
        with gzip.open(path, "rt") as stream:
            found |= {json.loads(line)["id"] for line in stream}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder of benchmarks/corpus_data.py")
    parser.add_argument("--pages", type=int, default=3000)
    parser.add_argument("--datatrove", required=True, help="the Python of datatrove's environment")
    parser.add_argument("--identifier", type=Path, required=True, help="of sulan corpus train-identifier")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "records" / "corpus")
    arguments = parser.parse_args()
    warc = arguments.cache / f"manuals-{arguments.pages}.warc.gz"
    with (
        tempfile.TemporaryDirectory() as name,
        outputs.folder(arguments.out) as folder,
        record(verb="benchmark corpus", folder=folder, config={"pages": arguments.pages}, seed=0) as run,
    ):
        work = Path(name)
        measure_speed(warc, work, arguments.datatrove, arguments.identifier.absolute(), arguments.turns, run)
        measure_agreement(work, arguments.datatrove, run)


if __name__ == "__main__":
    main()
