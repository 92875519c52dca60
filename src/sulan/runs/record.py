"""`run.json`: what was run, with what, on what, and what it measured. Written last, beside every artefact."""

import dataclasses
import json
import resource
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sulan
from sulan.errors import BrokenArtefact, MissingFile
from sulan.runs import environment, fingerprints, outputs

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number that a run measured.

    Attributes
    ----------
    name
        Dotted path, e.g. `improvement.perplexity.middle.50`.
    value
        The number, or a short text such as an interval.
    scale
        At what size it was measured (model, data, seeds). A value without a scale is never shown as measured.
    claim
        Id of the claim in the room's card that this measures; empty when it measures none.
    """

    name: str
    value: float | int | str
    scale: str = ""
    claim: str = ""


@dataclass(kw_only=True)
class Run:
    """A run in progress; the verb adds what it measures."""

    verb: str
    folder: Path
    config: dict[str, Any]
    seed: int | None
    inputs: dict[str, str]
    start: str
    metrics: list[Metric] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def metric(self, name: str, value: float | int | str, *, scale: str = "", claim: str = "") -> None:
        """Record one measured number (see `Metric`)."""
        self.metrics.append(Metric(name=name, value=value, scale=scale, claim=claim))

    def partial(self, reason: str) -> None:
        """Say that the artefact is whole but something fell back or failed on the way."""
        self.reasons.append(reason)

    def write(self, *, status: str, reason: str = "", end: str = "") -> None:
        """Write `run.json` into the folder, replacing an earlier state."""
        unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux kilobytes
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
        document = {
            "schema_version": SCHEMA_VERSION,
            "verb": self.verb,
            "status": status,
            "reason": reason,
            "partial": self.reasons,
            "config": self.config,
            "seed": self.seed,
            "start": self.start,
            "end": end,
            "version": sulan.__version__,
            "commit": environment.commit(),
            "libraries": environment.libraries(),
            "environment": environment.machine(),
            "inputs": self.inputs,
            "outputs": fingerprints.files(self.folder, skip=frozenset({outputs.RECORD})) if end else {},
            "metrics": [dataclasses.asdict(metric) for metric in self.metrics],
            "peak_memory_mb": round(peak, 1),
        }
        text = json.dumps(document, ensure_ascii=False, indent=1)
        outputs.write_text(self.folder / outputs.RECORD, text + "\n")


def now() -> str:
    """Return the time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def plain(value: object) -> Any:
    """Return a configuration value as JSON has it: paths as text, dataclasses as objects, tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return str(value) if isinstance(value, Path) else value


@contextmanager
def record(
    *,
    verb: str,
    folder: Path,
    config: Mapping[str, object],
    seed: int | None = None,
    inputs: Iterable[Path] = (),
) -> Iterator[Run]:
    """Record what happens in the block as `folder/run.json`.

    Parameters
    ----------
    verb
        Room and verb, e.g. `prune keep`.
    folder
        Where the artefact is being written: what `outputs.folder` gave.
    config
        The verb's resolved arguments: `locals()`, taken where nothing but `folder` has been added to them.
    seed
        The run's seed, where it draws at random.
    inputs
        Files and folders that were read; their fingerprints are kept.
    """
    run = Run(
        verb=verb,
        folder=folder,
        config=plain({name: value for name, value in config.items() if value is not folder}),
        seed=seed,
        inputs={str(path): fingerprints.path(path) for path in inputs},
        start=now(),
    )
    run.write(status="running")
    try:
        yield run
    except BaseException as error:
        run.write(status="failed", reason=f"{type(error).__name__}: {error}", end=now())
        raise
    run.write(status="complete", end=now())


def read(folder: Path) -> dict[str, Any]:
    """Return the record of an artefact.

    Raises
    ------
    MissingFile
        The folder has no `run.json`.
    BrokenArtefact
        The record is not JSON, or of another schema.
    """
    path = folder / outputs.RECORD
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise MissingFile(f"no {outputs.RECORD} in {folder}") from error
    except ValueError as error:
        raise BrokenArtefact(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("schema_version") != SCHEMA_VERSION:
        raise BrokenArtefact(f"{path} is not a run record of schema {SCHEMA_VERSION}")
    return document


def is_current(folder: Path, *, verb: str, config: Mapping[str, object]) -> bool:
    """Tell whether `folder` holds the complete result of this very run.

    That is: the same verb, arguments, inputs and version of Sulan. Used to skip finished steps; outputs that
    were changed since, and inputs that were, make it false.
    """
    try:
        document = read(folder)
        fresh_inputs = {name: fingerprints.path(Path(name)) for name in document["inputs"]}
    except (MissingFile, BrokenArtefact):
        return False
    return (
        document["status"] == "complete"
        and not document["partial"]
        and document["verb"] == verb
        and document["version"] == sulan.__version__
        and document["config"] == plain(config)
        and document["inputs"] == fresh_inputs
        and document["outputs"] == fingerprints.files(folder, skip=frozenset({outputs.RECORD}))
    )
