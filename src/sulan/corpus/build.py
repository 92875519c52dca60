"""`sulan corpus build`: from web archives to an audited corpus and its card, in one command."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report


def build(
    recipe: Path,
    *,
    out: Path,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    cluster: str | None = None,
) -> Report:
    """Build a corpus: extract, identify, filter, deduplicate, audit, card.

    Parameters
    ----------
    recipe
        TOML file with a table of arguments for each stage: `[extract]` with `inputs`, and where wanted `[identify]`,
        `[filter]`, `[deduplicate]` and `[audit]` (`by`, `documents`, `noise`, `fewest`, `seed`, and either `judges`,
        identifiers that label the sample, or `labels`, what people filled in). Without `[audit]` nobody looks.
        Or `sample`, which builds from some pages that come with Sulan.
    out
        Folder of the corpora `noisy` and `clean`, the card `README.md`, `verdicts.csv` and `dropped.parquet`, ids
        with reasons. The stages' own folders are beside it until it is whole: a killed run goes on where it was.
    engine
        `local`: processes on this machine. `ray`: a Ray cluster.
    workers
        Parts worked on at once. None: one a core.
    cluster
        Address of a running Ray cluster. None: one on this machine for the length of the run.

    Returns
    -------
    Report
        What was left out at every stage, by reason.

    Raises
    ------
    InputError
        A table or an argument is unknown, or there is no input.
    """
    config = dict(locals())
    import shutil

    from sulan.corpus import pair, rules, samples
    from sulan.corpus.parts import concatenate, gather
    from sulan.corpus.stages import Stages
    from sulan.reports import html
    from sulan.runs import outputs, processes
    from sulan.runs.record import record

    recipe = samples.recipe(recipe)
    work = out.absolute().with_name(f".{out.name}.work")
    stages = Stages(recipe, work=work, how={"engine": engine, "workers": workers, "cluster": cluster})
    with (
        outputs.folder(out) as folder,
        record(verb="corpus build", folder=folder, config=config, inputs=[recipe, *stages.inputs]) as run,
    ):
        work.mkdir(exist_ok=True)
        with processes.kept():
            last = stages.run()
        for name in (pair.NOISY, pair.CLEAN):
            (folder / name).mkdir()
            gather([last / name], folder / name)
            judged = rules.read(last / name)
            if judged:
                judged.write(folder / name)
        for name in stages.kept_files(last):
            shutil.copyfile(name, folder / name.name)
        concatenate(stages.dropped(), folder / pair.DROPPED)
        report = stages.report(folder)
        html.write(report, folder)
        for name, value in report.summary.items():
            run.metric(f"counts.{name.replace(' ', '_')}", str(value), scale=stages.scale)
    shutil.rmtree(work)
    return report
