"""Checkpoints are whole or absent, and a damaged one costs an interval."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sulan.errors import BrokenArtefact, MissingFile
from sulan.training import checkpoint, train
from sulan.training.checkpoint import Checkpoint
from training import examples


def made(step: int) -> Checkpoint:
    state = {"weight/a": torch.full((1000,), float(step)), "updates": torch.tensor(float(step))}
    return Checkpoint(step=step, skipped=1, about={"seed": 3}, state=state)


def test_comes_back(tmp_path: Path) -> None:
    path = checkpoint.save(made(7), tmp_path, keep=2)
    found = checkpoint.read(path)
    assert (found.step, found.skipped, found.about) == (7, 1, {"seed": 3})
    assert all(torch.equal(found.state[name], tensor) for name, tensor in made(7).state.items())
    assert list(tmp_path.iterdir()) == [path]


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 100_000_000, 15):
        checkpoint.save(made(step), tmp_path, keep=2)
    assert {path.name for path in tmp_path.iterdir()} == {
        "step-00000015.safetensors",
        "step-100000000.safetensors",
    }


@pytest.mark.parametrize("damage", ["empty", "cut off", "changed", "half a header"])
def test_a_damaged_newest_one_is_passed_over(damage: str, tmp_path: Path) -> None:
    checkpoint.save(made(1), tmp_path, keep=2)
    path = checkpoint.save(made(2), tmp_path, keep=2)
    data = bytearray(path.read_bytes())
    if damage == "changed":
        data[-100] ^= 1
    path.write_bytes(
        data[: {"empty": 0, "cut off": len(data) - 1, "half a header": 20}.get(damage, len(data))]
    )
    found = checkpoint.newest(tmp_path)
    assert found is not None
    assert found.step == 1
    path.with_name("step-00000001.safetensors").unlink()
    with pytest.raises(BrokenArtefact, match=r"every checkpoint in .* is damaged"):
        checkpoint.newest(tmp_path)


def test_a_training_goes_on_from_the_one_before(tmp_path: Path) -> None:
    stream = examples.stream(tmp_path / "tokens")
    settings = examples.config(steps=6, checkpoint_every=2)
    whole, resumed = examples.llama(), examples.llama()
    trained = train(whole, stream, config=settings, folder=tmp_path / "work")
    newest = tmp_path / "work" / "step-00000006.safetensors"
    newest.write_bytes(newest.read_bytes()[:-7])
    steps: list[int] = []
    again = train(
        resumed,
        stream,
        config=settings,
        folder=tmp_path / "work",
        on_step=lambda step, _: steps.append(step),
    )
    assert steps == [5, 6]
    assert again.losses == trained.losses
    assert all(
        torch.equal(one, two) for one, two in zip(whole.parameters(), resumed.parameters(), strict=True)
    )


def test_nothing_that_is_not_finite_is_saved(tmp_path: Path) -> None:
    state = {"weight/a": torch.tensor([1.0, float("inf")])}
    with pytest.raises(BrokenArtefact, match="after step 3 weight/a is not finite"):
        checkpoint.save(Checkpoint(step=3, skipped=0, about={}, state=state), tmp_path, keep=1)
    assert list(tmp_path.iterdir()) == []


def test_no_checkpoint(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "nowhere") is None
    with pytest.raises(MissingFile):
        checkpoint.weights(tmp_path)


def test_full_disk_costs_one_line_and_no_checkpoint(tmp_path: Path) -> None:
    checkpoint.save(made(1), tmp_path, keep=1)
    code = (
        "import resource, signal, sys, torch\n"
        "from pathlib import Path\n"
        "from sulan.errors import SulanError\n"
        "from sulan.training.checkpoint import Checkpoint, save\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "state = {'weight/a': torch.ones(1000)}\n"
        "try:\n"
        "    save(Checkpoint(step=2, skipped=0, about={}, state=state), Path(sys.argv[1]), keep=1)\n"
        "except SulanError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"cannot write {tmp_path}/step-00000002.safetensors: "), done.stderr
    assert done.stdout.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.safetensors"]
