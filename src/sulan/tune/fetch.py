"""`sulan tune fetch`: a task from the descriptions of Debian's packages."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report

MIRROR = "https://deb.debian.org/debian"


def fetch(
    *,
    out: Path,
    kind: Literal["section", "same", "english"] = "section",
    languages: tuple[str, ...] = ("ja", "ru", "de"),
    train: int = 100,
    dev: int = 100,
    test: int = 300,
    exemplars: int = 10,
    suite: str = "bookworm",
    mirror: str = MIRROR,
    seed: int = 0,
) -> Report:
    """Make a task of Debian's package descriptions and their translations.

    Parameters
    ----------
    out
        Folder for `task.toml` and `examples.jsonl`. Written aside, renamed when whole.
    kind
        `section`: the archive section of a package from its foreign description. `same`: whether a foreign and an
        English description are of one package. `english`: two sections from the English description, which a small
        model can do by itself.
    languages
        Codes of the archive: ja, ru, de, fr, it, ko, uk, zh_CN, ...
    train, dev, test
        Examples of the splits; 100 for training as in the notes' low-data setting, of the order of the paper's 262.
    exemplars
        Worked examples for the frozen model, in no split.
    suite
        Release of Debian.
    mirror
        Root of an archive; or `miniature`, a made-up one in the made-up language xx, which needs no network.
    seed
        Draws packages and splits.

    Returns
    -------
    Report
        Examples by split.

    Raises
    ------
    MissingFile, BackendError
        The mirror does not answer or has no such release.
    InputError
        It has fewer packages than are wanted, or no such language.
    """
    config = dict(locals())
    from sulan.errors import InputError
    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.tune import archive
    from sulan.tune.miniature import NAME, Miniature
    from sulan.tune.mirror import Mirror

    if min(train, dev, test) < 1 or exemplars < 1:
        raise InputError("train, dev, test and exemplars must be at least 1")
    if not languages:
        raise InputError("no language", hint="--languages ja ru de")
    with (
        outputs.folder(out) as folder,
        record(verb="tune fetch", folder=folder, config=config, seed=seed) as run,
    ):
        source = Miniature() if mirror == NAME else Mirror(mirror)
        found = archive.packages(source.fetch, suite=suite, languages=[] if kind == "english" else languages)
        sizes = archive.Sizes(train=train, dev=dev, test=test, exemplars=exemplars)
        counts = archive.build(found, folder, kind=kind, languages=languages, sizes=sizes, seed=seed)
        for name, count in counts.items():
            run.metric(f"examples.{name}", count, scale=f"{mirror}, {suite}, {kind}")
    return Report(
        title=f"tune fetch {kind}",
        summary={**counts, "exemplars": exemplars, "out": str(out)},
        notes=("Descriptions are under the licences of their packages.",),
    )
