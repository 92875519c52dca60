"""The peer's side of `benchmarks/corpus.py`: runs in datatrove's own environment and knows nothing of Sulan.

PYTHON corpus_datatrove.py chain WARC_FOLDER OUT | filter JSONL_FOLDER OUT | minhash JSONL_FOLDER OUT
"""

import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import C4QualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.writers import JsonlWriter


def run(*steps: object) -> None:
    # One task in this process: no other cores, and its CPU time is this process's.
    LocalPipelineExecutor(pipeline=list(steps), tasks=1, workers=1).run()


def minhash(folder: str, out: Path) -> None:
    """Stages 1 to 4 with datatrove's own defaults: 14 buckets of 8 hashes, 5-grams."""
    run(JsonlReader(folder), MinhashDedupSignature(f"{out}/signatures"))
    for_buckets = [MinhashDedupBuckets(f"{out}/signatures", f"{out}/buckets")]
    LocalPipelineExecutor(pipeline=for_buckets, tasks=14, workers=1).run()
    run(MinhashDedupCluster(f"{out}/buckets", f"{out}/remove"))
    run(JsonlReader(folder), MinhashDedupFilter(f"{out}/remove"), JsonlWriter(f"{out}/kept"))


def main() -> None:
    what, folder, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    c4 = C4QualityFilter(
        remove_citations=False, filter_no_terminal_punct=False, max_word_length=-1, filter_policy=False
    )
    if what == "chain":
        run(
            WarcReader(folder),
            Trafilatura(favour_precision=True, timeout=10),
            GopherRepetitionFilter(),
            GopherQualityFilter(),
            c4,
            JsonlWriter(f"{out}/filtered"),
        )
        minhash(f"{out}/filtered", out)
    elif what == "filter":
        run(JsonlReader(folder), c4, JsonlWriter(f"{out}/kept"))
    else:
        minhash(folder, out)


if __name__ == "__main__":
    main()
