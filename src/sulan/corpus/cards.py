"""The dataset card of a corpus: what is in it, what the audit decided, and how it was made, from its records."""

from collections.abc import Mapping
from pathlib import Path

from sulan.corpus import pair
from sulan.corpus.audits import VerdictRow
from sulan.corpus.codes import UNKNOWN, spelled
from sulan.corpus.inventory import take
from sulan.errors import BrokenArtefact, MissingFile
from sulan.runs import record

QUIET = frozenset({"out", "engine", "workers", "cluster", "corpus", "verdicts", "recipe", "words"})
"""Arguments that do not change what is made, and paths: what was read is named with its fingerprint."""


NAMELESS = "no language"


def card(
    folder: Path, corpus: Path, verdicts: Mapping[str, VerdictRow], counts: Mapping[str, int], *, by: str
) -> str:
    """Return the card as Markdown, with the header that the Hugging Face Hub reads.

    Parameters
    ----------
    folder
        The audited corpora.
    corpus
        What they were made from; its records and those of its inputs are the provenance.
    verdicts
        What the audit decided.
    counts
        What became of the documents.
    by
        Column of languages.
    """
    names = (pair.NOISY, pair.CLEAN) if pair.is_pair(folder) else (".",)
    inventories = {name: take(folder / name, column=by) for name in names}
    first = inventories[names[0]]
    languages = sorted({spelled(name) for name in first.rows} - {UNKNOWN})
    lines = ["---", "language:", *(f"- {name}" for name in languages), "configs:"]
    for name in names:
        label = name if name != "." else "default"
        lines += [
            f"- config_name: {label}",
            f"  data_files: {'' if name == '.' else name + '/'}part-*.parquet",
        ]
    lines += ["---", "", "# Dataset card", ""]
    totals = first.totals()
    lines += [
        f"{totals['documents']} documents in {totals['languages']} languages, {totals['sentences']} sentences, "
        f"{totals['words']} words. The pages' own licences apply; nobody has asked for them here.",
        "",
        "## Languages",
        "",
        "| language | "
        + " | ".join(f"{name} documents | {name} words" for name in names if name != ".")
        + " |"
        if len(names) > 1
        else "| language | documents | words |",
        "| --- |" + " --- | --- |" * len(names),
    ]
    for language, _ in first.ordered():
        cells = [inventories[name].rows.get(language) for name in names]
        said = " | ".join(f"{row.documents} | {row.words}" if row else "0 | 0" for row in cells)
        lines.append(f"| {language or NAMELESS} | {said} |")
    gone = [row for row in verdicts.values() if row.verdict != "keep"]
    lines += ["", "## Audit", "", f"{len(verdicts)} languages were looked at."]
    lines += [
        f"- {row.language or NAMELESS}: {row.verdict}{f' -> {row.to}' if row.to else ''}" for row in gone
    ]
    lines += ["", *(f"- {name}: {value}" for name, value in counts.items()), "", "## How it was made", ""]
    lines += _provenance(corpus)
    return "\n".join(lines) + "\n"


def _provenance(corpus: Path) -> list[str]:
    """Return one line for every run that led here, the first one first."""
    try:
        made = record.read(corpus)
    except (MissingFile, BrokenArtefact):
        made = record.read(corpus.parent) if (corpus.parent / "run.json").exists() else None
    if made is None:
        return [f"1. {corpus.name}: no record"]
    settings = {
        name: value
        for name, value in made["config"].items()
        # What was read is named with its fingerprint; other paths are this machine's.
        if name not in QUIET
        and isinstance(value, str | int | float)
        and value
        and str(value) not in made["inputs"]
    }
    before: list[str] = []
    for name in made["inputs"]:
        path = Path(name)
        if (path / "run.json").exists() or (path.is_dir() and (path.parent / "run.json").exists()):
            before += [line for line in _provenance(path) if line not in before]
    inputs = ", ".join(f"{Path(name).name} (sha256 {digest[:12]})" for name, digest in made["inputs"].items())
    said = ", ".join(f"{name} = {value}" for name, value in settings.items())
    line = f"- `sulan {made['verb']}` {made['version']}: {said}; from {inputs}"
    return [*before, line]
