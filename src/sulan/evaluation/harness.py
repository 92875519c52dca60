"""lm-eval's tasks, run by our scorer: local YAML files over local data, offline.

The prompts, the metrics and the aggregation are lm-eval's (0.4.13); log-likelihoods and texts come
from `choices`, `models.logprobs` and `generation`, which batch by length and give the same numbers whatever the
batch. A task file is lm-eval's own format; data files that it names are looked for beside it first:

    task: gloss_to_word
    dataset_path: json
    dataset_kwargs: {data_files: {test: glosses.jsonl}}
    test_split: test
    output_type: multiple_choice
    doc_to_text: "{{gloss}} is the meaning of"
    doc_to_choice: "{{words}}"
    doc_to_target: "{{answer}}"
    metric_list: [{metric: acc}, {metric: acc_norm}]

A task file may name Python functions (`!function`), which then run: use files that you trust. Tasks that run
what a model wrote are refused. Not covered: chat templates, and images.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
from numpy.typing import NDArray

from sulan.errors import BackendError, InputError, MissingExtra, MissingFile, SulanError
from sulan.evaluation import choices, generation
from sulan.evaluation.generation import Sampling
from sulan.evaluation.perplexity import perplexity
from sulan.models import LanguageModel

if TYPE_CHECKING:
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks.manager import TaskDict

MAX_TOKENS = 256
"""Tokens of an answer where a task does not say (lm-eval's default)."""

BOOTSTRAP = 1000
"""Resamples for the standard errors that lm-eval has no formula for (BLEU, F1, perplexity)."""

_LOCAL = frozenset({"json", "csv", "parquet", "text"})
"""Data sets that are files of this kind; anything else is a name on the Hub."""


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What a model reached in one task or group.

    Attributes
    ----------
    task
        Its name.
    metrics
        By name, as `acc`; with lm-eval's filter where it has one, as `exact_match,strict-match`.
    errors
        Standard errors of the metrics that have one.
    shots
        Examples before each question.
    items
        Every question with what was asked, answered and scored, as lm-eval logs it; a group has none.
    """

    task: str
    metrics: Mapping[str, float]
    errors: Mapping[str, float]
    shots: int
    items: tuple[Mapping[str, Any], ...]

    def values(self, metric: str) -> NDArray[numpy.float64]:
        """Return a metric of every item, float64 `[items]`, for `significance.paired_bootstrap`.

        Raises
        ------
        InputError
            The items have no such number; perplexities are made of sums and have none.
        """
        name, _, filter_name = metric.partition(",")
        chosen = [item for item in self.items if not filter_name or item["filter"] == filter_name]
        try:
            return numpy.array([float(item[name]) for item in chosen])
        except (KeyError, TypeError) as error:
            raise InputError(f"the items of {self.task} have no number for {metric!r}") from error


def run(
    language_model: LanguageModel,
    tasks: Path,
    *,
    names: Sequence[str] = (),
    shots: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    tokens_per_batch: int = 4096,
) -> tuple[TaskResult, ...]:
    """Run lm-eval tasks.

    Parameters
    ----------
    language_model
        What is evaluated.
    tasks
        One task file, or a folder of them (`*.yaml`, also in folders below).
    names
        Tasks, groups or tags of the folder; none: every task.
    shots
        Examples before each question, where the task does not fix it at 0; None: as the task says.
    limit
        Questions of each task at most; None: all.
    seed
        Chooses the examples, and what is sampled where a task samples.
    tokens_per_batch
        Tokens of one forward pass; changes speed and memory, not the result.

    Returns
    -------
    tuple of TaskResult
        Tasks in the order of their names, then groups.

    Raises
    ------
    MissingFile
        There is no such file or folder, it holds no task, or a task's data file is absent.
    InputError
        A broken task file or data file, no task of that name, or a task that this bridge cannot run.
    BackendError
        A task's data set is on the Hub and cannot be reached.
    MissingExtra
        lm-eval is not installed.
    """
    try:
        import datasets
        from lm_eval.evaluator import evaluate
    except ImportError as error:
        raise MissingExtra("lm_eval", extra="evaluation") from error

    with tempfile.TemporaryDirectory(prefix="sulan-tasks-") as cache, _quiet(datasets):
        manager, found = _manager(tasks, cache=Path(cache))
        loaded = _load(manager, _names(manager, names or found, where=tasks), shots=shots, seed=seed)
        results = evaluate(
            lm=_bridge(language_model, seed=seed, tokens_per_batch=tokens_per_batch),
            task_dict=loaded,
            limit=limit,
            bootstrap_iters=BOOTSTRAP,
        )
    if results is None:
        raise BackendError("lm-eval gave no results in this process of several")
    samples = results.get("samples") or {}
    of_tasks = [_result(name, results, samples.get(name, ())) for name in sorted(loaded["tasks"])]
    return (*of_tasks, *(_result(name, results, ()) for name in sorted(results.get("groups") or {})))


def _manager(tasks: Path, *, cache: Path) -> tuple["TaskManager", list[str]]:
    """Return lm-eval's index of the task files, and the names of those that were asked for."""
    from lm_eval.tasks import TaskManager

    if not tasks.exists():
        raise MissingFile(f"no tasks at {tasks}", hint="a task is a YAML file in lm-eval's format")
    folder = tasks.parent if tasks.is_file() else tasks
    asked = [tasks] if tasks.is_file() else sorted(folder.rglob("*.yaml"))
    full = {file.resolve(): _read(file) for file in asked}
    manager = TaskManager(include_path=str(folder.resolve()), include_defaults=False)
    index, names = manager.task_index, []
    for name, entry in list(index.items()):
        if entry.yaml_path is None:  # a tag
            continue
        file = entry.yaml_path.resolve()
        if file in full:
            names.append(name)
        if "group" not in (entry.cfg or {}):
            # A neighbour of the one file that was asked for may be a member of its group.
            config = _localised(full.get(file) or _read(file), file=file, cache=cache)
            index[name] = replace(entry, yaml_path=None, cfg=config)
    if not names:
        raise MissingFile(f"no task in {tasks}: no YAML file in it has the key `task`")
    if tasks.is_dir():
        names = [name for name in names if name in manager.all_subtasks]
    return manager, names


def _read(file: Path) -> dict[str, Any]:
    """Return a task file's content; lm-eval's index leaves broken files out without a word."""
    from lm_eval.tasks._yaml_loader import load_yaml
    from yaml import YAMLError

    try:
        return load_yaml(file)
    except FileNotFoundError as error:
        raise MissingFile(f"{file} names {error.filename}, which is not there") from error
    except (YAMLError, ValueError, TypeError, AttributeError, ImportError, OSError) as error:
        raise InputError(f"{file} is not a task file: {_line(error)}") from error


def _localised(config: Mapping[str, Any], *, file: Path, cache: Path) -> dict[str, Any]:
    """Return a task's configuration with its data files found; they are converted under `cache`."""
    given = config.get("dataset_kwargs") or {}
    if config.get("dataset_path") not in _LOCAL or "data_files" not in given:
        return dict(config)

    def found(value: Any) -> Any:
        if isinstance(value, dict):
            return {split: found(each) for split, each in value.items()}
        if isinstance(value, list):
            return [found(each) for each in value]
        for place in (file.parent / str(value), Path(str(value))):
            if place.exists():
                return str(place.resolve())
        raise MissingFile(f"{file} needs {value}, which is neither beside it nor in this folder")

    data = {**given, "data_files": found(given["data_files"]), "cache_dir": str(cache)}
    return {**config, "dataset_kwargs": data}


def _names(manager: "TaskManager", names: Sequence[str], *, where: Path) -> list[str]:
    known = manager.all_tasks
    for name in names:
        if name not in known:
            raise InputError(f"no task {name!r} in {where}", hint="tasks: " + ", ".join(known))
    return list(names)


def _load(manager: "TaskManager", names: list[str], *, shots: int | None, seed: int) -> "TaskDict":
    """Load tasks with their data, and ask each for its first question: what is wrong with a file shows here."""
    from datasets.exceptions import DatasetGenerationError, DatasetNotFoundError
    from jinja2 import TemplateError

    where = "task " + ", ".join(names)
    try:
        loaded = manager.load(names)
        for name, task in loaded["tasks"].items():
            where = f"task {name}"
            if getattr(task, "UNSAFE_CODE", False) or getattr(task, "MULTIMODAL", False):
                raise InputError(f"{where} runs what the model writes or shows images; neither is done here")
            default = task.get_config("num_fewshot")
            if default is None or (shots is not None and default != 0):
                task.set_config(key="num_fewshot", value=shots or 0)
            task.build_all_requests(limit=1)
            # That question drew examples; the run begins where the seed says.
            task.set_fewshot_seed(seed=seed)
    except SulanError:
        raise
    except (DatasetNotFoundError, ConnectionError) as error:
        raise BackendError(f"{where}: the data set cannot be reached: {_line(error)}") from error
    except DatasetGenerationError as error:
        reason = _line(error.__cause__ or error)
        raise InputError(f"{where}: a data file cannot be read: {reason}") from error
    except (
        *(TemplateError, KeyError, ValueError, TypeError, AttributeError, IndexError, AssertionError),
        *(NotImplementedError, OSError),
    ) as error:
        raise InputError(f"{where} cannot be run: {type(error).__name__}: {_line(error)}") from error
    return loaded


@contextmanager
def _quiet(datasets: Any) -> Iterator[None]:
    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _result(name: str, results: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> TaskResult:
    metrics: dict[str, float] = {}
    errors: dict[str, float] = {}
    of_group = (results.get("groups") or {}).get(name, {})
    for key, value in (results["results"].get(name) or of_group).items():
        metric, comma, filter_name = key.partition(",")
        if not comma or not isinstance(value, int | float):
            continue
        target = errors if metric.endswith("_stderr") else metrics
        metric = metric.removesuffix("_stderr")
        target[metric if filter_name == "none" else f"{metric},{filter_name}"] = float(value)
    shots = results["n-shot"].get(name) or 0
    return TaskResult(task=name, metrics=metrics, errors=errors, shots=shots, items=tuple(items))


def _bridge(language_model: LanguageModel, *, seed: int, tokens_per_batch: int) -> "LM":
    """Return the model behind lm-eval's interface; the class exists once lm-eval is imported."""
    from lm_eval.api.model import LM

    class Bridge(LM):
        def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
            found = choices.loglikelihoods(
                language_model, [each.args for each in requests], tokens_per_batch=tokens_per_batch
            )
            return [(each.loglikelihood, each.greedy) for each in found]

        def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
            texts = (each.args[0] for each in requests)
            found = perplexity(language_model, texts, tokens_per_batch=tokens_per_batch)
            return (-found.document_nll).tolist()

        def generate_until(self, requests: Sequence[Any]) -> list[str]:
            groups: dict[str, list[int]] = {}
            for place, each in enumerate(requests):
                groups.setdefault(repr(sorted(each.args[1].items())), []).append(place)
            texts = [""] * len(requests)
            for places in groups.values():
                made = generation.generate(
                    language_model,
                    {str(place): requests[place].args[0] for place in places},
                    **_arguments(requests[places[0]].args[1], language_model, seed=seed),
                )
                for place, each in zip(places, made, strict=True):
                    texts[place] = each.text
            return texts

    return Bridge()


def _arguments(given: Mapping[str, Any], language_model: LanguageModel, *, seed: int) -> dict[str, Any]:
    """Return lm-eval's generation arguments as ours."""
    from lm_eval.models.utils import normalize_gen_kwargs

    wanted: dict[str, Any] = dict(normalize_gen_kwargs(dict(given), default_max_gen_toks=MAX_TOKENS))
    sampled = wanted.get("do_sample", False)
    sampling = Sampling(
        temperature=float(wanted.get("temperature") or 1.0) if sampled else 0.0,
        top_p=float(wanted.get("top_p") or 1.0),
        top_k=int(wanted.get("top_k") or 0),
        seed=seed,
    )
    stop = [each for each in wanted.get("until", []) if each]
    longest = min(int(wanted["max_gen_toks"]), language_model.context - 1)
    return {"max_tokens": longest, "stop": stop, "sampling": sampling}


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
