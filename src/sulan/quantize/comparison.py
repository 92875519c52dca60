"""One `quantize measure`: loads, compares, and words what was found.

Not covered: tasks (mean accuracies of the paper's tables); a model of this size answers them by chance.
"""

import copy
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from sulan.errors import InputError, MissingFile
from sulan.evaluation.significance import Difference, paired_bootstrap
from sulan.models import load
from sulan.models.loading import LanguageModel
from sulan.quantize import artefact, decoding, divergence, grid, job, sources, texts
from sulan.quantize.artefact import Description
from sulan.quantize.blocks import one_thread, searched
from sulan.quantize.divergence import Divergence, Logits
from sulan.quantize.grid import Quantised
from sulan.quantize.statistics import Moments
from sulan.quantize.streamed import Checkpoint
from sulan.quantize.streamed import blocks as find_blocks
from sulan.reports import charts
from sulan.reports.charts import Line
from sulan.reports.report import Cell, Report, Table
from sulan.runs import fingerprints

TUNED, NEAREST, SEARCHED, FLOOR = "this model", "nearest", "searched", "teacher in bfloat16"


@dataclass(kw_only=True)
class Compared:
    """What was measured.

    Attributes
    ----------
    found
        Divergence by what was compared.
    errors
        Relative error of the hidden states after every block.
    sizes
        Bytes by what is stored.
    speeds
        Tokens decoded a second by what was timed.
    """

    model: str
    teacher: str
    description: Description | None
    found: dict[str, Divergence]
    errors: list[float]
    sizes: dict[str, int]
    speeds: dict[str, float]
    seed: int
    notes: list[str] = field(default_factory=list)

    def scale(self) -> str:
        """Return at what scale this was measured."""
        windows, tokens = self.found[TUNED].kl.shape
        return f"{self.teacher}, {windows} x {tokens} held-out tokens, float32"

    def scheme(self) -> str:
        """Return bits and group as metrics name them: `w4.g128`, `w4.channel`, `mixed`."""
        schemes = {layer.scheme for layer in self.description.packed} if self.description else set()
        widths = {scheme.bits for scheme in schemes if scheme}
        if self.description is None or len(widths) != 1:
            return "mixed"
        asked = self.description.group_size
        return f"w{widths.pop()}.{'channel' if asked == -1 else f'g{asked}'}"

    def difference(self, name: str) -> Difference:
        """Return this model's mean divergence minus another's, resampled by window."""
        ours, other = self.found[TUNED], self.found[name]
        return paired_bootstrap(ours.kl.mean(1), other.kl.mean(1), seed=self.seed)

    def perplexity_ratio(self, name: str) -> Difference:
        """Return the log of the perplexity ratio to the teacher, resampled by window."""
        found = self.found[name]
        weights = numpy.full(len(found.loss), found.predicted)
        return paired_bootstrap(found.loss, found.teacher_loss, weights=weights, seed=self.seed)

    def metrics(self) -> Iterator[tuple[str, float | int | str]]:
        """Give name and value of what was measured."""
        for name, found in self.found.items():
            own = {TUNED: "", NEAREST: ".rtn", SEARCHED: ".searched", FLOOR: ".floor"}[name]
            yield f"kl.mean{own}", float(f"{found.kl.mean():.6g}")
            yield f"kl.p99{own}", float(f"{numpy.quantile(found.kl, 0.99):.6g}")
            yield f"top1.agreement{own}", round(float(found.agree.mean()), 5)
            yield f"perplexity{own}", round(found.perplexity(), 4)
        yield "perplexity.teacher", round(self.found[TUNED].teacher_perplexity(), 4)
        if NEAREST in self.found:
            ours, rtn = self.found[TUNED], self.found[NEAREST]
            yield (
                f"improvement.rtn.{self.scheme()}",
                f"KL {ours.kl.mean():.3g} against {rtn.kl.mean():.3g} nats, top-1 agreement "
                f"{100 * ours.agree.mean():.1f} against {100 * rtn.agree.mean():.1f} %",
            )
        for name, speed in self.speeds.items():
            yield f"decode.tokens_per_second.{name}", round(speed, 2)
        for name, speed in self.speeds.items():
            if f"{name}, {NEAREST}" in self.speeds:
                yield "decode.ratio.rtn", round(speed / self.speeds[f"{name}, {NEAREST}"], 3)
                break
        for name, size in self.sizes.items():
            yield f"size.mb.{name}", round(size / 1e6, 3)

    def report(self, *, timed: bool) -> Report:
        """Return the report; `timed`: with what differs from run to run."""
        rows = []
        for name, found in self.found.items():
            ratio = self.perplexity_ratio(name)
            rows.append(
                (
                    name,
                    float(found.kl.mean()),
                    float(numpy.quantile(found.kl, 0.99)),
                    100 * float(found.agree.mean()),
                    found.perplexity(),
                    float(numpy.exp(ratio.mean)),
                    f"[{numpy.exp(ratio.low):.4g}, {numpy.exp(ratio.high):.4g}]",
                )
            )
        tables = [
            Table(
                title=f"Distance from the teacher (perplexity {self.found[TUNED].teacher_perplexity():.5g})",
                columns=(
                    "model",
                    "mean KL, nats",
                    "99 % KL",
                    "top-1 %",
                    "perplexity",
                    "ratio",
                    "95 % interval",
                ),
                rows=tuple(rows),
            ),
            Table(
                title="Relative error of the hidden states after each block",
                columns=("block", "error"),
                rows=tuple(enumerate(self.errors)),
            ),
            Table(
                title="Size of the weights",
                columns=("what", "MB"),
                rows=tuple((name, size / 1e6) for name, size in self.sizes.items()),
            ),
        ]
        if timed and self.speeds:
            tables.append(
                Table(
                    title="Decoding on this machine",
                    columns=("what", "tokens a second"),
                    rows=tuple(self.speeds.items()),
                )
            )
        windows, tokens = self.found[TUNED].kl.shape
        summary: dict[str, Cell] = {
            "teacher": self.teacher,
            "held-out tokens": windows * tokens,
            "mean KL": float(self.found[TUNED].kl.mean()),
            "top-1 agreement %": 100 * float(self.found[TUNED].agree.mean()),
        }
        for name in (NEAREST, SEARCHED):
            if name in self.found:
                found = self.difference(name)
                summary[f"mean KL minus {name}'s"] = f"{found.mean:.4g} [{found.low:.4g}, {found.high:.4g}]"
        noise = self.found[FLOOR].kl.mean()
        floor = f"The noise floor is the teacher computed in bfloat16 instead of float32: KL {noise:.2g}."
        untimed = (
            []
            if timed or not self.speeds
            else ["Tokens a second differ from run to run and stand in run.json."]
        )
        return Report(
            title=f"quantize measure {self.model}",
            summary=summary,
            tables=tuple(tables),
            notes=(floor, *untimed, *self.notes),
            charts=self._charts(),
        )

    def _charts(self) -> dict[str, str]:
        made: dict[str, str] = {}
        values = {name: found.kl.ravel() for name, found in self.found.items() if name != FLOOR}
        if any((v > 0).any() for v in values.values()):
            title = "KL divergence at every position"
            made[title] = charts.histogram(values, title=title, x="KL, nats", logarithmic=True)
        if len(self.errors) > 1:
            title = "Relative error after each block"
            line = Line(name=TUNED, x=list(range(len(self.errors))), y=self.errors)
            made[title] = charts.lines([line], title=title, x="block", y="relative error")
        return made


