"""The quantize room beside auto-round, in one run on this machine, in turns, every job in a process of its own.

Both tools get the same model, windows, steps, bits and groups. Counted are CPU seconds of the whole job after
its imports (reading weights, starts, tuning; not the evaluation) on one thread, and the process' peak of
resident memory; the divergence from the teacher is measured afterwards, on held-out text in float32, for both
from their codes and scales.

    python benchmarks/quantize.py [--blocks N] [--samples N] [--tokens N] [--steps N] [--rounds N] [--out FOLDER]
"""

import argparse
import copy
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.pop(0)  # this folder: its quantize.py is not the room

GROUP = 64
ALL = ["smollm2-w2", "smollm2-w3", "trained-w2", "trained-w3"]
BLOCKS, WIDTH = 6, 384
"""Of the model that is trained here."""
IMPORTED = ("matplotlib.pyplot", "sulan.quantize.job", "transformers.models.llama.modeling_llama")
"""What both would otherwise import while time is taken."""
EVERY = {"smollm2": 3, "trained": 2}
"""Ours: one token in so many counts in a step. Three is the default; the small model's gradients are noisier."""
MORE = {"smollm2": 3.0, "trained": 2.0}
"""Times the steps, for the comparison at equal CPU seconds, at 2 bit."""


def ours(job: dict[str, Any]) -> None:
    """Quantise with Sulan; time and weights are left in the job's folder."""
    import torch
    from safetensors.torch import save_file

    import sulan
    from sulan.quantize import artefact
    from sulan.quantize.settings import Tuning

    for name in IMPORTED:
        import_module(name)
    torch.set_num_threads(1)
    place = Path(job["folder"])
    keep = rf"layers\.({'|'.join(str(n) for n in range(job['blocks'], job['all_blocks']))})\."
    start = time.process_time()
    sulan.quantize.run(
        Path(job["model"]),
        out=place / "made",
        bits=job["bits"],
        group_size=GROUP,
        recipe=job["recipe"],
        calibration=Path("python"),
        keep_layers=keep if job["blocks"] < job["all_blocks"] else "",
        tuning=Tuning(
            samples=job["samples"],
            sequence_length=job["tokens"],
            steps=job["steps"],
            batch=job["batch"],
            every=job["every"],
            device="cpu",
        ),
    )
    spent, peak = time.process_time() - start, peak_megabytes()
    done = artefact.read(place / "made")
    save_file(
        {f"{layer.name}.weight": done.matrix(layer.name).weight() for layer in done.description.packed},
        place / "weights.safetensors",
    )
    tell(place, spent, peak)


def theirs(job: dict[str, Any]) -> None:
    """Quantise with auto-round."""
    import torch
    from auto_round import AutoRound
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    from sulan.quantize import sources, streamed, texts

    for name in IMPORTED:
        import_module(name)
    torch.set_num_threads(1)
    place = Path(job["folder"])
    source = sources.folder(Path(job["model"]))
    tokenizer = sources.tokenizer(source)
    start = time.process_time()
    windows = texts.windows(Path("python"), tokenizer, samples=job["samples"], length=job["tokens"])
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16)
    name, blocks = streamed.blocks(model)
    owner, _, last = name.rpartition(".")
    setattr(
        model.get_submodule(owner), last, blocks[: job["blocks"]]
    )  # what follows would only be passed through
    model.config.num_hidden_layers = job["blocks"]
    given = [
        {"input_ids": torch.from_numpy(w)[None], "attention_mask": torch.ones(1, len(w), dtype=torch.int64)}
        for w in windows.tokens
    ]
    tool = AutoRound(
        model,
        tokenizer=tokenizer,
        scheme=f"W{job['bits']}A16",
        group_size=GROUP,
        sym=True,
        iters=job["steps"],
        lr=1 / job["steps"],
        nsamples=job["samples"],
        seqlen=job["tokens"],
        batch_size=job["batch"],
        dataset=given,
        device_map="cpu",
        enable_torch_compile=False,
    )
    found, _ = tool.quantize()
    spent, peak = time.process_time() - start, peak_megabytes()
    weights = {}
    for own, module in found.named_modules():
        if getattr(module, "scale", None) is not None and hasattr(module, "weight"):
            scale = module.scale.float().repeat_interleave(GROUP, 1)
            # Its weights come back in bfloat16; dividing by the scale gives the codes, and those their exact values.
            weights[f"{own}.weight"] = (module.weight.float() / scale).round() * scale
    save_file(weights, place / "weights.safetensors")
    tell(place, spent, peak)


