"""The neurons room beside its peers, in one run on this machine; `make bench` keeps what it finds.

On a model of OPT-125m's shape with random weights, whose biases let one neuron in twenty be active as in trained
ones, over words as common as Zipf's law has them: the bare body's forward pass; the same with our counters; nnsight
saving what goes into every second matrix; TransformerLens's bridge with a cache. All take turns, so that other work
on the machine hits all alike. Times are CPU seconds of this process with one thread. Memory is the peak of the
processes of whole scans over 16 and 160 thousand tokens.

    python benchmarks/neurons.py [--rounds N] [--out FOLDER]
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT / "tests")  # in place of this folder, whose file names would hide packages

import numpy as np  # noqa: E402
import psutil  # noqa: E402
import torch  # noqa: E402
from transformers import OPTConfig, OPTForCausalLM, PreTrainedModel  # noqa: E402

from neurons.counting import meta_of  # noqa: E402
from sulan import models  # noqa: E402
from sulan.models import tiny  # noqa: E402
from sulan.neurons import collection, counters, reduction, sequences  # noqa: E402
from sulan.neurons.rules import Rule  # noqa: E402
from sulan.neurons.sequences import Sequences  # noqa: E402
from sulan.runs import outputs, seeds  # noqa: E402
from sulan.runs.record import Run, record  # noqa: E402

VOCABULARY, LAYERS, WIDTH, NEURONS, HEADS = 50272, 12, 768, 3072, 12
CONTEXT, BATCH = 256, 4
ACTIVE = 0.05
"""Share of neurons active at a token."""

LARGE, SMALL = 163_840, 16_384
RULE = Rule(name="nonzero")


def opt_125m() -> PreTrainedModel:
    """OPT-125m's shape, random weights, biases that let `ACTIVE` of the neurons through."""
    config = OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        word_embed_proj_dim=WIDTH,
        ffn_dim=NEURONS,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=None,
    )
    torch.manual_seed(0)
    model = OPTForCausalLM(config).eval().requires_grad_(False)
    spread = config.init_std * WIDTH**0.5  # of a pre-activation: its input is normalised
    for layer in model.model.decoder.layers:
        layer.fc1.bias.fill_(spread * statistics.NormalDist().inv_cdf(ACTIVE))
    return model


def text(windows: int) -> Sequences:
    drawn = seeds.generator(0, "zipf")
    documents = [np.minimum(drawn.zipf(1.1, CONTEXT - 1), VOCABULARY - 1) for _ in range(windows)]
    return sequences.cut(documents, context=CONTEXT, bos=0)


