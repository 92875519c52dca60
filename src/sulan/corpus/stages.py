"""The stages of a build, in order: each is a verb of this room, called as the command line would call it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sulan.corpus import audits, cards, pair
from sulan.corpus.samples import located
from sulan.errors import InputError
from sulan.papers import verbs
from sulan.reports.report import Report, Table
from sulan.runs import outputs
from sulan.runs.record import is_current

TABLES = ("extract", "identify", "filter", "deduplicate", "audit")
AUDIT = frozenset({"by", "documents", "noise", "fewest", "seed", "judges", "labels"})
CARD = "README.md"


class Stages:
    """A build's stages and what they reported.

    Parameters
    ----------
    recipe
        TOML file; every argument in it is checked before the first stage begins.
    work
        Folder of the stages' own artefacts.
    how
        Engine, workers and cluster.
    """

    def __init__(self, recipe: Path, *, work: Path, how: Mapping[str, Any]) -> None:
        self._recipe, self._work, self._how = recipe, work, dict(how)
        self._tables = verbs.table(recipe)
        unknown = sorted(set(self._tables) - set(TABLES))
        if unknown:
            raise InputError(f"{recipe}: unknown table {unknown[0]}", hint=", ".join(TABLES))
        self._audit = self._tables.get("audit")
        if self._audit is not None and (wrong := sorted(set(self._audit) - AUDIT)):
            raise InputError(f"{recipe}: [audit] has no {wrong[0]}", hint=", ".join(sorted(AUDIT)))
        self._application = verbs.application()
        self._reports: dict[str, Report] = {}
        self._folders: dict[str, Path] = {}
        bound = self._bound("extract", {})
        for name in TABLES[1:4]:
            self._bound(name, {"corpus": work})
        self.inputs = [located(Path(path)) for path in bound["inputs"]]
        self.scale = ""

    def run(self) -> Path:
        """Run all stages, those that are whole already not again; return the last one's folder."""
        last = self._stage("extract", {})
        for name in TABLES[1:4]:
            last = self._stage(name, {"corpus": last})
        self.scale = f"{self._reports['extract'].summary['records']} records"
        if self._audit is None:
            card = cards.card(last, last, {}, {}, by="lang")
            outputs.write_text(self._work / CARD, card)
            return last
        return self._audited(last, dict(self._audit))

    def kept_files(self, last: Path) -> list[Path]:
        """Return the files that go beside the corpora."""
        if self._audit is None:
            return [self._work / CARD]
        return [last / CARD, self._folders["audit-report"] / audits.VERDICTS_FILE]

    def dropped(self) -> list[Path]:
        """Return the stages' lists of ids with reasons."""
        return [path for folder in self._folders.values() if (path := folder / pair.DROPPED).exists()]

    def report(self, folder: Path) -> Report:
        """Return what was left out at every stage, and what is in the folder."""
        tables = [
            Table(
                title=title,
                columns=("stage", "reason", "documents", "% of what the stage was given"),
                rows=rows,
            )
            for title in ("Left out", "Not clean")
            if (
                rows := tuple(
                    (name, *row)
                    for name, report in self._reports.items()
                    for table in report.tables
                    if table.title == title
                    for row in table.rows
                )
            )
        ]
        last = list(self._reports.values())[-1]
        first = self._reports["extract"].summary
        found = {name: cards.take(folder / name, column="lang").totals() for name in (pair.NOISY, pair.CLEAN)}
        return Report(
            title="corpus build",
            summary={
                "records": first["records"],
                "documents": first["documents"],
                "noisy": found[pair.NOISY]["documents"],
                "clean": found[pair.CLEAN]["documents"],
                "languages": found[pair.NOISY]["languages"],
                "languages clean": found[pair.CLEAN]["languages"],
            },
            tables=tuple(tables),
            notes=last.notes,
        )

    def _audited(self, corpus: Path, audit: dict[str, Any]) -> Path:
        by = {"by": audit.get("by", "lang")}
        labels = audit.pop("labels", None)
        judges = audit.pop("judges", [])
        drawn = self._stage("audit-sample", {"corpus": corpus, **by, **_some(audit, "documents", "seed")})
        if labels is None:
            named = {Path(judge).name: judge for judge in judges}
            found = [
                self._stage(
                    "audit-label", {"sample": drawn, "judge": judge, **by}, name=f"audit-label-{name}"
                )
                for name, judge in named.items()
            ]
        else:
            found = [
                self._stage(
                    "audit-label", {"sample": drawn, "labels": path, **by}, name=f"audit-label-{number}"
                )
                for number, path in enumerate(labels)
            ]
        said = self._stage(
            "audit-report", {"labels": found, "corpus": corpus, **by, **_some(audit, "noise", "fewest")}
        )
        return self._stage("audit-apply", {"corpus": corpus, "verdicts": said, **by})

    def _stage(self, verb: str, given: Mapping[str, Any], *, name: str = "") -> Path:
        out = self._work / (name or verb)
        bound = self._bound(verb, {**given, "out": out})
        self._folders[name or verb] = out
        if is_current(out, verb=f"corpus {verb}", config=bound):
            from sulan.reports import report

            self._reports[name or verb] = report.read(out / "report.json")
            return out
        self._reports[name or verb] = verbs.call(
            self._application,
            ["corpus", verb],
            config=self._arguments(verb, {**given, "out": out}),
            source=str(self._recipe),
        )
        return out

    def _bound(self, verb: str, given: Mapping[str, Any]) -> dict[str, Any]:
        arguments = self._arguments(verb, {"out": self._work, **given})
        return verbs.bind(
            self._application, ["corpus", verb], config=arguments, source=f"{self._recipe} [{verb}]"
        )

    def _arguments(self, verb: str, given: Mapping[str, Any]) -> dict[str, Any]:
        arguments = {**self._tables.get(verb, {}), **given}
        if verb not in ("audit-sample", "audit-label", "audit-report"):
            arguments |= {name: value for name, value in self._how.items() if value is not None}
        return {name: _word(value) for name, value in arguments.items()}


def _some(table: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: table[name] for name in names if name in table}


def _word(value: Any) -> Any:
    """Return a path as text, as a TOML file would have it."""
    if isinstance(value, list):
        return [_word(each) for each in value]
    return str(value) if isinstance(value, Path) else value
