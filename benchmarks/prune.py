"""Scoring text with a language model beside a plain transformers loop, in one run on this machine.

The corpus is the reference manual and the docstrings of the Python that runs this (1.3 MB, from two bytes to
sixty kilobytes a document), in the order of a seeded shuffle. All contenders take turns on slices of it, each
time another one first, so that other work on the machine hits all alike. Times are CPU seconds of this process
with one thread: with more, torch's threads spin while they wait for one another, and a neighbour's work would
count as ours.

The peer is the loop people write, in its best form: a document at a time without padding, `inference_mode`, the
loss from whole logits. It computes the NLL alone; ours computes NLL and EL2N.

The whole takes about an hour of CPU; `--bytes 100000` gives the ratios in a few minutes.

    python benchmarks/prune.py [--bytes N] [--out FOLDER]
"""

import argparse
import ast
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from pydoc_data import topics
from typing import Any

import numpy as np
import scipy.stats
import torch

from sulan import models
from sulan.models import LanguageModel, logprobs, tokens
from sulan.runs import outputs, seeds
from sulan.runs.record import Run, record

ROOT = Path(__file__).parents[1]
CONTEXT = 1024
"""The paper's sequences (2309.04564, section 4.1), and what makes long documents cost the same in every contender."""

SLICE = 4_096
"""Tokens that a contender scores before the next one's turn."""

Scores = list[np.ndarray]


def corpus(size: int) -> list[str]:
    """Whole documents of at least `size` bytes together, or all there are."""
    found = [topics.topics[name] for name in sorted(topics.topics)]
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found.append(ast.get_docstring(node) or "")
    documents = [text for text in found if text]
    chosen: list[str] = []
    for at in seeds.generator(0, "benchmark prune").permutation(len(documents)):
        if sum(len(text.encode()) for text in chosen) >= size:
            break
        chosen.append(documents[at])
    return chosen


def ours(model: LanguageModel) -> Callable[[Scores], Scores]:
    return lambda documents: [s.nll for s in logprobs.score(model, documents, context=CONTEXT, el2n=True)]


def peer(language_model: LanguageModel) -> Callable[[Scores], Scores]:
    model, first = language_model.model, tokens.first_context(language_model.tokenizer)
    assert first is not None

    @torch.inference_mode()
    def loop(documents: Scores) -> Scores:
        found = []
        for document in documents:
            parts = []
            for inputs, targets in logprobs.windows(document, first=first, context=CONTEXT):
                logits = model(torch.from_numpy(inputs.astype(np.int64))[None], use_cache=False).logits[0]
                wanted = torch.from_numpy(targets.astype(np.int64))
                loss = torch.nn.functional.cross_entropy(
                    logits[-len(wanted) :].float(), wanted, reduction="none"
                )
                parts.append(loss.numpy())
            found.append(np.concatenate(parts))
        return found

    return loop


def slices(documents: Scores) -> list[Scores]:
    cut: list[Scores] = [[]]
    for document in documents:
        if sum(map(len, cut[-1])) >= SLICE:
            cut.append([])
        cut[-1].append(document)
    return cut


def show(name: str, value: float, unit: str, note: str = "") -> None:
    print(f"{name:<44} {value:>10.4g} {unit:<16} {note}", flush=True)


def measure_speed(documents: Scores, size: int, run: Run) -> None:
    kinds = {name: models.load("smollm2", dtype=name) for name in ("float32", "bfloat16")}
    contenders = {f"ours {name}": ours(model) for name, model in kinds.items()}
    contenders |= {f"loop {name}": peer(model) for name, model in kinds.items()}
    for score in contenders.values():
        score(documents[:3])  # what is done once: finding the way through the model, memory, threads
    seconds = dict.fromkeys(contenders, 0.0)
    wall = dict.fromkeys(contenders, 0.0)
    scores: dict[str, Scores] = {name: [] for name in contenders}
    order = list(contenders)
    for turn, part in enumerate(slices(documents)):
        for name in order[turn % 4 :] + order[: turn % 4]:
            began, start = time.perf_counter(), time.process_time()
            scores[name] += contenders[name](part)
            seconds[name] += time.process_time() - start
            wall[name] += time.perf_counter() - began
        print(f"{turn + 1}:", {name: round(value) for name, value in seconds.items()}, file=sys.stderr)
    count = sum(map(len, documents))
    scale = f"SmolLM2-135M, {len(documents)} documents, {count} tokens, {size} bytes, context {CONTEXT}, one thread"
    for name in contenders:
        show(name, count / seconds[name], "tokens/CPU-s", f"{count / wall[name]:.0f} tokens/s wall")
        run.metric(f"score.tokens.{name.replace(' ', '.')}", round(count / seconds[name], 1), scale=scale)
    for kind in kinds:
        for other in kinds:
            ratio = seconds[f"loop {other}"] / seconds[f"ours {kind}"]
            show(f"ours {kind} / loop {other}", ratio, "x")
            run.metric(f"score.ratio.{kind}.loop.{other}", round(ratio, 2), scale=scale)
    measure_agreement(scores, scale, run)


def measure_agreement(scores: dict[str, Scores], scale: str, run: Run) -> None:
    flat = {name: np.concatenate(found) for name, found in scores.items()}
    mean = {name: np.array([nll.mean() for nll in found]) for name, found in scores.items()}
    reference = "loop float32"
    for name in flat:
        if name == reference:
            continue
        token = np.abs(flat[name] - flat[reference]).max()
        document = np.abs(mean[name] - mean[reference]).max()
        rank = scipy.stats.spearmanr(mean[name], mean[reference]).statistic
        show(f"{name}: largest NLL difference", token, "nats, a token", f"{document:.2g} a document's mean")
        show(f"{name}: Spearman of document means", rank, "", f"{len(mean[name])} documents")
        key = name.replace(" ", ".")
        run.metric(f"score.difference.token.{key}", float(f"{token:.3g}"), scale=scale)
        run.metric(f"score.difference.document.{key}", float(f"{document:.3g}"), scale=scale)
        run.metric(f"score.spearman.{key}", round(float(rank), 6), scale=scale)


def measure_memory(run: Run) -> None:
    """Peak memory of processes that do nothing but score, one corpus ten times the other."""
    peaks = {}
    for size in (10_000, 100_000):
        command = [sys.executable, __file__, "--memory", str(size)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[size] = float(done.stdout.split()[-1])
        show(f"peak memory, {size} bytes of text", peaks[size], "MB")
        run.metric(
            f"score.memory.{size}", peaks[size], scale=f"MB, {size} bytes of text, bfloat16, one process"
        )


def score_only(size: int) -> None:
    model = models.load("smollm2", dtype="bfloat16")
    texts = corpus(size)
    for _ in logprobs.score(model, tokens.encode(model.tokenizer, texts), context=CONTEXT, el2n=True):
        pass
    # Not ru_maxrss: a process starts with what its parent had when it was forked.
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(round(int(peak) / 2**10))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bytes", type=int, default=1_100_000, help="text to score, at least")
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "records" / "prune")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory:
        score_only(arguments.memory)
        return
    texts = corpus(arguments.bytes)
    size = sum(len(text.encode()) for text in texts)
    config: dict[str, Any] = {"bytes": arguments.bytes, "python": sys.version.split()[0]}
    with (
        outputs.folder(arguments.out) as folder,
        record(verb="benchmark prune", folder=folder, config=config, seed=0) as run,
    ):
        tokenizer = models.load("smollm2").tokenizer
        measure_speed(list(tokens.encode(tokenizer, texts)), size, run)
        measure_memory(run)


if __name__ == "__main__":
    main()