def cpu(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def show(name: str, value: float, unit: str, note: str = "") -> None:
    print(f"{name:<58} {value:>10.4g} {unit:<10} {note}", flush=True)


def measure_pass(model: PreTrainedModel, folder: Path, run: Run, *, rounds: int) -> tuple[float, float]:
    """Take turns over one batch; returns the bare body's CPU seconds a token, and the overhead of the bits."""
    read = text(BATCH)
    tokens = torch.from_numpy(np.stack([read.window(number) for number in range(BATCH)]))
    layers = tuple(range(LAYERS))

    def ours(batch: int, *, bits: bool) -> None:
        runs = collection.groups(read, batch=batch)
        collection.collect(model, read, runs, layers=layers, rule=RULE, bits=bits)

    def bare(batch: int) -> None:
        with torch.inference_mode():
            for begin in range(0, BATCH, batch):
                model.model(tokens[begin : begin + batch], use_cache=False)

    contenders: dict[str, Callable[[], object]] = {
        "bare": lambda: bare(BATCH),
        "frequency and position": lambda: ours(BATCH, bits=False),
        "frequency, position and n-gram bits": lambda: ours(BATCH, bits=True),
        "bare, one window": lambda: bare(1),
        "all, one window": lambda: ours(1, bits=True),
        **peers(model, tokens, folder),
    }
    for contender in contenders.values():
        contender()
    turns = [{name: cpu(each) for name, each in contenders.items()} for _ in range(rounds)]
    seconds = {name: statistics.median(turn[name] for turn in turns) for name in contenders}
    scale = (
        f"OPT-125m's shape, {ACTIVE:.0%} active, {BATCH} windows of {CONTEXT}, float32, one thread, "
        f"median of {rounds} turns"
    )
    count = tokens.numel()
    for name, value in seconds.items():
        ratio = statistics.median(turn[name] / turn["bare"] for turn in turns)
        show(name, count / value, "tokens/CPU-s", f"{ratio:.3f} of bare")
        run.metric(f"tokens_per_cpu_second.{name.replace(' ', '_')}", round(count / value, 1), scale=scale)
    overhead = {
        "counters": ("frequency and position", "bare"),
        "bits": ("frequency, position and n-gram bits", "bare"),
        "bits.one_window": ("all, one window", "bare, one window"),
    }
    for name, (mine, other) in overhead.items():
        ratio = statistics.median(turn[mine] / turn[other] for turn in turns)
        run.metric(f"pass.overhead.{name}", round(ratio - 1, 4), scale=scale)
    mine = "frequency, position and n-gram bits"
    for name in contenders:
        if name.startswith(("bridge", "nnsight")):
            ratio = statistics.median(turn[name] / turn[mine] for turn in turns)
            show(f"ours is faster than {name}", ratio, "times")
            run.metric(f"ratio.{name.replace(' ', '_')}", round(ratio, 3), scale=scale)
    ratio = statistics.median(turn[mine] / turn["bare"] for turn in turns)
    return seconds["bare"] / count, ratio - 1


def peers(model: PreTrainedModel, tokens: torch.Tensor, folder: Path) -> dict[str, Callable[[], object]]:
    """The peers that are installed, on the same weights."""
    found: dict[str, Callable[[], object]] = {}
    tokenizer = tiny.tokenizer(["a few words, for the shape"], vocabulary=300)
    models.save(model, tokenizer, folder)
    loaded = models.load(folder, dtype="float32")
    try:
        from transformer_lens.model_bridge import TransformerBridge
    except ImportError:
        print("transformer-lens is not installed: left out")
    else:
        bridge = TransformerBridge.boot_transformers(str(folder), device="cpu", tokenizer=loaded.tokenizer)

        def cached(names: Callable[[str], bool] | None) -> None:
            with torch.inference_mode():
                bridge.run_with_cache(tokens, names_filter=names)

        found["bridge with a whole cache"] = lambda: cached(None)
        found["bridge with neurons alone"] = lambda: cached(lambda name: name.endswith("mlp.hook_post"))
    try:
        from nnsight import NNsight
    except ImportError:
        print("nnsight is not installed: left out")
    else:
        traced = NNsight(loaded.model.model)

        def saved() -> None:
            values: list[torch.Tensor] = []
            with torch.inference_mode():
                with traced.trace(tokens, use_cache=False):
                    for layer in traced.decoder.layers:
                        values.append(layer.fc2.input.save())
                for each in values:
                    (each.reshape(*tokens.shape, -1) > 0).sum(0)

        found["nnsight, then counting"] = saved
    return found


def measure_reduction(
    model: PreTrainedModel, folder: Path, run: Run, *, bare: float, overhead: float
) -> None:
    """What n-grams cost after the pass, over a unit's tokens; the pass is in bfloat16, the counts are counts."""
    read = text(SMALL // CONTEXT)
    narrow = model.bfloat16()
    runs = collection.groups(read, batch=BATCH)
    found = collection.collect(narrow, read, runs, layers=tuple(range(LAYERS)), rule=RULE, bits=True)
    path = folder / "unit.safetensors"
    counters.write_unit(found, (0, len(read.windows) - 1), path)
    whole = meta_of(narrow, read)
    none = statistics.median(
        cpu(lambda: reduction.reduce([path], read, replace(whole, ngrams=()), budget=1 << 30))
        for _ in range(3)
    )
    run.metric(
        "active", round(float(found.active.mean() / len(read.tokens)), 4), scale="share of neurons a token"
    )
    for name, ngrams in (("unigrams", (1,)), ("trigrams", (1, 2, 3))):
        meta = replace(whole, ngrams=ngrams)
        seconds = statistics.median(
            cpu(lambda meta=meta: reduction.reduce([path], read, meta, budget=1 << 30)) for _ in range(3)
        )
        share = seconds / len(read.tokens) / bare
        show(f"counting {name} afterwards", share, "of bare")
        show(f"frequency, position and {name} in all", overhead + share, "of bare", "limits 0.05, 0.15")
        run.metric(f"overhead.{name}", round(overhead + share, 4), scale=f"{len(read.tokens):,} tokens")
        run.metric(
            f"reduction.overhead.{name}", round(share, 4), scale=f"{len(read.tokens):,} tokens, 12 layers"
        )
    run.metric("reduction.overhead.none", round(none / len(read.tokens) / bare, 4), scale=f"{SMALL:,} tokens")


def watched(words: list[str]) -> dict[str, float]:
    """Run a program; peak memory in MiB of its main process and of the largest of its workers.

    `getrusage` would not do: the peak of a new process begins with what its parent held.
    """
    peaks = {"main": 0.0, "worker": 0.0}
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        known = psutil.Process(process.pid)
        while process.poll() is None:
            for name, each in [("main", known), *(("worker", child) for child in known.children())]:
                with contextlib.suppress(OSError, psutil.Error, StopIteration):
                    lines = Path(f"/proc/{each.pid}/status").read_text().splitlines()
                    found = next(line for line in lines if line.startswith("VmHWM"))
                    peaks[name] = max(peaks[name], int(found.split()[1]) / 1024)
            time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} failed")
    return peaks


def measure_memory(folder: Path, run: Run) -> None:
    """Peak memory of whole scans of ten times the text."""
    data = folder / "text.jsonl"
    peaks: dict[int, dict[str, float]] = {}
    drawn = seeds.generator(0, "letters")
    with data.open("w") as stream:
        for number in range(LARGE // CONTEXT + 1):
            words = np.minimum(drawn.zipf(1.3, 2 * CONTEXT), 255)
            stream.write(json.dumps({"id": str(number), "text": "".join(map(chr, words + 32))}) + "\n")
    for tokens in (SMALL, LARGE):
        code = (
            "import sulan\nfrom pathlib import Path\nfrom sulan.neurons.settings import Reading\n"
            f"if __name__ == '__main__':\n    sulan.neurons.scan({str(folder)!r}, data=Path({str(data)!r}), "
            f"out=Path({str(folder / f'scan-{tokens}')!r}), workers=1, memory_budget='256m', dtype='bfloat16', "
            f"reading=Reading(context={CONTEXT}, tokens={tokens}, packed=True))\n"
        )
        script = folder / "scan.py"
        script.write_text(code)
        peaks[tokens] = watched([sys.executable, str(script)])
        for name, value in peaks[tokens].items():
            show(f"peak memory of the {name} process, {tokens:,} tokens", value, "MiB")
            run.metric(
                f"memory.{name}.{tokens}", round(value), scale="OPT-125m's shape, bfloat16, budget 256m"
            )
    for name in ("main", "worker"):
        growth = peaks[LARGE][name] / peaks[SMALL][name] - 1
        show(f"growth of the {name} process", growth, "", "limit 0.02")
        run.metric(f"memory.{name}.growth", round(growth, 4), scale=f"{SMALL:,} to {LARGE:,} tokens")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "records" / "neurons")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with (
        outputs.folder(arguments.out) as folder,
        record(verb="benchmark neurons", folder=folder, config={"rounds": arguments.rounds}) as run,
        tempfile.TemporaryDirectory() as name,
    ):
        scratch = Path(name)
        model = opt_125m()
        bare, overhead = measure_pass(model, scratch, run, rounds=arguments.rounds)
        measure_reduction(model, scratch, run, bare=bare, overhead=overhead)
        measure_memory(scratch, run)


if __name__ == "__main__":
    main()