def compare(
    model: Path,
    against: Path,
    *,
    data: Path,
    windows: int,
    length: int,
    baselines: bool,
    deployed: tuple[Path, ...],
    decode_tokens: int,
    seed: int,
    device: str,
) -> Compared:
    """Measure; see `quantize measure`."""
    if windows < 2 or length < 2:
        raise InputError("--windows and --sequence-length must be at least 2")
    for path in deployed:
        if not path.exists():
            raise MissingFile(f"no export at {path}", hint="sulan quantize export makes one")
    teacher = load(sources.folder(against), dtype="float32", device=device)
    student = load(sources.folder(model), dtype="float32", device=device)
    if teacher.tokenizer_fingerprint != student.tokenizer_fingerprint:
        raise InputError(
            f"{model} and {against} have different tokenizers: their predictions cannot be compared"
        )
    text = texts.windows(
        data, teacher.tokenizer, samples=windows, length=min(length, teacher.context), seed=seed
    )
    tokens = torch.from_numpy(text.tokens)
    notes = list(text.notes)
    description = None
    students: dict[str, Logits] = {TUNED: logits(student)}
    half: Any = copy.deepcopy(teacher.model)
    half = half.to(torch.bfloat16)
    students[FLOOR] = logits(teacher, half)
    if (model / artefact.DESCRIPTION).exists():
        made = artefact.read(model)
        description = made.description
        if description.teacher_fingerprint != fingerprints.path(sources.folder(against)):
            notes.append(f"{against} is not the model that this one was made from")
        if baselines:
            for kind in (NEAREST, SEARCHED):
                students[kind] = logits(teacher, rounded(teacher, made, kind))
    elif baselines:
        notes.append(f"{model} was not made by quantize run: no baselines")
    found = divergence.compare(logits(teacher), students, tokens)
    order = [name for name in (TUNED, SEARCHED, NEAREST, FLOOR) if name in found]
    result = Compared(
        model=str(model),
        teacher=sources.teacher(against),
        description=description,
        found={name: found[name] for name in order},
        errors=block_errors(teacher, student, tokens[:4]),
        sizes={
            "teacher": stored_bytes(sources.folder(against)),
            "this model": stored_bytes(sources.folder(model)),
        },
        speeds={},
        seed=seed,
        notes=notes,
    )
    for path in deployed:
        result.sizes[path.name] = path.stat().st_size if path.is_file() else stored_bytes(path)
    if decode_tokens:
        students.clear()
        with tempfile.TemporaryDirectory() as name:
            files = {path.name: path for path in deployed}
            if description is not None and baselines:
                files |= plain_exports(sources.folder(against), description, deployed, Path(name))
            result.speeds = decoding.speeds(half, files, prompt=tokens[0, :16], count=decode_tokens)
    return result


