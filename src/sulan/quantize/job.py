"""One `quantize run`, from what was asked for to a written checkpoint.

Not covered: the report, see `reporting`.
"""

import logging
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import sulan
from sulan.errors import InputError
from sulan.models import devices
from sulan.quantize import (
    allocation,
    artefact,
    budgets,
    layers,
    pipeline,
    sensitivity,
    sources,
    streamed,
    texts,
)
from sulan.quantize.artefact import Description
from sulan.quantize.blocks import Tuned
from sulan.quantize.grid import Quantised
from sulan.quantize.layers import Layer
from sulan.quantize.pipeline import Blocks, Machine
from sulan.quantize.resuming import Work
from sulan.quantize.settings import Budget, Plan, Recipe, Tuning, resolve
from sulan.quantize.streamed import Checkpoint
from sulan.runs import fingerprints

_log = logging.getLogger(__name__)

COPIED = ("generation_config.json",)
IMPORTANCE = "importance.safetensors"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The verb's arguments."""

    model: Path
    bits: int
    group_size: int
    symmetric: bool
    recipe: Recipe
    calibration: Path | None
    keep: str
    seed: int
    tuning: Tuning
    budget: Budget


@dataclass(kw_only=True)
class Job:
    """What a run found and made.

    Attributes
    ----------
    plan
        How blocks were tuned.
    description
        What was written.
    blocks
        Every block's result, without its codes.
    size, tensors_size
        Bytes of the packed weights' file; of the teacher's weights.
    notes
        What differs from what was asked for.
    """

    asked: Asked
    plan: Plan
    description: Description
    work: Work
    windows: tuple[int, int] = (0, 0)
    blocks: list[Tuned] = field(default_factory=list)
    size: int = 0
    teacher_size: int = 0
    loadable: bool = True
    notes: list[str] = field(default_factory=list)
    cpu_seconds: float = 0.0
    predicted_memory: int = 0

    def scale(self) -> str:
        """Return at what scale this was measured."""
        text = f", {self.windows[0]} x {self.windows[1]} tokens" if self.windows[0] else ""
        return f"{self.description.teacher}, {self.asked.recipe}{text}"

    def metrics(self) -> Iterator[tuple[str, float | int | str, str]]:
        """Give name, value and scale of what was measured."""
        scale = self.scale()
        yield "steps", self.plan.steps, scale
        yield "bits.average", round(self.description.average_bits(), 4), scale
        yield "size.mb", round(self.size / 1e6, 3), scale
        yield "size.ratio", round(self.teacher_size / self.size, 3), scale
        yield "cpu.seconds", round(self.cpu_seconds, 2), scale
        yield "memory.peak_mb", peak_megabytes(), scale
        yield "memory.predicted_mb", round(self.predicted_memory / 1e6), scale
        made = [block for block in self.blocks if block.steps]
        if made:
            yield "steps.made.mean", round(sum(block.steps for block in made) / len(made), 1), scale


def run(asked: Asked, folder: Path, *, out: Path, resume: bool) -> Job:
    """Quantise a model into `folder`, and keep a work folder beside `out` until the caller removes it."""
    start = time.process_time()
    plan = resolve(asked.recipe, asked.tuning)
    _check(asked, plan)
    source = sources.folder(asked.model)
    checkpoint = Checkpoint(source)
    device = devices.device(asked.tuning.device)
    machine = Machine(device=device, dtype=devices.dtype(asked.tuning.dtype, device), streams_in_memory=True)
    blocks = Blocks(checkpoint, machine)
    tokenizer = sources.tokenizer(source)
    found_layers = layers.plan(
        blocks.name,
        blocks.list,
        bits=asked.bits,
        group_size=asked.group_size,
        symmetric=asked.symmetric,
        keep=asked.keep,
    )
    checkpoint.check()
    work = Work(out)
    identity = {
        "model": fingerprints.path(source),
        "calibration": texts.fingerprint(asked.calibration) if asked.calibration else "",
        "bits": asked.bits,
        "group_size": asked.group_size,
        "sym": asked.symmetric,
        "keep_layers": asked.keep,
        "recipe": asked.recipe,
        "tuning": asdict(asked.tuning),
        "budget": asdict(asked.budget),
        "seed": asked.seed,
        "precision": str(machine.dtype),
        "version": sulan.__version__,
    }
    decided = work.begin(identity, resume=resume)
    job = Job(
        asked=asked,
        plan=plan,
        description=Description(
            teacher=sources.teacher(asked.model),
            teacher_fingerprint=identity["model"],
            group_size=asked.group_size,
            layers=found_layers,
        ),
        work=work,
    )
    windows = _windows(job, checkpoint, tokenizer)
    if not decided:
        decided = _decide(job, blocks, windows)
        work.decide(decided)
    job.plan = replace(job.plan, **decided["plan"])
    if windows is not None:
        windows = windows[: job.plan.samples]
        job.windows = (windows.shape[0], windows.shape[1])
    job.notes += decided["notes"]
    embedding = _apply_bits(job, blocks, decided)
    streaming = budgets.stream_bytes(blocks, windows)
    predicted = budgets.memory(blocks, windows, job.plan)
    blocks.machine = budgets.fit_memory(asked.budget, predicted, streaming, machine)
    job.predicted_memory = predicted + (streaming if blocks.machine.streams_in_memory else 0)
    table = pipeline.embedding_of(checkpoint, embedding) if embedding else None
    pipeline.quantise(
        blocks,
        job.description.layers,
        work,
        plan=job.plan,
        windows=windows,
        seed=asked.seed,
        embedding=table,
        on_block=lambda number, tuned: job.blocks.append(replace(tuned, matrices={})),
    )
    _write(job, folder, checkpoint, embedding, table)
    tokenizer.save_pretrained(folder)
    job.cpu_seconds = time.process_time() - start
    return job


