"""The small model tau with its adapter: made, fed, and kept on disk with all that using it takes.

On disk an adapter is what PEFT writes (`adapter_config.json`, `adapter_model.safetensors`) and `fiat.json`: the words
of both models, the labels, which frozen model reasons, and the fingerprint of the base model. `--peft full` writes an
ordinary checkpoint and `fiat.json`. Not covered: adapters on quantised weights.
"""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import peft
import torch
from transformers import PreTrainedModel

from sulan import models
from sulan.errors import InputError
from sulan.evaluation import encoding
from sulan.models import LanguageModel, devices, tokens
from sulan.models.devices import Precision
from sulan.models.quiet import quiet
from sulan.runs import outputs, seeds
from sulan.tune import prompts
from sulan.tune.fiat import Fiat
from sulan.tune.halves import Halves
from sulan.tune.labels import Tokens
from sulan.tune.learning import Row
from sulan.tune.settings import Adapter
from sulan.tune.task import Example, Task

TARGETS = (
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",  # Llama and its like
    "dense", "fc1", "fc2",  # Phi, where PEFT's own table once had others (peft#1375)
)  # fmt: skip
"""Matrices of attention and feed-forward blocks by name."""


@dataclass(frozen=True, kw_only=True)
class Student:
    """A small model ready to be tuned or asked.

    Attributes
    ----------
    base
        The model as it was loaded, with its tokenizer.
    model
        The same with the adapter's layers in it.
    wrapped
        What PEFT makes of it; None for full tuning.
    halves
        The model, cut below the lowest adapted layer.
    tuned
        What is tuned, by name.
    """

    base: LanguageModel
    model: PreTrainedModel
    wrapped: peft.PeftModel | None
    halves: Halves
    tuned: dict[str, torch.nn.Parameter]

    @property
    def rank(self) -> int:
        """The adapter's rank; 0 for full tuning."""
        ranks = [each.shape[0] for name, each in self.tuned.items() if "lora_A" in name]
        return max(ranks, default=0)


def prepare(
    name: str, *, kind: Literal["lora", "full"], adapter: Adapter, dtype: Precision, seed: int
) -> Student:
    """Load a small model and put an adapter on it, whose first weights depend on the seed alone.

    Raises
    ------
    InputError
        The model cannot be tuned here, or has none of the adapted matrices.
    """
    loaded = models.load(name, dtype="float32" if kind == "full" else dtype)
    return equip(loaded, kind=kind, adapter=adapter, dtype=dtype, seed=seed)


def equip(
    loaded: LanguageModel,
    *,
    kind: Literal["lora", "full"],
    adapter: Adapter,
    dtype: Precision,
    seed: int,
    kept: dict[str, torch.Tensor] | None = None,
) -> Student:
    """Put an adapter on a loaded model, or open its upper layers; see `prepare`.

    Parameters
    ----------
    loaded
        The model; for full tuning in float32.
    kind, adapter, dtype, seed
        As in `prepare`.
    kept
        See `halves.Halves`.
    """
    count = loaded.model.config.get_text_config().num_hidden_layers
    top = min(adapter.top or count, count)
    if kind == "full":
        return _opened(loaded, top=top, dtype=dtype, kept=kept)
    there = {name.rpartition(".")[2] for name, _ in loaded.model.named_modules()}
    targets = sorted((set(adapter.targets) if adapter.targets else set(TARGETS)) & there)
    if missing := sorted(set(adapter.targets) - there):
        raise InputError(f"{loaded.name} has no matrix {missing[0]!r}", hint=f"such as {TARGETS[0]}")
    if not targets:
        raise InputError(
            f"{loaded.name} has none of the matrices that are adapted", hint="adapter.targets names them"
        )
    config = peft.LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=targets,
        layers_to_transform=list(range(count - top, count)) if top < count else None,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(), _silent():
        torch.manual_seed(seeds.key(seed, "tune adapter") % 2**63)
        wrapped = peft.get_peft_model(loaded.model, config)
    return _student(loaded, wrapped, top=top, kept=kept)


def _opened(
    loaded: LanguageModel, *, top: int, dtype: Precision, kept: dict[str, torch.Tensor] | None
) -> Student:
    """Return a model all of whose upper weights are tuned, in float32 with the arithmetic in `dtype`."""
    model = loaded.model.requires_grad_(False)
    wanted = devices.dtype(dtype, model.device)
    halves = Halves(model, top=top, cast=wanted if wanted != torch.float32 else None, kept=kept)
    layers: Any = model.base_model.layers
    lower = {id(parameter) for layer in layers[: halves.cut] for parameter in layer.parameters()}
    embedding = {id(parameter) for parameter in model.get_input_embeddings().parameters()}
    frozen = lower | (embedding if halves.cut else set())  # a tied head below the cut stays as it is
    tuned = {name: each for name, each in model.named_parameters() if id(each) not in frozen}
    for parameter in tuned.values():
        parameter.requires_grad_(True)
    return Student(base=loaded, model=model, wrapped=None, halves=halves, tuned=tuned)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep PEFT's calls of what transformers will rename from being told to the user."""
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _student(
    loaded: LanguageModel, wrapped: Any, *, top: int, kept: dict[str, torch.Tensor] | None = None
) -> Student:
    model = wrapped.get_base_model()
    tuned = {name: each for name, each in wrapped.named_parameters() if "lora_" in name}
    for parameter in tuned.values():
        parameter.requires_grad_(True)
    halves = Halves(model, top=top, kept=kept)
    return Student(base=loaded, model=model, wrapped=wrapped, halves=halves, tuned=tuned)


