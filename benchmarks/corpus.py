"""The pipeline from WARC to deduplicated text beside datatrove's, in one run on this machine, one core each.

Both read the same WARC of real manual pages (`benchmarks/corpus_data.py`), turn by turn, each in processes of its own
whose CPU time the kernel counts. Ours is one `sulan corpus build` without an audit: it extracts (Resiliparse),
identifies (a trained identifier, documents and sentences), filters and deduplicates (same text, spans, MinHash).
Theirs extracts (trafilatura), filters (Gopher's two filters, C4's) and deduplicates (MinHash); it identifies no
language, because its identifier would have to be downloaded.

Both start processes, which costs seconds whatever the size. So there are two ratios: of the whole, start-up
included, and of what a document more costs, from two sizes of the input.

The filters that both have are compared on the same texts: C4's rules by the ids kept, MinHash by the groups kept,
beside datatrove's MinHash with another seed: its hash functions are drawn at random, and so are ours.

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
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

import corpus_data
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
    recipe = out / "recipe.toml"
    recipe.write_text(f'[extract]\ninputs = ["{warc}"]\n[identify]\nidentifier = "{identifier}"\n')
    return [[*CLI, "build", str(recipe), "--out", str(out / "built"), "--workers", "1"]]


def show(name: str, value: float, unit: str) -> None:
    print(f"{name:<44} {value:>10.4g} {unit}", flush=True)


def measure_speed(
    warcs: dict[int, Path], work: Path, python: str, identifier: Path, turns: int, run: Run
) -> None:
    seconds: dict[tuple[str, int], list[float]] = {}
    for turn in range(turns):
        for pages, warc in warcs.items():
            for name in ("ours", "datatrove") if turn % 2 else ("datatrove", "ours"):
                out = work / f"{name}-{pages}-{turn}"
                (out / "warc").mkdir(parents=True)
                shutil.copy(warc, out / "warc")
                chain = [[python, str(PEER), "chain", str(out / "warc"), str(out)]]
                if name == "ours":
                    chain = pipeline(warc, out, identifier)
                seconds.setdefault((name, pages), []).append(cpu_seconds(chain))
                show(f"{name}, {pages} pages, turn {turn + 1}", seconds[name, pages][-1], "CPU s")
    least = {key: min(found) for key, found in seconds.items()}
    small, large = min(warcs), max(warcs)
    scale = (
        f"{large} manual pages, {warcs[large].stat().st_size} bytes of WARC, one core, best of {turns} turns"
    )
    costs = {}
    for name in ("ours", "datatrove"):
        costs[name] = (least[name, large] - least[name, small]) / (large - small)
        show(f"{name}: whole", large / least[name, large], "documents / CPU s")
        show(f"{name}: a document more", 1000 * costs[name], "CPU ms")
        run.metric(f"documents.per.cpu.second.{name}", round(large / least[name, large], 1), scale=scale)
        more = f"from {small} to {large} manual pages, one core, best of {turns} turns"
        run.metric(f"milliseconds.per.document.{name}", round(1000 * costs[name], 2), scale=more)
    whole, marginal = least["datatrove", large] / least["ours", large], costs["datatrove"] / costs["ours"]
    show("datatrove / ours, whole", whole, "x")
    show("datatrove / ours, a document more", marginal, "x")
    run.metric("ratio.datatrove.whole", round(whole, 1), scale=scale)
    run.metric("ratio.datatrove.marginal", round(marginal, 1), scale=more)


def measure_agreement(warc: Path, work: Path, python: str, identifier: Path, run: Run) -> None:
    cpu_seconds([[*CLI, "extract", str(warc), "--out", str(work / "e"), "--workers", "1"]])
    words = ["--identifier", str(identifier), "--workers", "1"]
    cpu_seconds([[*CLI, "identify", str(work / "e"), "--out", str(work / "i"), *words]])
    batches = list(reader.batches(work / "i"))
    table = pa.Table.from_batches(batches)
    texts = table["text"].to_pylist()
    ids = [f"{number:06d}" for number in range(len(texts))]
    same = work / "texts"
    same.mkdir()
    with gzip.open(same / "00000.jsonl.gz", "wt") as stream:
        for id_, text in zip(ids, texts, strict=True):
            stream.write(json.dumps({"id": id_, "text": text}) + "\n")
    cpu_seconds([[python, str(PEER), "filter", str(same), str(work / "filter")]])
    for seed in (1, 2):
        cpu_seconds([[python, str(PEER), "minhash", str(same), str(work / f"minhash-{seed}"), str(seed)]])
    numbered = table.set_column(table.column_names.index("id"), "id", pa.array(ids))
    writer.write([numbered], work / "numbered")
    rules = ["--rules.no-policy", "--rules.no-script-aware", "--workers", "1"]
    cpu_seconds([[*CLI, "filter", str(work / "numbered"), "--out", str(work / "c4"), *rules]])
    kept = set(reader.columns(work / "c4" / "noisy", ["id"])["id"].to_pylist())
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
    # Which of a group survives differs (theirs is the largest subgroup's first), so groups are compared: a group
    # of which one keeps two counts against the agreement, as does one of which it keeps none.
    ours = Counter(set(least.tolist()))
    first, second = (
        Counter(int(least[int(id_)]) for id_ in jsonl_ids(work / f"minhash-{seed}" / "kept"))
        for seed in (1, 2)
    )
    for name, one, other in (("minhash", ours, first), ("minhash.datatrove.twice", first, second)):
        jaccard = (one & other).total() / (one | other).total()
        scale = f"{len(ids)} texts, {one.total()} and {other.total()} kept"
        show(f"Jaccard of kept groups, {name}", jaccard, scale)
        run.metric(f"kept.jaccard.{name}", round(jaccard, 4), scale=scale)


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
    parser.add_argument("--turns", type=int, default=2, help="0: only how far the two agree")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "records" / "corpus")
    arguments = parser.parse_args()
    sizes = (arguments.pages // 4, arguments.pages)
    identifier = arguments.identifier.absolute()
    config = {"pages": arguments.pages, "turns": arguments.turns}
    with (
        tempfile.TemporaryDirectory() as name,
        outputs.folder(arguments.out) as folder,
        record(verb="benchmark corpus", folder=folder, config=config, seed=0) as run,
    ):
        work = Path(name)
        warcs = {pages: corpus_data.sampled(arguments.cache, pages) for pages in sizes}
        if arguments.turns:
            measure_speed(warcs, work, arguments.datatrove, identifier, arguments.turns, run)
        measure_agreement(warcs[arguments.pages], work, arguments.datatrove, identifier, run)


if __name__ == "__main__":
    main()
