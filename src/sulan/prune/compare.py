"""`sulan prune compare`: the experiment of 2309.04564, at the scale that a plan names."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sulan.prune.plans import Comparison, Pretraining, Shape
from sulan.reports.report import Report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from sulan.prune.plans import Arm
    from sulan.prune.verdict import HeldOut, Verdict
    from sulan.runs.record import Run


def compare(
    corpus: Path,
    *,
    out: Path,
    plan: Comparison = Comparison(),
    shape: Shape = Shape(),
    training: Pretraining = Pretraining(),
    reference: Pretraining | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    cluster: str | None = None,
) -> Report:
    """Train the same model on everything, on random parts and on every side by every metric, and compare.

    The corpus is split by text into what the reference learns from, what is pruned (the pool), and held-out
    documents. All models have the same shape, number of steps, and seeds. A killed run goes on where it was.

    Parameters
    ----------
    corpus
        What to prune; or `python`, the built-in corpus. With a column `source`, models are judged by source too.
    out
        Folder of the report. Written aside, renamed when whole.
    plan
        Which models are compared.
    shape
        Of all models, the reference too.
    training
        Of all models but the reference.
    reference
        Training of the reference. None: as the others.
    engine
        `local`: processes on this machine. `ray`: a Ray cluster.
    workers
        Models trained at once, each with one thread. None: one a core.
    cluster
        Address of a running Ray cluster. None: one on this machine for the length of the run.

    Returns
    -------
    Report
        Held-out perplexity of each, against no pruning and against a random part of the same size, with
        intervals over seeds; bits per byte by source.

    Raises
    ------
    InputError
        The corpus is too small for a part, or a setting is out of range.
    BackendError
        A training failed; what is done is kept.
    """
    config = dict(locals())
    import shutil

    import numpy as np

    from sulan.documents import reader
    from sulan.errors import InputError
    from sulan.prune import stages, verdict
    from sulan.prune.built_in import located
    from sulan.prune.plans import Trial, arms, work_name
    from sulan.reports import html
    from sulan.runs import fingerprints, outputs
    from sulan.runs.record import record
    from sulan.runs.shards import map_shards, shard_folder

    corpus = located(corpus)
    found = reader.schema(corpus)
    needed = stages.SHORTEST
    if "memorization" in plan.metrics and plan.unit == "sequence" and training.context < needed:
        raise InputError(
            f"memorization needs sequences of {needed} tokens; the context is {training.context}"
        )
    work = out.absolute().with_name(f".{out.name}.work")
    running = {"engine": engine, "workers": workers, "cluster": cluster}
    settings = {"comparison": plan, "shape": shape}
    trainings = work / work_name(
        **settings, training=training, reference=reference, corpus=fingerprints.path(corpus)
    )
    with (
        outputs.folder(out) as folder,
        record(verb="prune compare", folder=folder, config=config, seed=plan.seed, inputs=[corpus]) as run,
    ):
        (counts,) = map_shards(
            stages.prepare,
            [0],
            out=work / "prepared",
            arguments={"corpus": corpus, "context": training.context, **settings},
            label="split and pack",
            **running,
        )
        prepared = shard_folder(work / "prepared", 0)
        units = counts["pool documents"]
        if plan.unit == "sequence":
            units = counts["pool tokens"] // training.context
        (learned,) = map_shards(
            stages.train_reference,
            [0],
            out=work / "reference",
            arguments={
                "prepared": prepared,
                "training": reference or training,
                "work": str(trainings / "reference"),
                **settings,
            },
            label="train the reference",
            **running,
        )
        ranges = [(start, min(start + stages.UNITS, units)) for start in range(0, units, stages.UNITS)]
        map_shards(
            stages.score_units,
            ranges,
            out=work / "scores",
            arguments={
                "prepared": prepared,
                "reference": shard_folder(work / "reference", 0),
                "comparison": plan,
                "context": training.context,
            },
            label="score the pool",
            **running,
        )
        stages.gather(work / "scores", len(ranges), work / "all-scores", comparison=plan)
        compared = arms(plan)
        each = [Trial(arm=arm, seed=seed) for arm in compared for seed in range(plan.seeds)]
        results = map_shards(
            stages.train_arm,
            each,
            out=work / "arms",
            arguments={
                "prepared": prepared,
                "scores": work / "all-scores",
                "training": training,
                "work": str(trainings),
                **settings,
            },
            label="train and judge",
            **running,
        )
        nll = np.stack([np.load(shard_folder(work / "arms", i) / stages.NLL) for i in range(len(each))])
        losses = dict(zip(compared, nll.reshape(len(compared), plan.seeds, -1), strict=True))
        sizes = np.load(shard_folder(work / "arms", 0) / stages.SIZES)
        sources = np.full(sizes.shape[1], "")
        if stages.SOURCE in found.names:
            column = reader.columns(prepared / stages.HELD_OUT, [stages.SOURCE])[stages.SOURCE]
            sources = np.array(column.fill_null("").to_pylist())
        held_out = verdict.HeldOut(tokens=sizes[0], bytes=sizes[1], sources=sources)
        verdicts = verdict.judge(losses, held_out)
        scale = (
            f"{results[0]['parameters']:,} parameters, {training.steps * training.batch * training.context:,} "
            f"tokens a run of a pool of {counts['pool tokens']:,}, {plan.seeds} seeds, "
            f"{counts['held-out documents']:,} held-out documents, {corpus.name}"
        )
        report = Report(
            title="prune compare",
            summary={
                "unit": plan.unit,
                "scale": scale,
                "units in the pool": units,
                "reference": f"{learned['tokens']:,} tokens, last loss {learned['loss']:.3f}",
                "without pruning": verdicts[0].perplexity,
                "models": len(each),
            },
            tables=verdict.tables(verdicts),
            notes=(
                f"Intervals: Student's over {plan.seeds} seeds, 95 %. p: bootstrap over documents and seeds, not "
                f"corrected for {len(verdicts) - 1} comparisons.",
            ),
            charts=verdict.drawn(verdicts, plan),
        )
        html.write(report, folder)
        _record(run, verdicts, losses, held_out, scale=scale)
    shutil.rmtree(work)
    return report


def _record(
    run: "Run",
    verdicts: "Sequence[Verdict]",
    losses: "Mapping[Arm, np.ndarray]",
    held_out: "HeldOut",
    *,
    scale: str,
) -> None:
    from sulan.prune.verdict import best, lead

    for each in verdicts:
        run.metric(f"perplexity.{each.arm}", each.perplexity, scale=scale)
        if each.improvement:
            run.metric(f"improvement.{each.arm}", str(each.improvement), scale=scale)
    for percent in sorted({each.arm.percent for each in verdicts if each.arm.percent < 100}):
        ours = best(verdicts, metric="perplexity", percent=percent)
        if ours and ours.improvement:
            text = f"{ours.improvement}, the {ours.arm.side}"
            run.metric(f"improvement.perplexity.{percent}", text, scale=scale)
    half = best(verdicts, metric="perplexity", percent=50)
    for metric in ("el2n", "memorization"):
        other = best(verdicts, metric=metric, percent=50)
        if half and other:
            text = f"{lead(half, other, losses, held_out)}, {half.arm.side} against {other.arm.side}"
            run.metric(f"difference.perplexity.{metric}", text, scale=f"{scale}, 50 % kept")
