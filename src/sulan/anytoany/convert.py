"""`sulan anytoany convert`: other people's data as a data folder."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report


def convert(
    source: Path,
    *,
    out: Path,
    form: Literal["pairs", "conversations", "messages", "webdataset"],
    media: Path | None = None,
    split: str = "train",
) -> Report:
    """Turn pairs, conversations, OpenAI messages or a WebDataset archive into a data folder.

    Parameters
    ----------
    source
        The JSON, JSONL or tar file.
    out
        Data folder. Written aside, renamed when whole. Look at it with `sulan anytoany validate`.
    form
        `pairs`: NExT-GPT's captions; `conversations`: NExT-GPT's and LLaVA's; `messages`: OpenAI's, one a line;
        `webdataset`: a tar archive.
    media
        Folder that the file names of pairs and conversations are relative to; copied. None: the source's own.
    split
        What the rows are for.

    Returns
    -------
    Report
        Rows and files.

    Raises
    ------
    MissingFile, InputError
        There is no such file, or it is not of that form.
    """
    config = dict(locals())
    import dataclasses

    from sulan.anytoany import dataset, formats
    from sulan.anytoany.importing import Copying
    from sulan.errors import MissingFile
    from sulan.runs import outputs
    from sulan.runs.record import record

    if not source.is_file():
        raise MissingFile(f"no file {source}")
    with (
        outputs.folder(out) as folder,
        record(verb="anytoany convert", folder=folder, config=config, inputs=[source]) as run,
    ):
        files = folder / "media"
        files.mkdir()
        if form == "messages":
            rows = formats.messages(source, files)
        elif form == "webdataset":
            rows = formats.archive(source, files)
        else:
            rows = formats.pairs(source) if form == "pairs" else formats.conversations(source)
        copying = Copying(
            source=media or source.parent, folder=files, copied=form in ("messages", "webdataset")
        )
        count = dataset.write((dataclasses.replace(copying.row(row), split=split) for row in rows), folder)
        run.metric("rows", count, scale=source.name)
    return Report(
        title=f"anytoany convert {form}",
        summary={"rows": count, "files": copying.files, "missing": copying.missing, "out": str(out)},
        notes=("Look at every file with `sulan anytoany validate`.",),
    )
