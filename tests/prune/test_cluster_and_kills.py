"""Scoring on a Ray cluster that loses a worker, and a comparison that is killed in the middle of its models."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from prune import small
from runs.ray_workers import workers_of
from sulan import prune
from sulan.runs import fingerprints
from sulan.runs.shards import shard_folder

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray"), pytest.mark.timeout(900)]


def test_ray_loses_a_worker_and_makes_the_same_scores(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (extra `cluster`)")
    model = small.hand_computed(tmp_path / "model")
    corpus = small.corpus(tmp_path / "in", small.texts(4000), parts=3)
    words = ["--model", str(model), "--dtype", "float32", "--workers", "2", "--engine", "ray"]
    command = [sys.executable, "-m", "sulan", "prune", "score", str(corpus), *words]
    with subprocess.Popen([*command, "--out", str(tmp_path / "ray")], stderr=subprocess.PIPE) as process:
        killed = 0
        while process.poll() is None and not killed:
            done = list((tmp_path / ".ray.work").glob("shard-*/done.json"))
            for worker in workers_of(process.pid)[:1] if done else []:
                worker.send_signal(signal.SIGKILL)
                killed += 1
            time.sleep(0.01)
        _, said = process.communicate()
    assert killed
    assert process.returncode == 0, said
    prune.score(corpus, model=str(model), dtype="float32", workers=1, out=tmp_path / "local")
    assert fingerprints.path(tmp_path / "ray") == fingerprints.path(tmp_path / "local")


def test_a_comparison_that_is_killed_twice_ends_with_the_same_bytes(tmp_path: Path) -> None:
    corpus = small.corpus(tmp_path / "in", small.texts(300), columns={"source": ["x", "y", "y"] * 100})
    settings = {
        "plan.metrics": "perplexity,memorization",
        "plan.sides": "middle",
        "plan.fractions": "0.5",
        "plan.seeds": "2",
        "plan.held-out": "0.2",
        "shape.vocabulary": "300",
        "shape.layers": "1",
        "shape.width": "32",
        "shape.heads": "2",
        "training.steps": "40",
        "training.batch": "4",
        "training.context": "64",
        "training.warmup": "2",
        "training.learning-rate": "0.01",
        "training.dtype": "float32",
        "training.checkpoint-every": "5",
        "workers": "1",
    }
    flags = [word for name, value in settings.items() for word in (f"--{name}", value)]

    def run(out: Path) -> subprocess.Popen[Any]:
        command = [sys.executable, "-m", "sulan", "prune", "compare", str(corpus), "--out", str(out), *flags]
        environment = {**os.environ, "SULAN_HOME": str(tmp_path / "home")}
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    work = tmp_path / ".killed.work"
    for awaited in ("reference/.shard-00000.partial", "arms/shard-00001/done.json"):
        with run(tmp_path / "killed") as process:
            while not (work / awaited).exists() and process.poll() is None:
                time.sleep(0.001)
            time.sleep(0.5)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "killed").exists()
    made = (shard_folder(work / "arms", 0) / "nll.npy").stat().st_mtime_ns
    with run(tmp_path / "killed") as process:
        while process.poll() is None:
            if (shard_folder(work / "arms", 2)).exists():
                assert (shard_folder(work / "arms", 0) / "nll.npy").stat().st_mtime_ns == made
                break
            time.sleep(0.001)
    with run(tmp_path / "straight") as process:
        pass
    assert fingerprints.path(tmp_path / "killed") == fingerprints.path(tmp_path / "straight")
    assert not work.exists()
