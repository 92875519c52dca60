"""lm-eval's local tasks run offline through our scorer, and give what lm-eval's own model gives."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import pytest
import yaml

from evaluation.small_models import CONTEXT, MODELS, TOKENIZER
from sulan.errors import InputError, MissingFile
from sulan.evaluation import choices, harness, significance
from sulan.evaluation.choices import Item

pytest.importorskip("lm_eval")

WORDS = ("cat", "a quick dog", "mat", "速览")
ROWS = [
    {"gloss": f"thing {place} that sat", "words": list(WORDS[: 2 + place % 3]), "answer": place % 2}
    for place in range(12)
]
TASKS: dict[str, dict[str, Any]] = {
    "gloss": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{gloss}} is the meaning of",
        "doc_to_choice": "{{words}}",
        "doc_to_target": "{{answer}}",
        "metric_list": [{"metric": f"acc{end}"} for end in ("", "_norm", "_bytes", "_mutual_info")],
    },
    "texts": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{gloss * 20}}",
        "metric_list": [{"metric": "word_perplexity"}, {"metric": "bits_per_byte"}],
    },
    "written": {
        "output_type": "generate_until",
        "fewshot_split": "test",
        "num_fewshot": 1,
        "doc_to_text": "{{gloss}} is",
        "doc_to_target": "{{words[0]}}",
        "generation_kwargs": {"until": ["\n", "a"], "max_gen_toks": 8},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    },
}


def task(name: str, changed: Mapping[str, Any] | None = None) -> str:
    data = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": "rows.jsonl"}}}
    return yaml.safe_dump({"task": name, **data, "test_split": "test", **TASKS[name], **(changed or {})})


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    for name in TASKS:
        (folder / f"{name}.yaml").write_text(task(name))
    return folder


def by_lm_eval(folder: Path, name: str) -> Mapping[str, Any]:
    """The same tasks by lm-eval's own wrapper of transformers."""
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    files = {"data_files": {"test": str(folder / "rows.jsonl")}, "cache_dir": str(folder.parent / "cache")}
    for each in TASKS:
        (folder / f"{each}.yaml").write_text(task(each, {"dataset_kwargs": files}))
    loaded = TaskManager(include_path=str(folder), include_defaults=False).load(list(TASKS))
    for each in loaded["tasks"].values():
        each.set_config(key="num_fewshot", value=each.get_config("num_fewshot") or 0)
        each.set_fewshot_seed(seed=0)
    # Its cache takes windows of periodic text, alike in their tokens but not in their cut, for one another.
    peer = HFLM(
        pretrained=MODELS[name].model,
        tokenizer=TOKENIZER,
        batch_size=4,
        max_length=CONTEXT,
        device="cpu",
        logits_cache=False,
    )
    return evaluate(lm=peer, task_dict=loaded, bootstrap_iters=0)


def asked(item: Mapping[str, Any]) -> list[str]:
    """The prompts of an item, few-shot examples included."""
    return [arguments[0] for arguments in item["arguments"]]


@pytest.mark.parametrize("name", ["llama", "phi"])
def test_same_numbers_as_lm_evals_own_model(tasks: Path, name: str) -> None:
    results = {each.task: each for each in harness.run(MODELS[name], tasks)}
    assert list(results) == ["gloss", "texts", "written"]
    peer = by_lm_eval(tasks, name)
    for task_name, result in results.items():
        assert len(result.items) == len(ROWS)
        for metric, value in result.metrics.items():
            assert value == pytest.approx(peer["results"][task_name][f"{metric},none"], rel=1e-4)
        for mine, theirs in zip(result.items, peer["samples"][task_name], strict=True):
            assert mine["doc"] == theirs["doc"]
            if task_name == "written":
                # The same examples, by the same seed.
                assert mine["arguments"][0][0] == theirs["arguments"][0][0]
                assert mine["resps"] == theirs["resps"]
            else:
                assert numpy.ravel(mine["filtered_resps"]).astype(float) == pytest.approx(
                    numpy.ravel(theirs["filtered_resps"]).astype(float), rel=1e-4, abs=1e-4
                )


def test_our_choices_are_lm_evals(tasks: Path) -> None:
    (result,) = harness.run(MODELS["opt"], tasks / "gloss.yaml")
    items = [
        Item(
            id=str(place),
            context=f"{row['gloss']} is the meaning of",
            choices=tuple(row["words"]),
            answer=row["answer"],
        )
        for place, row in enumerate(ROWS)
    ]
    chosen = choices.choose(MODELS["opt"], items, unconditional="")
    for each, logged in zip(chosen, result.items, strict=True):
        log_likelihoods = [float(value) for value, _ in logged["filtered_resps"]][: len(each.scores["sum"])]
        assert each.scores["sum"] == pytest.approx(log_likelihoods, abs=1e-4)
    for rule, metric in (("sum", "acc"), ("byte", "acc_bytes"), ("unconditional", "acc_mutual_info")):
        right = choices.accuracy(chosen, rule)
        assert right.tolist() == result.values(metric).tolist()
        assert right.mean() == result.metrics[metric]
    spread = numpy.std(result.values("acc"), ddof=1) / len(ROWS) ** 0.5
    assert result.errors["acc"] == pytest.approx(spread)
    assert significance.bootstrap(result.values("acc")).value == result.metrics["acc"]


