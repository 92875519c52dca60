"""`sulan textbook ablate`: textbooks, web pages, or both (2309.05463, section 2.4)."""

from pathlib import Path

from sulan.reports.report import Report
from sulan.textbook.presets import Learning, Preset, Shape


def ablate(
    textbook: Path,
    web: Path,
    *,
    out: Path,
    share: float = 0.5,
    held_out: float = 0.1,
    seeds: int = 3,
    count: int = 25,
    preset: Preset = "phi-5m",
    shape: Shape | None = None,
    learning: Learning = Learning(),
    device: str = "auto",
    workers: int | None = None,
    seed: int = 0,
) -> Report:
    """Train one model on textbooks, one on web pages and one on both, for several seeds, and compare them.

    All have the same shape, tokenizer, number of different tokens and number of tokens read. A killed run goes on where
    it was.

    Parameters
    ----------
    textbook, web
        The corpora.
    out
        Folder of the report. Written aside, renamed when whole.
    share
        Of textbook tokens in the mix. Default: 0.5, as phi-1.5-web has 40 % of each and 20 % of code (section 2.4).
    held_out
        Share of each corpus's documents that models are judged on.
    seeds
        Models of each variant.
    count
        Questions for each of 11 kinds of problems and each of 45 nouns.
    preset, shape, learning
        As for `sulan textbook pretrain`; the smallest preset.
    device
        `auto`, `cpu` or `cuda`.
    workers
        Models trained at once, each with one thread. None: one a core.
    seed
        Of the split, the mix and the exercises.

    Returns
    -------
    Report
        Each variant on the exercises and on held-out text of its own and the other's domain, with intervals over seeds;
        the differences, and what they say.

    Raises
    ------
    MissingFile
        There is no such corpus, or WordNet is not installed.
    InputError
        A setting is out of range, or a corpus is too small.
    BackendError
        A training failed; what is done is kept.
    """
    config = dict(locals())
    import shutil

    from sulan.documents import reader
    from sulan.errors import InputError
    from sulan.reports import html
    from sulan.reports.report import Table
    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.runs.shards import map_shards, shard_folder
    from sulan.textbook import findings, glosses, presets, pretraining, variants
    from sulan.textbook.variants import MIXED, TEXTBOOK, VARIANTS, WEB, Trial

    if not 0 < share < 1 or not 0 < held_out < 1 or seeds < 2:
        raise InputError("share and held-out must lie between 0 and 1, and seeds be at least 2")
    shape = shape or presets.SHAPES[preset]
    training = pretraining.settings(preset, learning, shape, seed=seed)
    for corpus in (textbook, web):
        reader.schema(corpus)
    glosses.installed()
    work = out.absolute().with_name(f".{out.name}.work")
    with (
        outputs.folder(out) as folder,
        record(
            verb="textbook ablate", folder=folder, config=config, seed=seed, inputs=[textbook, web]
        ) as run,
    ):
        (made,) = map_shards(
            variants.prepare,
            [0],
            out=work / "prepared",
            arguments={
                "textbook": textbook,
                "web": web,
                "share": share,
                "held_out": held_out,
                "count": count,
                "shape": shape,
                "seed": seed,
            },
            workers=1,
            label="split and pack",
        )
        results = map_shards(
            variants.train_and_judge,
            [Trial(variant=variant, seed=number) for number in range(seeds) for variant in VARIANTS],
            out=work / "trained",
            arguments={
                "prepared": shard_folder(work / "prepared", 0),
                "shape": shape,
                "training": training,
                "count": count,
                "work": str(work / "trainings"),
                "device": device,
                "seed": seed,
            },
            workers=workers,
            label="train and judge",
        )
        found = findings.means(results, VARIANTS)
        gaps = findings.differences(results, [(TEXTBOOK, WEB), (MIXED, WEB), (MIXED, TEXTBOOK)])
        read = results[0]["tokens"]
        scale = (
            f"{shape.parameters:,} parameters, {read:,} tokens read of {made['sizes'][WEB]['tokens']:,}, "
            f"{seeds} seeds, {made['texts']['exercises']} exercises"
        )
        main = gaps[0]
        report = Report(
            title="textbook ablate",
            summary={
                "scale": scale,
                "textbook against web on exercises": main.better or "cannot be told",
                "difference": findings.signed(main.difference),
                "models": len(results),
            },
            tables=(
                *findings.tables(found, gaps),
                Table(
                    title="Read in training",
                    columns=("variant", "documents", "different tokens", "times each was read"),
                    rows=tuple(
                        (name, size["documents"], size["tokens"], round(read / size["tokens"], 2))
                        for name, size in made["sizes"].items()
                    ),
                ),
                Table(
                    title="Judged on, and found in training",
                    columns=("texts", "number", "found in textbooks", "found in web pages"),
                    rows=tuple(
                        (task, number, made["seen"][TEXTBOOK][task], made["seen"][WEB][task])
                        for task, number in made["texts"].items()
                    ),
                ),
            ),
            notes=(
                *(gap.words for gap in gaps if (gap.first, gap.second) == (TEXTBOOK, WEB)),
                f"Intervals: Student's over {seeds} seeds, 95 %, not corrected for {len(gaps)} comparisons. "
                "Chance is 0.25. Textbooks of the template writer have exercises in the very form that models "
                "are asked in.",
            ),
            charts=findings.drawn(found),
        )
        html.write(report, folder)
        for variant, measures in found.items():
            for measure, interval in measures.items():
                run.metric(f"{measure}.{variant}", round(interval.value, 4), scale=scale)
        for gap in gaps:
            dotted = "" if gap.measure == "exercises" else f"{gap.measure}."
            run.metric(
                f"difference.{dotted}{gap.first}.{gap.second}", findings.signed(gap.difference), scale=scale
            )
    shutil.rmtree(work)
    return report
