"""`sulan anytoany validate`: every wrong file of a data folder, before step 0."""

from pathlib import Path

from sulan.reports.report import Report


def validate(data: Path) -> Report:
    """List every missing, empty, corrupt or cut off file of a data folder, and files of the same name.

    Parameters
    ----------
    data
        Folder as `sulan anytoany world` or `sulan anytoany convert` writes it.

    Returns
    -------
    Report
        One line a finding; exit code 1 where there is one.

    Raises
    ------
    MissingFile, BrokenArtefact, MissingColumn
        There is no data folder, or its own table cannot be read.
    """
    from collections import Counter

    from sulan.anytoany import dataset, inspection
    from sulan.documents import reader
    from sulan.reports.report import Table
    from sulan.runs.progress import progress

    rows = reader.count(data)
    items = progress(dataset.read(data), label="validate", total=rows)
    found = list(inspection.inspect(data, items))
    counts = Counter(finding.fault for finding in found)
    repeated = reader.duplicates(data)
    lines = tuple((finding.fault, finding.path, finding.row, finding.reason) for finding in found)
    ids = tuple(("same id", "", name, f"{times} times") for name, times in repeated.items())
    return Report(
        title="anytoany validate",
        summary={"rows": rows, "findings": len(lines) + len(ids), **dict(sorted(counts.items()))},
        tables=(Table(title="findings", columns=("fault", "file", "row", "reason"), rows=lines + ids),),
        exit_code=1 if lines or ids else 0,
    )
