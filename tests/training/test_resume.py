"""A training that was killed, anywhere, ends with the same bits; so does one that was told to stop."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from training.worker import STEPS

WORKER = Path(__file__).with_name("worker.py")


# One process makes what all tests here look at: a minute on a busy machine.
pytestmark = [pytest.mark.xdist_group("training worker"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict:
    command = [sys.executable, str(WORKER), str(tmp_path_factory.mktemp("worker"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_killed_anywhere_ends_with_the_same_bits(found: dict) -> None:
    found = found["kill"]
    whole = found["whole"]
    assert len(found) > STEPS
    assert found["saving"].pop("killed"), "no kill hit the writing of a checkpoint"
    for name, trained in found.items():
        assert trained == whole, name
    assert whole["steps"] == list(range(1, STEPS + 1))
    assert whole["files"] == ["log.jsonl", "step-00000009.safetensors", "step-00000012.safetensors"]
    assert whole["losses"][-1] < whole["losses"][0] - 0.5


def test_sigterm_saves_the_step_and_then_ends_the_process(found: dict) -> None:
    found = found["terminate"]
    assert found["code"] == -signal.SIGTERM
    assert found["left"] == ["log.jsonl", "step-00000005.safetensors"]
    assert found["ended"]["weights"] == found["whole"]["weights"]
    assert found["ended"]["losses"] == found["whole"]["losses"]


def test_two_processes_learn_what_one_does(found: dict) -> None:
    found = found["world"]
    for name, trained in found.items():
        assert set(trained["codes"]) == {0}, name
        # Every process ends with the same weights.
        assert trained.get("other", trained)["weights"] == trained["weights"], name
    one = pytest.approx(found["one"]["losses"], abs=1e-5)
    for name in ("two", "divided", "moved"):
        assert found[name]["losses"] == one, name
    assert found["divided-bfloat16"]["losses"] == pytest.approx(found["one-bfloat16"]["losses"], abs=1e-2)