def restore(student: Student, before: Mapping[str, torch.Tensor]) -> None:
    """Take an adapter off again, or put the weights from before the tuning back; the student is of no use then."""
    if student.wrapped is not None:
        wrapped: Any = student.wrapped
        with _silent():
            wrapped.unload()
        return
    with torch.no_grad():
        for name, each in student.tuned.items():
            each.copy_(before[name])
            each.requires_grad_(False)


def rows(
    student: Student,
    task: Task,
    examples: Sequence[Example],
    *,
    rationales: Mapping[str, str] | None,
    instructions: bool,
) -> tuple[list[Row], int]:
    """Return examples as tokens, and how many lost something because they were too long for the context.

    Parameters
    ----------
    student
        Whose tokens.
    task
        Its words.
    examples
        The examples.
    rationales
        By id; None: without any.
    instructions
        Whether I_tau stands before the input.
    """
    given = rationales or {}
    texts = [example.input for example in examples]
    reasons = [given.get(example.id, "") for example in examples]
    full = prompt_tokens(student, task, texts, reasons, instructions=instructions)
    bare = prompt_tokens(student, task, texts, [""] * len(texts), instructions=instructions)
    answers = answer_tokens(student.base, [example.answer for example in examples])
    found = [
        Row(id=example.id, prompt=one, bare=other, answer=np.asarray(answer))
        for example, (one, _), (other, _), answer in zip(examples, full, bare, answers, strict=True)
    ]
    return found, sum(cut for _, cut in full)


def prompt_tokens(
    student: Student, task: Task, texts: Sequence[str], reasons: Sequence[str], *, instructions: bool
) -> list[tuple[np.ndarray, bool]]:
    """Return prompts as tokens, and whether each was cut: its rationale first, then the beginning of its input."""
    answers = answer_tokens(student.base, task.labels) if task.labels else [()]
    room = student.base.context - max(64 if not task.labels else 0, *map(len, answers))
    made = [
        prompts.student(task, text, reasoning=reason, instructions=instructions)
        for text, reason in zip(texts, reasons, strict=True)
    ]
    tokenizer = student.base.tokenizer
    found = []
    for prompt, whole in zip(made, encoding.prompts(tokenizer, [each.text() for each in made]), strict=True):
        if len(whole) <= room:
            found.append((np.asarray(whole, dtype=np.int64), False))
            continue
        found.append((np.asarray(_cut(student.base, prompt, room=room), dtype=np.int64), True))
    return found


def plain_tokens(base: LanguageModel, texts: Sequence[str]) -> list[np.ndarray]:
    """Return texts as tokens, each behind the beginning-of-text token where the tokenizer sets one."""
    return [np.asarray(each, dtype=np.int64) for each in encoding.prompts(base.tokenizer, texts)]


def _cut(base: LanguageModel, prompt: prompts.Student, *, room: int) -> Sequence[int]:
    before, reasoning, after = tokens.encode(base.tokenizer, [prompt.before, prompt.reasoning, prompt.after])
    first = tokens.first_context(base.tokenizer)
    leading = [] if first is None else [first]
    spare = max(0, room - len(leading) - len(before) - len(after))
    kept = [*before.tolist(), *reasoning[:spare].tolist(), *after.tolist()]
    return [*leading, *kept[-(room - len(leading)) :]]


def answer_tokens(base: LanguageModel, answers: Sequence[str]) -> list[Tokens]:
    """Return answers as tokens, each behind a space and before the token that ends a text."""
    end = base.tokenizer.eos_token_id
    if end is None:
        raise InputError(f"the tokenizer of {base.name} has no token that ends a text")
    spaced = (f" {answer.strip()}" for answer in answers)
    return [(*found.tolist(), int(end)) for found in tokens.encode(base.tokenizer, spaced)]


def save(student: Student, fiat: Fiat, folder: Path) -> None:
    """Write an adapter, or a whole model, with its `fiat.json` into a folder that `outputs.folder` gave."""
    if student.wrapped is not None:
        with quiet():
            student.wrapped.save_pretrained(str(folder), safe_serialization=True)
        _sort(folder / "adapter_config.json")
    else:
        models.save(student.model, student.base.tokenizer, folder)
    fiat.write(folder)


def _sort(path: Path) -> None:
    """Write PEFT's configuration in one order: it keeps names in sets, whose order differs from process to process."""
    config = json.loads(path.read_text())
    ordered = {name: sorted(value) if isinstance(value, list) else value for name, value in config.items()}
    outputs.write_text(path, json.dumps(ordered, indent=2, sort_keys=True) + "\n")


def load(folder: Path, fiat: Fiat, *, base: str | None, dtype: Precision) -> Student:
    """Load a tuned model.

    Parameters
    ----------
    folder
        What `save` wrote.
    fiat
        What it says.
    base
        Where the small model is now; None: where it was.
    dtype
        Precision of the frozen weights.

    Raises
    ------
    InputError
        The small model is another one than the adapter was made for.
    """
    if fiat.kind == "full":
        loaded = models.load(folder, dtype=dtype)
        return Student(
            base=loaded, model=loaded.model, wrapped=None, halves=Halves(loaded.model, top=None), tuned={}
        )
    loaded = models.load(base or fiat.student, dtype=dtype)
    if loaded.fingerprint != fiat.fingerprint:
        raise InputError(
            f"{loaded.name} is not the model that the adapter in {folder} was made for",
            hint="--student names it",
        )
    with _silent():
        wrapped = peft.PeftModel.from_pretrained(loaded.model, str(folder))
    config = wrapped.peft_config["default"]
    chosen = getattr(config, "layers_to_transform", None)
    count = loaded.model.config.get_text_config().num_hidden_layers
    return _student(loaded, wrapped, top=len(chosen) if chosen else count)
