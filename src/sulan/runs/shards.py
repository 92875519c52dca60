"""Map one function over the shards of an input: on processes here, on a Ray cluster there.

A stage is a plain function `stage(shard, folder, **arguments) -> result` at the top level of a module. It
reads one shard (a corpus part, a range, ...), writes what it makes into `folder`, and returns a small JSON
value. Every shard has its own folder `out/shard-00000`, written aside and renamed when whole, with the
done-marker in it written last. So a killed worker or a killed run costs the shards it was at and nothing
else; running again does the missing ones. `out` is a work folder that outlives a kill: give a place beside
the final artefact, not inside `outputs.folder`, and remove it once the artefact is whole.

Not covered: shuffles (joins across shards), scheduling and remote files. With Ray, `out` and the shards lie
on a file system that every node sees.
"""

import hashlib
import json
import logging
import shutil
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import sulan
from sulan.errors import BackendError, InputError, SulanError
from sulan.runs import cluster as ray_cluster
from sulan.runs import fingerprints, outputs, processes
from sulan.runs.progress import progress
from sulan.runs.record import plain

DONE = "done.json"
"""The done-marker: fingerprint of what the shard was made from, and the function's result."""

ATTEMPTS = 3
"""How often a shard is begun when its worker dies. An exception is not retried: it would come again."""

THREADS = 1
"""Threads of numerical libraries in a worker. A constant, because sums over more threads round differently:
the result must not depend on how many workers there are."""

_NAMED = 5
"""Failed shards that the error names; the rest are counted, and all are logged."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Task:
    number: int
    function: Callable[..., Any]
    shard: Any
    arguments: Mapping[str, Any]
    arguments_fingerprint: str
    out: Path

    @property
    def folder(self) -> Path:
        return shard_folder(self.out, self.number)

    def __str__(self) -> str:
        name = self.shard.name if isinstance(self.shard, Path) else str(plain(self.shard))
        return f"shard {self.number} ({name[:80]})"


@dataclass(kw_only=True)
class _Outcome:
    """What became of a shard: a result, or why there is none. Crosses processes, so only plain values."""

    result: Any = None
    reason: str = ""
    hint: str = ""
    trace: str = ""


def shard_folder(out: Path, number: int) -> Path:
    """Return where the outputs of a shard are, once it is done."""
    return out / f"shard-{number:05d}"


def map_shards(
    function: Callable[..., Any],
    shards: Sequence[Any],
    *,
    out: Path,
    arguments: Mapping[str, Any] | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    attempts: int = ATTEMPTS,
    threads: int = THREADS,
    cluster: str | None = None,
    label: str = "shards",
) -> list[Any]:
    """Run `function(shard, folder, **arguments)` for every shard that is not done yet.

    Parameters
    ----------
    function
        Top-level function of a module that a fresh process can import.
    shards
        What to divide the work by: paths or values that JSON can hold. Their order numbers the folders.
    out
        Work folder; shard `i` is in `shard_folder(out, i)`.
    arguments
        Passed to every call: paths, or values that JSON can hold (dataclasses are fine).
    engine
        `local`: processes on this machine. `ray`: a Ray cluster (extra `cluster`).
    workers
        Shards worked on at once. None: the cores that this process may use; on a running Ray cluster, what
        Ray finds free.
    attempts
        How often a shard is begun when its worker dies (killed, out of memory).
    threads
        Threads of BLAS, OpenMP, pyarrow and polars in every worker; see `THREADS`.
    cluster
        Address of a running Ray cluster, as `ray.init` takes it. None: the one that this process is already
        connected to, else a fresh one on this machine for the length of the call.
    label
        What progress calls the work.

    Returns
    -------
    list
        Results in the order of the shards, as JSON gives them back, also of shards that were done before.

    Raises
    ------
    InputError
        The function cannot be sent to another process, a number is not positive, or another run is at `out`.
    MissingFile
        A path among the arguments does not exist.
    MissingExtra
        Ray is not installed.
    BackendError
        Shards failed; all others are done and are kept. Exit code 3.

    Notes
    -----
    A shard is done when its marker's fingerprint is that of the function's name, the version of Sulan, the
    arguments and the shard. Files count by name and content (SHA-256), so changed inputs run again and a
    touched file does not.
    """
    _check(function, workers=workers, attempts=attempts, threads=threads)
    arguments = dict(arguments or {})
    digest = _fingerprint(arguments)
    tasks = [
        _Task(
            number=number,
            function=function,
            shard=shard,
            arguments=arguments,
            arguments_fingerprint=digest,
            out=out.absolute(),
        )
        for number, shard in enumerate(shards)
    ]
    out.mkdir(parents=True, exist_ok=True)
    with outputs.locked(out.absolute()):
        _remove_others(out, len(tasks))
        if not tasks:
            return []
        if engine == "ray":
            running = ray_cluster.outcomes(
                run_shard, tasks, address=cluster, workers=workers, attempts=attempts, threads=threads
            )
        else:
            running = processes.outcomes(
                run_shard, tasks, workers=workers, attempts=attempts, threads=threads
            )
        outcomes: dict[int, _Outcome] = {}
        for number, outcome in progress(running, label=label, total=len(tasks)):
            if isinstance(outcome, processes.Lost):
                outcome = _Outcome(reason=outcome.reason, hint=outcome.hint)
            outcomes[number] = outcome
            if outcome.reason:
                _log.error("%s failed: %s\n%s", tasks[number], outcome.reason, outcome.trace)
    failed = [task for task in tasks if outcomes[task.number].reason]
    if failed:
        named = "; ".join(f"{task}: {outcomes[task.number].reason}" for task in failed[:_NAMED])
        more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        raise BackendError(
            f"{len(failed)} of {len(tasks)} shards failed: {named}{more}",
            hint=outcomes[failed[0].number].hint or "the others are done: run again to do only these",
        )
    return [outcomes[task.number].result for task in tasks]


def _check(function: Callable[..., Any], *, workers: int | None, attempts: int, threads: int) -> None:
    name = getattr(function, "__qualname__", "")
    if not name or "<" in name or getattr(function, "__self__", None) is not None:
        raise InputError(
            f"{name or function!r} cannot be sent to another process",
            hint="give a function at the top level of a module; what varies goes into `arguments`",
        )
    for what, value in (("workers", workers), ("attempts", attempts), ("threads", threads)):
        if value is not None and value < 1:
            raise InputError(f"{what} must be at least 1, not {value}")


def _remove_others(out: Path, count: int) -> None:
    """Remove folders of shards that there are no longer, so that a reader of `out` sees this run's alone."""
    wanted = {shard_folder(out, number).name for number in range(count)}
    for folder in out.glob("shard-*"):
        if folder.name not in wanted:
            shutil.rmtree(folder)


