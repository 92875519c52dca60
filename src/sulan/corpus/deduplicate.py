"""`sulan corpus deduplicate`: same texts, repeated sentences, near-duplicates (2309.04662, section 2)."""

from pathlib import Path
from typing import Literal

from sulan.corpus.near import Near
from sulan.reports.report import Report


def deduplicate(
    corpus: Path,
    *,
    out: Path,
    spans: bool = True,
    near: bool = True,
    similarity: Near = Near(),
    fewest: int = 5,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    cluster: str | None = None,
) -> Report:
    """Leave one of what occurs more than once.

    In this order: documents of the same text; of spans of three sentences that occur more than once, all but one
    occurrence; documents whose words are nearly the same (MinHash). The survivor is told by the documents' ids: the
    order of the input, its parts and the workers change nothing. A killed run goes on where it was.

    Parameters
    ----------
    corpus
        Corpus; or the noisy and clean corpora of `sulan corpus filter`, where clean is chosen from the survivors of
        noisy by the same thresholds.
    out
        Folder of the corpus, or of `noisy` and `clean`; with `dropped.parquet`, ids with reasons.
    spans
        Cut repeated spans (2309.04662, after C4); needs the sentences that `sulan corpus identify` found.
    near
        Leave out near-duplicates. The paper does not; the deduplicated corpora since then do.
    similarity
        What counts as near.
    fewest
        A document that loses sentences and has fewer left is left out. Default: 5, as in the filter.
    engine
        `local`: processes on this machine. `ray`: a Ray cluster.
    workers
        Parts worked on at once. None: one a core.
    cluster
        Address of a running Ray cluster. None: one on this machine for the length of the run.

    Returns
    -------
    Report
        Documents in, left out by reason, kept; sentences cut.

    Raises
    ------
    MissingColumn
        `spans`, and the corpus has no sentences.
    """
    config = dict(locals())
    import shutil

    import numpy as np

    from sulan.corpus import columns, counts, groups, matching, pair
    from sulan.corpus import rules as judged_by
    from sulan.corpus.deduplication import (
        BAND_FILE,
        EXACT_FILE,
        KEY_FILE,
        REASONS,
        SPAN_FILE,
        cut_part,
        keep_part,
        sign_part,
    )
    from sulan.corpus.parts import concatenate, gather
    from sulan.documents import reader, schema
    from sulan.reports import html
    from sulan.runs import fingerprints, outputs, processes
    from sulan.runs.record import record
    from sulan.runs.shards import map_shards, shard_folder

    source = pair.noisy(corpus)
    present = reader.schema(source)
    if spans:
        hint = f"sulan corpus identify {corpus} --out ..., or --no-spans"
        schema.require(present, [columns.STARTS, columns.ENDS], where=source, hint=hint)
    paired = pair.is_pair(corpus)
    judged = judged_by.read(source) if paired else None
    starts = np.cumsum([0, *reader.part_rows(source).values()]).tolist()
    parts = [[part, start] for part, start in zip(schema.parts(source), starts[:-1], strict=True)]
    work = out.absolute().with_name(f".{out.name}.work")
    how = {"engine": engine, "workers": workers, "cluster": cluster}
    with (
        outputs.folder(out) as folder,
        record(verb="corpus deduplicate", folder=folder, config=config, inputs=[source]) as run,
        processes.kept(),
    ):
        made = f"{fingerprints.path(source)} {spans} {fewest} {similarity if near else ''}"

        def matches(stage: str, *names: str) -> dict[str, list[str]]:
            """Match what the shards of a stage have; return the buckets' files, by name."""
            shards = [shard_folder(work / stage, number) for number in range(len(parts))]
            buckets = [
                [name, bucket, count]
                for name in names
                for count in [matching.buckets([shard / name for shard in shards])]
                for bucket in range(count)
            ]
            place = work / f"{stage}-matched"
            arguments = {"shards": str(work.absolute() / stage), "made": made}
            if len(buckets) == len(names):  # so little that starting a process would take longer
                for number, bucket in enumerate(buckets):
                    own = shard_folder(place, number)
                    own.mkdir(parents=True, exist_ok=True)
                    matching.match_bucket(bucket, own, **arguments)
            else:
                map_shards(
                    matching.match_bucket,
                    buckets,
                    out=place,
                    arguments=arguments,
                    label="corpus deduplicate: match",
                    **how,
                )
            found: dict[str, list[str]] = {name: [] for name in names}
            for number, bucket in enumerate(buckets):
                found[str(bucket[0])].append(str((shard_folder(place, number) / "matches.npy").absolute()))
            return found

        map_shards(
            sign_part,
            parts,
            out=work / "sign",
            arguments={"spans": spans},
            label="corpus deduplicate: hash",
            **how,
        )
        same = matches("sign", EXACT_FILE, *([SPAN_FILE] if spans else []))
        cut = map_shards(
            cut_part,
            parts,
            out=work / "cut",
            arguments={
                "exact": same[EXACT_FILE],
                "spans": same.get(SPAN_FILE, []),
                "fewest": fewest,
                "near": similarity if near else None,
                "made": made,
            },
            label="corpus deduplicate: cut",
            **how,
        )
        keys = np.concatenate([np.load(shard_folder(work / "sign", n) / KEY_FILE) for n in range(len(parts))])
        least = work / "least.npy"
        np.save(least, groups.union(matches("cut", BAND_FILE)[BAND_FILE], keys))
        shards = [str(shard_folder(work / "cut", number).absolute()) for number in range(len(parts))]
        kept = map_shards(
            keep_part,
            shards,
            out=work / "keep",
            arguments={
                "least": str(least.absolute()),
                "thresholds": judged.thresholds if judged else None,
                "made": made,
            },
            label="corpus deduplicate: keep",
            **how,
        )
        results = [shard_folder(work / "keep", number) for number in range(len(parts))]
        for name in (pair.NOISY, pair.CLEAN) if judged else (pair.NOISY,):
            target = folder / name if judged else folder
            target.mkdir(exist_ok=True)
            gather([result / name for result in results], target)
            if judged:
                judged.write(target)
        dropped = [
            shard / pair.DROPPED
            for each in ("cut", "keep")
            for shard in sorted((work / each).glob("shard-*"))
        ]
        concatenate(dropped, folder / pair.DROPPED)
        totals = counts.added(cut) | counts.added(kept)
        if not judged:
            del totals["clean"]
        report = Report(
            title="corpus deduplicate",
            summary={
                "documents": totals["documents"],
                "kept": totals["kept"],
                **({"clean": totals["clean"]} if judged else {}),
                "sentences cut": totals["sentences cut"],
            },
            tables=(counts.dropped_table(totals, REASONS, of="documents"),),
        )
        html.write(report, folder)
        counts.measure(run, totals, scale=f"{totals['documents']} documents")
    shutil.rmtree(work)
    return report