def read_importance(folder: Path) -> dict[str, Tensor]:
    """Return the mean squared inputs that a run kept, by matrix; none where it had no calibration text."""
    from safetensors.torch import load_file

    path = folder / IMPORTANCE
    return load_file(path) if path.exists() else {}


def peak_megabytes() -> int:
    """Return this process' peak of resident memory so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def _check(asked: Asked, plan: Plan) -> None:
    if asked.bits not in (2, 3, 4, 8):
        raise InputError(f"--bits is {asked.bits}; 2, 3, 4 and 8 can be")
    if asked.group_size != -1 and asked.group_size < layers.SMALLEST_GROUP:
        raise InputError(f"--group-size is {asked.group_size}; at least {layers.SMALLEST_GROUP}, or -1")
    if plan.steps and asked.calibration is None:
        raise InputError(
            f"recipe {asked.recipe} tunes, and needs text",
            hint="--calibration CORPUS, or --calibration python; --recipe searched does without",
        )
    if plan.start == "gptq" and asked.calibration is None:
        raise InputError("--start gptq needs text", hint="--calibration CORPUS")
    budgets.check(asked.budget)


def _windows(job: Job, checkpoint: Checkpoint, tokenizer: Any) -> Tensor | None:
    asked, plan = job.asked, job.plan
    if asked.calibration is None:
        if plan.reads_text:
            job.notes.append("no calibration text: every column counted alike in the search for grids")
        return None
    if not plan.reads_text:
        job.notes.append("rounding to nearest does not read the calibration text")
        return None
    from sulan.models.loading import context

    longest = context(checkpoint.skeleton)
    length = min(plan.sequence_length, longest)
    if length < plan.sequence_length:
        job.notes.append(
            f"the model's context is {longest}: windows are that long instead of {plan.sequence_length}"
        )
    found = texts.windows(asked.calibration, tokenizer, samples=plan.samples, length=length, seed=asked.seed)
    job.notes += found.notes
    return torch.from_numpy(found.tokens)


def _decide(job: Job, blocks: Blocks, windows: Tensor | None) -> dict[str, Any]:
    """Return what is measured before the first block: bits of every matrix, samples and steps that fit the time."""
    asked, notes = job.asked, []
    decided: dict[str, Any] = {"plan": {}, "bits": {}, "embedding": False}
    if asked.budget.average_bits is not None or asked.budget.max_size_mb is not None:
        if windows is None:
            raise InputError("bits are allocated from measured sensitivities, which need --calibration")
        scores = sensitivity.measure(blocks, job.description.layers, windows, seed=asked.seed)
        decided |= allocation.decide(job.description.layers, scores, asked.budget, blocks.checkpoint)
    if asked.budget.time_budget and job.plan.steps and windows is not None:
        decided["plan"], note = budgets.fit_time(
            asked.budget, job.plan, blocks, job.description.layers, windows, job.work
        )
        notes.append(note)
    return {**decided, "notes": notes}


def _apply_bits(job: Job, blocks: Blocks, decided: dict[str, Any]) -> Layer | None:
    """Give every matrix its allocated bits; return the embedding's layer where it is packed too."""
    if not decided["bits"]:
        return None
    asked = job.asked
    found = layers.plan(
        blocks.name,
        blocks.list,
        bits=asked.bits,
        group_size=asked.group_size,
        symmetric=asked.symmetric,
        keep=asked.keep,
        bits_of=decided["bits"],
    )
    embedding = allocation.embedding_layer(blocks.checkpoint) if decided["embedding"] else None
    job.description = replace(job.description, layers=(*found, *([embedding] if embedding else [])))
    return embedding


def _write(
    job: Job, folder: Path, checkpoint: Checkpoint, embedding: Layer | None, table: Quantised | None
) -> None:
    by_name: dict[str, int] = {}
    name, _ = streamed.blocks(checkpoint.skeleton)
    for layer in job.description.packed:
        if layer is not embedding:
            by_name[layer.name] = int(layer.name.removeprefix(f"{name}.").partition(".")[0])
    held: dict[int, Tuned] = {}

    def matrix(layer: str) -> Quantised:
        if embedding is not None and table is not None and layer == embedding.name:
            return table
        number = by_name[layer]
        if number not in held:
            held.clear()
            held[number] = job.work.load(number)
        return held[number].matrices[layer]

    job.size = artefact.write(folder, checkpoint, job.description, matrix)
    job.loadable = artefact.is_loadable(job.description.packed)
    job.teacher_size = sum(
        parameter.numel() * checkpoint.dtype.itemsize for parameter in checkpoint.skeleton.parameters()
    )
    importance = {layer: values for block in job.blocks for layer, values in block.importance.items()}
    if importance:
        artefact.save(folder, IMPORTANCE, iter(importance.items()))
    for file in COPIED:
        if (checkpoint.folder / file).is_file():
            shutil.copyfile(checkpoint.folder / file, folder / file)
