"""What helps larger runs: torch.compile, torchrun, how much of the machine is used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sulan.errors import SulanError
from sulan.training import throughput, train
from training import examples

SCRIPT = """
import sys, torch
from pathlib import Path
from sulan.training import stream, train
from training import examples
torch.set_num_threads(1)
model = examples.llama()
settings = examples.config(steps=6, sharding=sys.argv[2])
folder = Path(sys.argv[1])
train(model, stream.read(folder / "tokens"), config=settings, folder=folder / sys.argv[2])
"""


def test_flops_of_a_token() -> None:
    tied = examples.llama()
    weights = sum(weight.numel() for weight in tied.parameters())
    assert throughput.flops_per_token(tied, context=64) == 6 * weights + 12 * 2 * 32 * 64
    untied = examples.phi()
    weights = sum(weight.numel() for weight in untied.parameters()) - examples.VOCABULARY * 32
    assert throughput.flops_per_token(untied, context=64) == 6 * weights + 12 * 2 * 32 * 64


def test_the_machine_has_a_peak() -> None:
    assert throughput.peak(torch.device("cpu"), torch.float32) > 1e8


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_compiled_learns_the_same(tmp_path: Path) -> None:
    stream = examples.stream(tmp_path / "tokens")
    losses = [
        train(
            examples.llama(),
            stream,
            config=examples.config(steps=5, compile=compiled),
            folder=tmp_path / str(compiled),
        ).losses
        for compiled in (False, True)
    ]
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)


@pytest.mark.slow
def test_without_a_compiler(tmp_path: Path) -> None:
    from torch._inductor import config

    stream = examples.stream(tmp_path / "tokens")
    with (
        config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(SulanError, match=r"torch\.compile failed: "),
    ):
        train(
            examples.llama(hidden_size=48),
            stream,
            config=examples.config(compile=True),
            folder=tmp_path / "work",
        )


@pytest.mark.slow
@pytest.mark.parametrize("sharding", ["none", "full"])
def test_torchrun(sharding: str, tmp_path: Path) -> None:
    stream = examples.stream(tmp_path / "tokens")
    alone = train(examples.llama(), stream, config=examples.config(steps=6), folder=tmp_path / "alone")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        str(script),
    ]
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [*command, str(tmp_path), sharding],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{tests}:{tests.parent / 'src'}"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    log = (tmp_path / sharding / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["loss"] for line in log] == pytest.approx(alone.losses, abs=1e-5)