def _fingerprint(*values: Any) -> str:
    text = json.dumps([_content(value) for value in values], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _content(value: Any) -> Any:
    """Return a value as JSON has it, a path as its name and the fingerprint of what is there."""
    if isinstance(value, Path):
        return {"name": value.name, "sha256": fingerprints.path(value)}
    if isinstance(value, Mapping):
        return {str(name): _content(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_content(item) for item in value]
    return plain(value)


# What happens inside a worker, on either engine.


def run_shard(task: _Task) -> _Outcome:
    """Do one shard, unless its marker says that it is done; what the stage raises becomes the outcome."""
    with _Caught() as caught:
        caught.outcome = _Outcome(result=_result(task))
    return caught.outcome


def _result(task: _Task) -> Any:
    name = f"{task.function.__module__}.{task.function.__qualname__}"
    fingerprint = _fingerprint(name, sulan.__version__, task.arguments_fingerprint, task.shard)
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):  # absent or damaged: not done
        done = json.loads((task.folder / DONE).read_text())
        if done["fingerprint"] == fingerprint:
            return done["result"]
    if task.folder.exists():
        shutil.rmtree(task.folder)  # made from other inputs
    with outputs.folder(task.folder) as folder:
        result = task.function(task.shard, folder, **task.arguments)
        try:
            marker = json.dumps({"fingerprint": fingerprint, "result": result}, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"{name} returned what JSON cannot hold: {error}") from error
        outputs.write_text(folder / DONE, marker + "\n")
    return json.loads(marker)["result"]


class _Caught:
    """Turns any exception of a stage into plain words.

    A stage is anybody's code, and many exceptions do not survive pickling, which would look like a dead
    worker. KeyboardInterrupt and SystemExit pass.
    """

    outcome = _Outcome(reason="no result")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        first = str(error).partition("\n")[0]
        self.outcome = _Outcome(
            reason=first if isinstance(error, SulanError) else f"{type(error).__name__}: {first}",
            hint=error.hint if isinstance(error, SulanError) else "",
            trace="".join(traceback.format_exception(error)),
        )
        return True