def plain_exports(
    teacher: Path, description: Description, deployed: tuple[Path, ...], place: Path
) -> dict[str, Path]:
    """Export the teacher rounded to nearest in the formats of the deployed files: what tuning is timed against."""
    from importlib import import_module

    files = [path for path in deployed if path.suffix in (".gguf", ".onnx")]
    if not files:
        return {}
    checkpoint = Checkpoint(teacher)
    layers = {layer.name: layer for layer in description.packed}

    def nearest(name: str) -> Quantised:
        scheme = layers[name].scheme
        if scheme is None:
            raise ValueError(f"{name} is not quantised")
        return grid.nearest(checkpoint.tensor(f"{name}.weight").float(), scheme)

    plain = place / "nearest"
    plain.mkdir()
    artefact.write(plain, checkpoint, description, nearest)
    sources.tokenizer(teacher).save_pretrained(plain)
    found = {}
    for path in files:
        module = import_module(f"sulan.quantize.formats.{path.suffix[1:]}")
        folder = place / path.suffix[1:]
        folder.mkdir(exist_ok=True)
        module.write(artefact.read(plain), folder)
        found[f"{path.name}, {NEAREST}"] = folder / f"model{path.suffix}"
    return found


def logits(language_model: LanguageModel, model: Any = None) -> Logits:
    """Return a model as a function of one window."""
    own = language_model.model if model is None else model

    def of(window: Tensor) -> Tensor:
        return own(window[None].to(own.device), use_cache=False).logits[0]

    return of


def rounded(teacher: LanguageModel, made: artefact.Artefact, kind: str) -> Any:
    """Return the teacher with the same matrices rounded to nearest or on searched grids, in float32."""
    model = copy.deepcopy(teacher.model)
    named: dict[str, Any] = dict(model.named_modules())
    importance = job.read_importance(made.folder)
    for layer in made.description.packed:
        if layer.scheme is None:
            continue
        weight = named[layer.name].weight
        with one_thread():
            if kind == NEAREST or layer.name not in importance:
                result = grid.nearest(weight.data, layer.scheme)
            else:
                moments = Moments(squares=importance[layer.name], count=1)
                result = searched(weight.data, moments, layer.scheme).quantised()
            weight.data = result.weight().to(weight.device)
    return model


@torch.inference_mode()
def block_errors(teacher: LanguageModel, student: LanguageModel, windows: Tensor) -> list[float]:
    """Return ||student - teacher||^2 / ||teacher||^2 of the hidden states after every block."""
    count = len(find_blocks(teacher.model)[1])
    above, below = numpy.zeros(count), numpy.zeros(count)
    for window in windows:
        states = [
            model.model(
                window[None].to(model.model.device), use_cache=False, output_hidden_states=True
            ).hidden_states
            for model in (teacher, student)
        ]
        for number in range(count):
            expected, got = states[0][number + 1], states[1][number + 1]
            above[number] += float((got - expected).double().square().sum())
            below[number] += float(expected.double().square().sum())
    return [float(error) for error in above / numpy.maximum(below, 1e-30)]


def stored_bytes(folder: Path) -> int:
    """Return the bytes of a checkpoint's weights; of a packed file where there is one beside the plain one."""
    packed = list(folder.glob("packed*.safetensors"))
    files = packed or [*folder.glob("*.safetensors"), *folder.glob("*.bin")]
    return sum(path.stat().st_size for path in files if path.name != job.IMPORTANCE)
