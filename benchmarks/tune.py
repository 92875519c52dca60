"""Tuning an adapter beside trl + peft, and asking the frozen model beside transformers' generate, in one run.

The task is Debian's package descriptions (`sulan tune fetch`, or a folder that it made); rationales are Gemma's own.
Both tune SmolLM2 with the same adapter (rank, layers, first weights), examples, order, steps, schedule and loss, and
take turns. What ours computes once (what lies below the adapted layers) is in its time. Times are CPU seconds of this
process on one thread.

    python benchmarks/tune.py [TASK] [--epochs N] [--rounds N] [--out FOLDER]
"""

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import torch
import trl
from transformers import PrinterCallback

from sulan import tune
from sulan.runs import outputs, seeds
from sulan.runs.record import Run, record
from sulan.tune import learning, rationales, students
from sulan.tune import task as tasks
from sulan.tune.local import Local
from sulan.tune.settings import Adapter, Learning, Teaching
from sulan.tune.students import Student
from sulan.tune.task import Task

ROOT = Path(__file__).parents[1]
TOP = 10
"""Adapted layers of SmolLM2's thirty."""

QUESTIONS = 16
"""Inputs that the frozen model is asked about; the loop reads the exemplars again for each."""

NO_CLIP = 1e9
"""The losses differ by a factor (mean over an answer's tokens, or sum), which clipping would see and AdamW does not."""


def show(name: str, value: float, unit: str, note: str = "") -> None:
    print(f"{name:<44} {value:>10.4g} {unit:<14} {note}", flush=True)


def prepare(kind: Any) -> Student:
    return students.prepare("smollm2", kind="lora", adapter=Adapter(top=TOP), dtype=kind, seed=0)


def ours(student: Student, rows: Sequence[learning.Row], knobs: Learning, folder: Path) -> None:
    learning.learn(
        student.halves, student.tuned, rows, [], learning=knobs, seed=0, folder=folder / "ours", about={}
    )