def peak_megabytes() -> float:
    """Return the peak of resident memory so far, in units of 10^6 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def tell(place: Path, spent: float, peak: float) -> None:
    (place / "told.json").write_text(json.dumps({"cpu": spent, "peak": peak}))


def evaluate(job: dict[str, Any]) -> None:
    """Measure the divergence of several results from their teacher."""
    import torch
    from safetensors.torch import load_file

    from sulan.models import load
    from sulan.quantize import comparison, divergence, sources, texts

    torch.set_num_threads(1)
    teacher = load(sources.folder(Path(job["model"])), dtype="float32", device="cpu")
    found = texts.windows(
        Path("python-held-out"), teacher.tokenizer, samples=job["windows"], length=job["length"], seed=1
    )
    windows = torch.from_numpy(found.tokens)
    own = copy.deepcopy(teacher.model)
    told = {}
    with torch.inference_mode():
        expected = [teacher.model(window[None]).logits[0].log_softmax(-1).half() for window in windows]

    def replay() -> Any:
        order = iter(expected)  # the teacher's predictions, once a window, are the same for all
        return lambda _: next(order).float()

    def keep(name: str, model: Any) -> None:
        student = {name: comparison.logits(teacher, model)}
        result = divergence.compare(replay(), student, windows)[name]
        told[name] = {
            "kl": float(result.kl.mean()),
            "top1": float(result.agree.mean()),
            "by_window": result.kl.mean(1).tolist(),
        }

    for name, place in job["results"].items():
        found = own.load_state_dict(load_file(Path(place) / "weights.safetensors"), strict=False)
        if found.unexpected_keys:
            raise SystemExit(f"{name} has weights that the model does not: {found.unexpected_keys[0]}")
        keep(name, own)
    half: Any = copy.deepcopy(teacher.model)
    keep("floor", half.to(torch.bfloat16))
    Path(job["folder"], "told.json").write_text(json.dumps(told))


def train(job: dict[str, Any]) -> None:
    """Train the project's own small model, of Llama's shape, on what text Python brings along."""
    import sulan
    from sulan.prune.plans import Pretraining, Shape
    from sulan.runs import record

    place = Path(job["folder"])
    sulan.prune.reference(
        Path("python"),
        out=place / "model",
        shape=Shape(family="llama", vocabulary=2048, layers=job["blocks"], width=WIDTH, heads=WIDTH // 64),
        training=Pretraining(
            steps=job["steps"],
            batch=16,
            context=job["tokens"],
            learning_rate=2e-3,
            warmup=job["steps"] // 20,
        ),
        early=(),
    )
    told = {metric["name"]: metric["value"] for metric in record.read(place / "model")["metrics"]}
    (place / "told.json").write_text(json.dumps(told))


JOBS = {"ours": ours, "theirs": theirs, "evaluate": evaluate, "train": train}


def work(kind: str, folder: Path, **job: Any) -> dict[str, Any]:
    """Run a job in a process of its own and return what it told."""
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({**job, "folder": str(folder)}))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, __file__, "--job", kind, str(folder / "job.json")]
    with (folder / "log.txt").open("w") as log:
        done = subprocess.run(words, check=False, env=environment, stdout=log, stderr=log)
    if done.returncode:
        raise SystemExit(f"{kind} failed:\n{(folder / 'log.txt').read_text()[-2000:]}")
    return json.loads((folder / "told.json").read_text())


def show(name: str, value: float, unit: str, note: str = "") -> None:
    print(f"{name:<56} {value:>10.4g} {unit:<8} {note}", flush=True)


def compare(
    run: Any, root: Path, label: str, *, model: str, bits: int, all_blocks: int, arguments: Any
) -> None:
    """Let both tools quantise one model, in turns, and record cost and divergence."""
    from sulan.evaluation.significance import paired_bootstrap

    blocks = min(arguments.blocks or all_blocks, all_blocks)
    job = {
        "model": model, "bits": bits, "blocks": blocks, "all_blocks": all_blocks,
        "samples": arguments.samples, "tokens": arguments.tokens,
    }  # fmt: skip
    every, more = EVERY[label.split("-w")[0]], MORE[label.split("-w")[0]]
    own = {"steps": arguments.steps, "batch": arguments.batch, "every": every, "recipe": "light"}
    settings: dict[str, dict[str, Any]] = {
        "ours": own,
        "auto-round": {"steps": arguments.steps, "batch": arguments.batch},
    }
    if bits == 2:
        settings["ours, more steps"] = {**own, "steps": round(more * arguments.steps)}
    costs: dict[str, list[dict[str, float]]] = {name: [] for name in settings}
    results: dict[str, str] = {}
    for turn in range(arguments.rounds):
        for name, chosen in settings.items():
            folder = root / label / f"{name}-{turn}".replace(" ", "-").replace(",", "")
            costs[name].append(work("theirs" if name == "auto-round" else "ours", folder, **job, **chosen))
            results[name] = str(folder)
            show(f"{label}: {name}", costs[name][-1]["cpu"], "CPU-s")
    for name, recipe in (("nearest", "rtn"), ("searched", "searched")):
        folder = root / label / name
        plain = {**own, "steps": None, "recipe": recipe}
        costs[name] = [work("ours", folder, **job, **plain)]
        results[name] = str(folder)
    told = work(
        "evaluate", root / label / "evaluation", model=model, results=results,
        windows=arguments.windows, length=arguments.length,
    )  # fmt: skip
    scale = (
        f"{label}, W{bits}G{GROUP} sym, {blocks} of {all_blocks} blocks, "
        f"{arguments.samples} x {arguments.tokens} tokens, {arguments.steps} steps, batch {arguments.batch} "
        f"(ours: one token in {every} counts; more steps: {more:g} times), "
        f"median of {arguments.rounds}; held out: {arguments.windows} x {arguments.length} tokens"
    )
    cpu = {name: statistics.median(told["cpu"] for told in found) for name, found in costs.items()}
    for name in [*settings, "nearest", "searched"]:
        key = key_of(name)
        show(
            f"{label}: {name}",
            told[name]["kl"],
            "KL",
            f"{cpu[name]:.1f} CPU-s, {100 * told[name]['top1']:.1f} % top-1",
        )
        run.metric(f"{label}.kl.{key}", float(f"{told[name]['kl']:.4g}"), scale=scale)
        run.metric(f"{label}.cpu.{key}", round(cpu[name], 1), scale=scale)
        run.metric(f"{label}.peak_mb.{key}", round(max(c["peak"] for c in costs[name])), scale=scale)
    run.metric(f"{label}.kl.floor", float(f"{told['floor']['kl']:.3g}"), scale="teacher in bfloat16")
    for name in (name for name in settings if name != "auto-round"):
        key = key_of(name)
        difference = paired_bootstrap(told[name]["by_window"], told["auto-round"]["by_window"])
        interval = f"{difference.mean:.3g} [{difference.low:.3g}, {difference.high:.3g}]"
        run.metric(f"{label}.cpu.ratio.{key}", round(cpu["auto-round"] / cpu[name], 2), scale=scale)
        run.metric(
            f"{label}.kl.ratio.{key}", round(told[name]["kl"] / told["auto-round"]["kl"], 3), scale=scale
        )
        run.metric(f"{label}.kl.difference.{key}", interval, scale=scale)
        show(
            f"{label}: auto-round / {name}", cpu["auto-round"] / cpu[name], "x CPU",
            f"KL ratio {told[name]['kl'] / told['auto-round']['kl']:.3f}",
        )  # fmt: skip


def key_of(name: str) -> str:
    return name.replace(", ", ".").replace(" ", "_").replace("auto-round", "autoround")


def main() -> None:
    if "--job" in sys.argv:
        JOBS[sys.argv[2]](json.loads(Path(sys.argv[3]).read_text()))
        return
    from sulan.runs import outputs
    from sulan.runs.record import record

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--blocks", type=int, default=0, help="quantise the first N blocks; 0: all")
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch", type=int, default=4, help="windows a step")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--windows", type=int, default=24)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--only", nargs="*", default=ALL)
    parser.add_argument("--training-steps", type=int, default=500)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "records" / "quantize")
    arguments = parser.parse_args()
    config = {name: value for name, value in vars(arguments).items() if name != "out"}
    with (
        outputs.folder(arguments.out) as folder,
        record(verb="benchmark quantize", folder=folder, config=config) as run,
        tempfile.TemporaryDirectory() as name,
    ):
        root = Path(name)
        for label in arguments.only:
            model, bits = label.split("-w")
            source, all_blocks = model, 30
            if model == "trained":
                source, all_blocks = str(root / "train" / "model"), BLOCKS
                if not Path(source).exists():
                    trained = work(
                        "train", root / "train", steps=arguments.training_steps, blocks=all_blocks,
                        tokens=arguments.tokens,
                    )  # fmt: skip
                    scale = f"{all_blocks} blocks, {WIDTH} wide, {arguments.training_steps} steps; uniform: 7.62 nats"
                    run.metric("trained.loss", round(trained["last_loss"], 3), scale=scale)
            compare(
                run, root, label, model=source, bits=int(bits), all_blocks=all_blocks, arguments=arguments
            )


if __name__ == "__main__":
    main()
