"""`sulan corpus extract`: web archives and files to a corpus (2309.04662, section 2)."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report


def extract(
    inputs: tuple[Path, ...],
    *,
    out: Path,
    label: str = "",
    seconds: float = 10.0,
    max_bytes: int = 16_000_000,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    cluster: str | None = None,
) -> Report:
    """Extract the text of pages.

    Each page is parsed in a child process: one that hangs or crashes the parser is counted and left out.

    Parameters
    ----------
    inputs
        WARC and WET files, HTML, JSON Lines, CSV, text and Parquet, compressed or not, and folders of them; or
        `sample`, some pages that come with Sulan.
    out
        Folder of the corpus: `id`, `text`, `url`, `source`, `title`, `charset`, `label`.
    label
        Regular expression whose first group, found in the URL, becomes the column `label`, such as a language
        that the site's folders claim: `/([a-z]{2})/`. Empty: no labels.
    seconds
        CPU seconds that a page may take. Default: a thousand times what a page takes.
    max_bytes
        A larger page or line is counted and left out. Default: 16 MB, more than any page that people write.
    engine
        `local`: processes on this machine. `ray`: a Ray cluster.
    workers
        Units worked on at once. None: one a core.
    cluster
        Address of a running Ray cluster. None: one on this machine for the length of the run.

    Returns
    -------
    Report
        Records read, documents made, and records left out by reason; the sum is exact.

    Raises
    ------
    MissingFile
        An input does not exist.
    InputError
        What a file holds cannot be told.
    """
    config = dict(locals())
    import re
    import shutil

    from sulan.corpus import counts, samples, sources
    from sulan.corpus.extraction import REASONS, Extraction, extract_unit
    from sulan.corpus.parts import gather
    from sulan.errors import InputError
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.runs.shards import map_shards, shard_folder

    if seconds <= 0 or max_bytes < 1:
        raise InputError("seconds and max_bytes must be positive")
    try:
        groups = re.compile(label).groups if label else 1
    except re.error as error:
        raise InputError(f"label is not a regular expression: {error}") from error
    if not groups:
        raise InputError(f"label has no group: {label}", hint="put what is to be taken into brackets")
    located = [samples.located(path) for path in inputs]
    units = sources.units(located)
    work = out.absolute().with_name(f".{out.name}.work")
    with (
        outputs.folder(out) as folder,
        record(verb="corpus extract", folder=folder, config=config, inputs=located) as run,
    ):
        counted = map_shards(
            extract_unit,
            units,
            out=work,
            arguments={"how": Extraction(seconds=seconds, max_bytes=max_bytes, label=label)},
            engine=engine,
            workers=workers,
            cluster=cluster,
            label="corpus extract",
        )
        gather([shard_folder(work, number) for number in range(len(units))], folder)
        totals = counts.added(counted)
        report = Report(
            title="corpus extract",
            summary={"records": totals["records"], "documents": totals["documents"], "files": len(located)},
            tables=(counts.dropped_table(totals, REASONS, of="records"),),
        )
        html.write(report, folder)
        counts.measure(run, totals, scale=f"{totals['records']} records")
    shutil.rmtree(work)
    return report
