"""Claims joined with what was measured: *paper says | measured here | scale of the measurement*.

A claim is measured when a complete run of its verb recorded the metric that the card names, together with
the scale of the measurement. Everything else prints "not run". Nothing here judges whether a paper holds.
"""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, ValidationError

from sulan.errors import BrokenArtefact, MissingFile
from sulan.papers.card import Card, Claim
from sulan.runs import outputs, record

logger = logging.getLogger(__name__)

NOT_RUN = "not run"
"""What stands in the middle column of a claim that no run measured."""

PACKAGED = Path(__file__).with_name("records")
"""The run records that ship with Sulan."""


def _one_line(text: object) -> object:
    return " ".join(text.split()) if isinstance(text, str) else text


Words = Annotated[str, BeforeValidator(_one_line)]


class _Lenient(BaseModel):
    """Only what the join needs; a record has more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class RecordedMetric(_Lenient):
    """One metric of a run record; see `sulan.runs.record.Metric`."""

    name: str
    value: int | float | Words
    scale: Words = ""
    claim: str = ""


class Machine(_Lenient):
    """What a run ran on; see `sulan.runs.environment.machine`."""

    cpu: Words = ""
    cores: int | None = None
    threads: Words = ""
    gpu: Words = ""


class RunRecord(_Lenient):
    """What the join reads of a `run.json`.

    Attributes
    ----------
    verb
        Room and verb, e.g. `prune compare`.
    partial
        Why the run is not whole although it ended; empty when it is.
    end
        When it ended; None while it runs.
    """

    verb: str
    status: Literal["running", "complete", "failed"]
    partial: tuple[str, ...] = ()
    end: Annotated[AwareDatetime | None, BeforeValidator(lambda text: text or None)] = None
    environment: Machine = Machine()
    metrics: tuple[RecordedMetric, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MeasuredClaim:
    """One line of a card's table.

    Attributes
    ----------
    claim
        Id of the claim.
    says, value, source
        The paper's side, from the card.
    measured
        The value measured here, or "not run".
    scale
        Scale of the measurement, machine, command and date; empty when not run.
    date
        `YYYY-MM-DD`, UTC: when the run ended; empty when not run.
    """

    claim: str
    says: str
    value: str
    source: str
    measured: str = NOT_RUN
    scale: str = ""
    date: str = ""


def records(folder: Path | None = None) -> tuple[RunRecord, ...]:
    """Read the packaged run records and those below `folder`.

    Hidden folders are passed over: they hold what another run is still writing. A record that cannot be read
    is skipped with a warning.

    Raises
    ------
    MissingFile
        `folder` is given and is not a folder.
    """
    if folder is not None and not folder.is_dir():
        raise MissingFile(f"no folder of run records at {folder}")
    found = []
    for root in filter(None, (PACKAGED, folder)):
        for path in sorted(root.rglob(outputs.RECORD)):
            if any(part.startswith(".") for part in path.relative_to(root).parts):
                continue
            try:
                found.append(RunRecord.model_validate(record.read(path.parent)))
            except (BrokenArtefact, OSError) as error:
                logger.warning("run record skipped: %s", error)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                key = ".".join(str(part) for part in first["loc"])
                logger.warning("run record skipped: %s: %s: %s", path, key, first["msg"])
    return tuple(found)


def measured(card: Card, records: Iterable[RunRecord]) -> tuple[MeasuredClaim, ...]:
    """Join the claims of a card with run records, in the card's order.

    A run counts when it is complete and not partial. Of the metrics that carry the claim's metric name, a
    scale and a finite value, the newest run's wins; a metric that names another claim does not count.
    """
    complete = [run for run in records if run.status == "complete" and not run.partial and run.end]
    return tuple(_join(claim, complete) for claim in card.claims)


def _join(claim: Claim, complete: Iterable[RunRecord]) -> MeasuredClaim:
    paper = {"claim": claim.id, "says": claim.says, "value": claim.value, "source": claim.source}
    candidates = [
        (run.end, run, metric)
        for run in complete
        if run.verb == claim.verb and run.end
        for metric in run.metrics
        if metric.name == claim.metric and metric.claim in ("", claim.id) and metric.scale
        if not (isinstance(metric.value, float) and not math.isfinite(metric.value))
    ]
    if not candidates:
        return MeasuredClaim(**paper)
    end, run, metric = max(candidates, key=lambda candidate: candidate[0])
    date = end.astimezone(UTC).date().isoformat()
    scale = "; ".join(filter(None, (metric.scale, _machine(run.environment), f"sulan {run.verb}", date)))
    return MeasuredClaim(**paper, measured=printed(metric.value), scale=scale, date=date)


def _machine(machine: Machine) -> str:
    count, unit = (machine.threads, "thread") if machine.threads else (machine.cores, "core")
    counted = f"{count} {unit}{'' if str(count) == '1' else 's'}" if count else ""
    return ", ".join(filter(None, (machine.gpu, machine.cpu, counted)))


def printed(value: float | int | str) -> str:
    """Return a measured value as people read it: four significant digits, whole numbers in full.

    Examples
    --------
    >>> printed(0.97312), printed(1418270720), printed(21.0), printed("+0.4 % [-0.2, 1.1]")
    ('0.9731', '1,418,270,720', '21', '+0.4 % [-0.2, 1.1]')
    """
    if isinstance(value, str):
        return value
    if value == int(value):
        return f"{int(value):,}"
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    if digits > 8:
        return f"{value:.4g}"
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