def test_names_groups_shots_and_limits(tasks: Path) -> None:
    (tasks / "group.yaml").write_text(
        "group: both\ntask: [gloss, written]\naggregate_metric_list: [{metric: acc, weight_by_size: false}]\n"
    )
    model = MODELS["llama"]
    both = harness.run(model, tasks, names=["both"], limit=3, shots=2)
    assert [(each.task, each.shots, len(each.items)) for each in both] == [
        ("gloss", 2, 3),
        ("written", 2, 3),
        ("both", 2, 0),
    ]
    assert both[0].metrics["acc"] == both[2].metrics["acc"]
    assert harness.run(model, tasks / "group.yaml", limit=3, shots=2)[0].metrics == both[0].metrics
    (one,) = harness.run(model, tasks, names=["gloss"], limit=1)
    assert one.shots == 0
    with pytest.raises(InputError, match="no number for 'bits_per_byte'"):
        one.values("bits_per_byte")


def test_sampled_answers_depend_on_the_seed_alone(tasks: Path) -> None:
    drawn = {"do_sample": True, "temperature": 1.0, "max_gen_toks": 8, "until": []}
    (tasks / "written.yaml").write_text(task("written", {"generation_kwargs": drawn}))

    def texts(seed: int) -> list[Any]:
        (found,) = harness.run(MODELS["llama"], tasks, names=["written"], seed=seed)
        return [item["resps"] for item in found.items]

    assert texts(1) == texts(1) != texts(2)


def spoilt(folder: Path, kind: str) -> None:
    if kind == "yaml":
        (folder / "gloss.yaml").write_text("task: [unclosed")
    elif kind == "no mapping":
        (folder / "gloss.yaml").write_text("- a list\n")
    elif kind == "include":
        (folder / "gloss.yaml").write_text(task("gloss") + "include: nowhere.yaml\n")
    elif kind == "column":
        (folder / "gloss.yaml").write_text(task("gloss", {"doc_to_choice": "{{no_such_column.x}}"}))
    elif kind == "template":
        (folder / "gloss.yaml").write_text(task("gloss", {"doc_to_text": "{{gloss"}))
    elif kind == "metric":
        (folder / "gloss.yaml").write_text(task("gloss", {"metric_list": [{"metric": "no_such"}]}))
    elif kind == "split":
        (folder / "gloss.yaml").write_text(task("gloss", {"test_split": "absent"}))
    elif kind == "unsafe":
        (folder / "gloss.yaml").write_text(task("gloss", {"unsafe_code": True}))
    elif kind == "rows":
        (folder / "rows.jsonl").write_text('{"gloss": "a"\n')
    elif kind == "no rows":
        (folder / "rows.jsonl").unlink()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("yaml", "gloss.yaml is not a task file"),
        ("no mapping", "gloss.yaml is not a task file"),
        ("include", "nowhere.yaml"),
        ("column", "task gloss"),
        ("template", "task gloss"),
        ("metric", "task gloss"),
        ("split", "task gloss"),
        ("unsafe", "task gloss"),
        ("rows", "cannot be read"),
        ("no rows", "rows.jsonl, which is neither"),
    ],
)
def test_broken_tasks_cost_one_line(tasks: Path, kind: str, said: str) -> None:
    spoilt(tasks, kind)
    with pytest.raises((InputError, MissingFile), match=said) as caught:
        harness.run(MODELS["llama"], tasks, names=["gloss"])
    assert "\n" not in str(caught.value)


def test_absent_tasks_cost_one_line(tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no task 'glos'") as caught:
        harness.run(MODELS["llama"], tasks, names=["glos"])
    assert "gloss" in caught.value.hint
    for place in (tmp_path / "nowhere", tmp_path):
        (tmp_path / "only.txt").touch()
        if place == tmp_path:
            for file in tasks.iterdir():
                file.unlink()
        with pytest.raises(MissingFile):
            harness.run(MODELS["llama"], place)


def test_lm_eval_comes_in_when_it_is_needed_and_is_named_when_absent(tasks: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from evaluation.small_models import MODELS\n"
        "from sulan.evaluation import harness\n"
        "from sulan.errors import MissingExtra\n"
        "assert not {'lm_eval', 'datasets'} & set(sys.modules)\n"
        "sys.modules['lm_eval'] = None\n"
        "try: harness.run(MODELS['llama'], Path(sys.argv[1]))\n"
        "except MissingExtra as error: print(error, error.hint)"
    )
    paths = os.pathsep.join(str(Path(__file__).parents[2] / name) for name in ("src", "tests"))
    done = subprocess.run(
        [sys.executable, "-c", code, str(tasks)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.stdout == 'lm_eval is not installed pip install -c constraints.txt -e ".[evaluation]"\n'


def test_a_data_set_of_the_hub_that_is_not_here_is_named(
    tasks: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    import datasets.config
    import huggingface_hub.constants

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    (tasks / "gloss.yaml").write_text(task("gloss", {"dataset_path": "nobody/nothing", "dataset_kwargs": {}}))
    from sulan.errors import BackendError

    with pytest.raises(BackendError, match="task gloss: the data set cannot be reached"):
        harness.run(MODELS["llama"], tasks, names=["gloss"])
