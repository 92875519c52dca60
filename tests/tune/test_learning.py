"""Tuning: the answer alone is learnt, the adapter alone changes, and the same seed makes the same bytes."""

from pathlib import Path

import numpy as np
import peft
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import sulan
from sulan.errors import InputError
from sulan.runs import fingerprints
from sulan.training import checkpoint
from sulan.training.checkpoint import Checkpoint
from sulan.tune import fiat as stored
from sulan.tune import fitting, labels, learning, students
from sulan.tune import task as tasks
from sulan.tune.learning import Row
from sulan.tune.settings import Adapter, Learning
from tune.small_tasks import model, task

SHORT = Learning(epochs=3, batch=4, dtype="float32")
pytestmark = pytest.mark.xdist_group("tune")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task, a model, and rationales of another model."""
    folder = tmp_path_factory.mktemp("tune")
    task(folder / "task")
    model(folder / "model")
    model(folder / "teacher", seed=1)
    sulan.tune.reason(
        folder / "task",
        teacher=str(folder / "teacher"),
        out=folder / "rationales",
        teaching=sulan.tune.settings.Teaching(max_tokens=4, exemplars=1),
    )
    return folder


def fitted(made: Path, out: Path, **changes: object) -> Path:
    arguments = {
        "student": str(made / "model"),
        "rationales": made / "rationales",
        "adapter": Adapter(top=2, rank=2),
        "learning": SHORT,
        **changes,
    }
    sulan.tune.fit(made / "task", out=out, **arguments)  # type: ignore[arg-type]
    return out


def example(size: int, answer: int) -> Row:
    draw = np.random.default_rng(size)
    return Row(
        id=str(size),
        prompt=draw.integers(0, 290, size),
        bare=draw.integers(0, 290, 3),
        answer=np.array([answer, 0]),
    )


@pytest.mark.parametrize("top", [1, 2, None])
def test_the_loss_is_that_of_the_answer_in_plain_transformers(made, top):
    student = students.prepare(
        str(made / "model"), kind="lora", adapter=Adapter(top=top, rank=2), dtype="float32", seed=0
    )
    assert student.halves.cut == (0 if top is None else 3 - top)
    for parameter in student.tuned.values():  # B is zero at first
        parameter.data.normal_(generator=torch.Generator().manual_seed(0))
    examples = [example(7, 12), example(40, 13)]
    found = learning.loss(student.halves, examples)
    plain = []
    for row in examples:
        tokens = torch.from_numpy(np.concatenate([row.prompt, row.answer]))[None]
        logits = student.model(tokens).logits[0].detach().log_softmax(-1)
        plain.append(
            -sum(float(logits[len(row.prompt) - 1 + n, token]) for n, token in enumerate(row.answer))
        )
    assert found == pytest.approx(np.mean(plain), abs=1e-4)


def test_no_gradient_comes_from_predicting_the_prompt(made):
    # What is learnt at one place only: with the answer's loss taken out nothing is left.
    student = students.prepare(
        str(made / "model"), kind="lora", adapter=Adapter(top=None, rank=2), dtype="float32", seed=0
    )
    row = example(9, 12)
    text = np.concatenate([row.prompt, row.answer[:-1]])
    logits = student.halves.above([text], [np.arange(len(text))])
    logits.retain_grad()
    targets = torch.from_numpy(row.answer)
    torch.nn.functional.cross_entropy(logits[-2:], targets).backward()
    assert logits.grad is not None
    assert (logits.grad[:-2] == 0).all()
    only = learning._losses(student.halves, [text], [row.answer])
    assert float(only.detach()) == pytest.approx(
        2 * float(torch.nn.functional.cross_entropy(logits[-2:].detach(), targets)), abs=1e-5
    )


def test_only_the_adapter_changes_and_seeds_decide_its_bytes(made, tmp_path):
    before = fingerprints.path(made / "model")
    one, two, three = (
        fitted(made, tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert fingerprints.path(one) == fingerprints.path(two)
    assert (one / "adapter_model.safetensors").read_bytes() != (
        three / "adapter_model.safetensors"
    ).read_bytes()
    assert fingerprints.path(made / "model") == before
    names = load_file(one / "adapter_model.safetensors")
    assert names
    assert all("lora_" in name and ".layers.0." not in name for name in names)


def test_a_run_that_was_killed_between_epochs_goes_on_to_the_same_weights(made, tmp_path):
    read = tasks.read(made / "task")

    def run(work: Path, *, stop: bool) -> dict[str, torch.Tensor]:
        student = students.prepare(
            str(made / "model"), kind="lora", adapter=Adapter(top=2, rank=2), dtype="float32", seed=0
        )
        rows, _ = students.rows(student, read, read.split("train"), rationales=None, instructions=True)
        dev, _ = students.rows(student, read, read.split("dev"), rationales=None, instructions=True)
        runner = learning._Run(student.halves, student.tuned, rows, dev, learning=SHORT, seed=0)
        if stop:
            runner.epoch(0)
            left = Checkpoint(step=1, skipped=0, about={}, state=runner.state())
            checkpoint.save(left, work, keep=1)
            return {}
        learning.learn(
            student.halves, student.tuned, rows, dev, learning=SHORT, seed=0, folder=work, about={}
        )
        return {name: each.detach().clone() for name, each in student.tuned.items()}

    straight = run(tmp_path / "straight", stop=False)
    run(tmp_path / "killed", stop=True)
    resumed = run(tmp_path / "killed", stop=False)
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_a_plain_script_with_peft_has_the_same_probabilities(made, tmp_path):
    folder = fitted(made, tmp_path / "tuned")
    fiat = stored.read(folder)
    student = students.load(folder, fiat, base=None, dtype="float32")
    read = tasks.read(made / "task")
    test = read.split("test")
    ours = fitting.probabilities(student, read, test, given={}, instructions=True)
    plain = peft.PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(made / "model", dtype=torch.float32), str(folder)
    ).eval()
    prompts = students.prompt_tokens(
        student, read, [each.input for each in test], [""] * len(test), instructions=True
    )
    answers = students.answer_tokens(student.base, read.labels)
    for (prompt, _), row in zip(prompts, ours, strict=True):
        logs = np.zeros(len(answers))
        for beginning, following in labels.branches(answers):
            tokens = torch.from_numpy(np.concatenate([prompt, np.asarray(beginning, dtype=np.int64)]))[None]
            with torch.no_grad():
                last = plain(input_ids=tokens).logits[0, -1].double()
            chances = last[list(following)].log_softmax(0).tolist()
            for members, chance in zip(following.values(), chances, strict=True):
                logs[members] += chance
        assert np.exp(logs) == pytest.approx(row, abs=1e-5)
        assert row.sum() == pytest.approx(1)
    out = sulan.tune.export(folder, out=tmp_path / "merged")
    difference = out.summary["largest difference of a probability"]
    assert isinstance(difference, float)
    assert difference <= 1e-5


def test_an_empty_rationale_is_fine_tuning_with_instructions(made):
    student = students.prepare(
        str(made / "model"), kind="lora", adapter=Adapter(top=1), dtype="float32", seed=0
    )
    read = tasks.read(made / "task")
    bare, _ = students.rows(student, read, read.split("train"), rationales=None, instructions=True)
    empty, _ = students.rows(
        student,
        read,
        read.split("train"),
        rationales={each.id: "" for each in read.examples},
        instructions=True,
    )
    assert [row.prompt.tolist() for row in bare] == [row.prompt.tolist() for row in empty]


def test_a_rationale_that_is_too_long_is_cut_and_the_question_is_not(made, tmp_path):
    short = model(tmp_path / "short", context=160)
    student = students.prepare(str(short), kind="lora", adapter=Adapter(top=1), dtype="float32", seed=0)
    read = tasks.read(made / "task")
    ((prompt, cut),) = students.prompt_tokens(
        student, read, ["a question"], ["blah " * 500], instructions=False
    )
    text = str(student.base.tokenizer.decode(prompt))
    assert cut
    assert len(prompt) <= 160
    assert "a question" in text
    assert text.endswith("\nSection:")


def test_full_tuning_is_a_checkpoint(made, tmp_path):
    folder = fitted(made, tmp_path / "full", peft="full", rationales=None)
    assert AutoModelForCausalLM.from_pretrained(folder).config.num_hidden_layers == 3
    before, after = (load_file(each / "model.safetensors") for each in (made / "model", folder))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert not any(".layers.0." in name for name in changed)


def test_answers_come_with_probabilities_and_another_model_is_refused(made, tmp_path):
    folder = fitted(made, tmp_path / "tuned")
    report = sulan.tune.predict(folder, data=made / "task" / "examples.jsonl", out=tmp_path / "answers")
    assert report.summary["inputs"] == 30
    assert report.summary["ledger: calls"] == 0  # reasoned about before
    with pytest.raises(InputError, match="not the frozen model"):
        sulan.tune.predict(
            folder, data=made / "task/examples.jsonl", teacher=str(made / "model"), out=tmp_path / "other"
        )
    with pytest.raises(InputError, match="not the model that the adapter"):
        sulan.tune.predict(
            folder, data=made / "task/examples.jsonl", student=str(made / "teacher"), out=tmp_path / "other"
        )
    assert not (tmp_path / "other").exists()
