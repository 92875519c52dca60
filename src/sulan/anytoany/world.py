"""`sulan anytoany world`: the small world as a data folder."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sulan.anytoany.rendering import Rendering
from sulan.reports.report import Report

SHARD = 500
"""Scenes of a shard: at most 18 CPU-seconds (1,000 scenes and their table took 36 on one core of a shared machine)."""


def world(
    *,
    out: Path,
    train: int = 4000,
    test: int = 200,
    combinations: int = 200,
    rendering: Annotated[Rendering, Parameter(name="*")] = Rendering(),
    workers: int | None = None,
    seed: int = 0,
) -> Report:
    """Render scenes as pictures, sounds and clips, with captions and conversations.

    Parameters
    ----------
    out
        Data folder. Written aside, renamed when whole.
    train
        Scenes for training. At 32 pixels and one second of sound a scene takes 40 KB of disk.
    test
        Other scenes, in wordings that training does not have. The evaluation wants 200 or more.
    combinations
        Scenes of colour and shape that never meet in training.
    rendering
        Sizes of the media.
    workers
        Processes; none: one a core. The bytes do not depend on it.
    seed
        Of the world.

    Returns
    -------
    Report
        Rows by split.

    Raises
    ------
    InputError
        A number is out of range.
    """
    config = {name: value for name, value in locals().items() if name != "workers"}
    import shutil
    from itertools import chain

    from sulan.anytoany import dataset
    from sulan.anytoany import rendering as renderings
    from sulan.anytoany.scenes import Split
    from sulan.errors import InputError
    from sulan.runs import outputs, shards
    from sulan.runs.record import record

    counts: dict[Split, int] = {"train": train, "test": test, "combinations": combinations}
    if min(counts.values()) < 0 or not train:
        raise InputError(f"there must be scenes to train on, and no negative number of others: {counts}")
    if rendering.size < 16 or rendering.frames < 2 or rendering.seconds <= 0 or rendering.rate < 8000:
        raise InputError("at least 16 pixels, 2 frames, 8000 samples a second and some time")
    spans = [
        (split, start, min(start + SHARD, count))
        for split, count in counts.items()
        for start in range(0, count, SHARD)
    ]
    work = out.parent / f".{out.name}.work"
    with (
        outputs.folder(out) as folder,
        record(verb="anytoany world", folder=folder, config=config, seed=seed) as run,
    ):
        shards.map_shards(
            renderings.stage,
            [{"split": split, "start": start, "stop": stop} for split, start, stop in spans],
            out=work,
            arguments=renderings.arguments(seed, rendering),
            workers=workers,
            label="render",
        )
        for split, count in counts.items():
            (folder / "media" / split).mkdir(parents=True)
            run.metric(f"scenes.{split}", count, scale=f"{rendering.size} pixels, seed {seed}")
        for number, (split, _, _) in enumerate(spans):
            for path in sorted((shards.shard_folder(work, number) / "media" / split).iterdir()):
                path.rename(folder / "media" / split / path.name)
        rows = chain.from_iterable(renderings.items(seed, *span) for span in spans)
        dataset.write(rows, folder)
    shutil.rmtree(work, ignore_errors=True)
    return Report(title="anytoany world", summary={**counts, "seed": seed, "out": str(out)})
