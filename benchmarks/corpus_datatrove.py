"""The peer's side of `benchmarks/corpus.py`: runs in datatrove's own environment and knows nothing of Sulan.

PYTHON corpus_datatrove.py chain WARC_FOLDER OUT | filter JSONL_FOLDER OUT | minhash JSONL_FOLDER OUT [SEED]
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import C4QualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.writers import JsonlWriter


def run(out: Path, *steps: object, tasks: int = 1) -> None:
    # One task in this process: no other cores, and its CPU time is this process's.
    with TemporaryDirectory(dir=out) as logs:
        LocalPipelineExecutor(pipeline=list(steps), tasks=tasks, workers=1, logging_dir=logs).run()


def minhash(folder: str, out: Path, *, seed: int = 1) -> None:
    """Stages 1 to 4 with datatrove's own defaults: 14 buckets of 8 hashes, 5-grams, seed 1."""
    shape = MinhashConfig(seed=seed)
    run(out, JsonlReader(folder), MinhashDedupSignature(f"{out}/signatures", shape))
    run(out, MinhashDedupBuckets(f"{out}/signatures", f"{out}/buckets", config=shape), tasks=14)
    run(out, MinhashDedupCluster(f"{out}/buckets", f"{out}/remove", shape))
    run(out, JsonlReader(folder), MinhashDedupFilter(f"{out}/remove"), JsonlWriter(f"{out}/kept"))


def main() -> None:
    what, folder, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    out.mkdir(exist_ok=True)
    c4 = C4QualityFilter(
        remove_citations=False, filter_no_terminal_punct=False, max_word_length=-1, filter_policy=False
    )
    if what == "chain":
        run(
            out,
            WarcReader(folder),
            Trafilatura(favour_precision=True, timeout=10),
            GopherRepetitionFilter(),
            GopherQualityFilter(),
            c4,
            JsonlWriter(f"{out}/filtered"),
        )
        minhash(f"{out}/filtered", out)
    elif what == "filter":
        run(out, JsonlReader(folder), c4, JsonlWriter(f"{out}/kept"))
    else:
        minhash(folder, out, seed=int(sys.argv[4]))


if __name__ == "__main__":
    main()