def peer(student: Student, rows: Sequence[learning.Row], knobs: Learning, folder: Path) -> None:
    """The same rows in the same order through trl's SFTTrainer."""
    order = [
        int(place)
        for epoch in range(knobs.epochs)
        for place in seeds.generator(0, f"tune epoch {epoch}").permutation(len(rows))
    ]
    data = datasets.Dataset.from_list(
        [
            {
                "input_ids": [*rows[at].prompt.tolist(), *rows[at].answer.tolist()],
                "completion_mask": [0] * len(rows[at].prompt) + [1] * len(rows[at].answer),
            }
            for at in order
        ]
    )
    arguments = trl.SFTConfig(
        output_dir=str(folder / "trl"),
        num_train_epochs=1,
        per_device_train_batch_size=knobs.batch,
        learning_rate=knobs.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=0,
        weight_decay=0.0,
        max_grad_norm=NO_CLIP,
        optim="adamw_torch_fused",
        bf16=False,  # the weights are in it already where that is wanted; no autocast on top
        gradient_checkpointing=False,
        completion_only_loss=True,
        max_length=None,
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        train_sampling_strategy="sequential",
    )
    trainer = trl.SFTTrainer(
        model=student.wrapped,  # type: ignore[arg-type]
        args=arguments,
        train_dataset=data,
        processing_class=student.base.tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def measure_training(task: Task, given: dict[str, str], run: Run, *, epochs: int, rounds: int) -> None:
    knobs = Learning(epochs=epochs, clip=NO_CLIP, rationale_dropout=0.0)
    for kind in ("float32", "bfloat16"):
        took: dict[str, list[float]] = {"ours": [], "trl": []}
        losses: dict[str, float] = {}
        tokens = 0
        for turn in range(rounds):
            for way in ("ours", "trl") if turn % 2 else ("trl", "ours"):
                student = prepare(kind)
                rows, _ = students.rows(
                    student, task, task.split("train"), rationales=given, instructions=True
                )
                dev, _ = students.rows(student, task, task.split("dev"), rationales=given, instructions=True)
                tokens = epochs * sum(len(row.prompt) + len(row.answer) for row in rows)
                with tempfile.TemporaryDirectory() as name:
                    began = time.process_time()
                    (ours if way == "ours" else peer)(student, rows, knobs, Path(name))
                    took[way].append(time.process_time() - began)
                student.model.eval()
                losses[way] = learning.loss(student.halves, dev)
        best = {way: min(times) for way, times in took.items()}
        ratio, apart = best["trl"] / best["ours"], abs(losses["ours"] / losses["trl"] - 1)
        scale = (
            f"SmolLM2-135M, rank 8 on the last {TOP} layers, {len(task.split('train'))} examples of {task.name}, "
            f"{tokens} tokens in {epochs} epochs, {kind}, one thread, the best of {rounds} rounds"
        )
        show(f"{kind}, ours", tokens / best["ours"], "tokens/CPU-s", f"dev loss {losses['ours']:.4f} nats")
        show(
            f"{kind}, trl + peft", tokens / best["trl"], "tokens/CPU-s", f"dev loss {losses['trl']:.4f} nats"
        )
        show(f"{kind}, ratio", ratio, "x", f"losses {apart:.2%} apart")
        run.metric(f"{kind}.tokens_per_cpu_second", round(tokens / best["ours"], 1), scale=scale)
        run.metric(f"{kind}.ratio.trl", round(ratio, 2), scale=scale)
        run.metric(f"{kind}.loss.dev", round(losses["ours"], 4), scale=f"{scale}; nats an answer, dev")
        run.metric(f"{kind}.loss.difference", round(apart, 5), scale=f"share of trl's; {scale}")


def measure_asking(task: Task, run: Run) -> None:
    teaching = Teaching()
    inputs = [each.input for each in task.split("test")[:QUESTIONS]]
    asked = rationales.questions(task, inputs, teaching)
    teacher = Local("gemma", cache=None, batch=teaching.batch)
    began = time.process_time()
    replies = [reply for reply in teacher.ask(asked, label="ours")]
    mine = time.process_time() - began
    model = teacher.language_model
    began = time.process_time()
    texts = []
    for question in asked:
        tokens = model.tokenizer(question.shared + question.text, return_tensors="pt")
        generator: Any = model.model
        made = generator.generate(
            **tokens,
            max_new_tokens=question.max_tokens,
            do_sample=False,
            tokenizer=model.tokenizer,
            stop_strings=list(question.stop),
        )
        text = str(model.tokenizer.decode(made[0, tokens["input_ids"].shape[1] :], skip_special_tokens=True))
        texts.append(text.split(question.stop[0])[0])
    loop = time.process_time() - began
    teacher.close()
    said = [rationales.clean(reply).text for reply in replies]
    same = statistics.mean(one == " ".join(other.split()) for one, other in zip(said, texts, strict=True))
    scale = (
        f"Gemma-3-270M, float32, {QUESTIONS} inputs of {task.name}, {len(task.teacher.exemplars)} exemplars"
    )
    show("asking, ours", QUESTIONS / mine, "rationales/CPU-s")
    show(
        "asking, generate in a loop",
        QUESTIONS / loop,
        "rationales/CPU-s",
        f"{same:.0%} of the texts the same",
    )
    run.metric("asking.ratio.generate", round(loop / mine, 2), scale=f"{scale}, one thread")
    run.metric("asking.same", round(same, 3), scale=scale)


def read(where: Path | None, scratch: Path) -> Task:
    if where is None:
        where = scratch / "task"
        tune.fetch(languages=("ja", "ru", "de"), out=where)
    return tasks.read(where)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("task", type=Path, nargs="?", help="what `sulan tune fetch` wrote")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "records" / "tune")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    config = {"epochs": arguments.epochs, "rounds": arguments.rounds}
    with (
        outputs.folder(arguments.out) as folder,
        record(verb="benchmark tune", folder=folder, config=config, seed=0) as run,
        tempfile.TemporaryDirectory() as name,
    ):
        task = read(arguments.task, Path(name))
        tune.reason(arguments.task or Path(name) / "task", teacher="gemma", out=Path(name) / "rationales")
        given, _ = rationales.read(Path(name) / "rationales", task)
        measure_training(task, given, run, epochs=arguments.epochs, rounds=arguments.rounds)
        measure_asking(task, run)


if __name__ == "__main__":
    sys.exit(main())
