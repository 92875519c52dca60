"""Trains in forked processes and kills some of them on the way; prints the weights of all as one JSON object.

Run as `python killed.py CORPUS FOLDER`; see `training/worker.py` for why it forks.
"""

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from sulan.textbook import pretraining
from textbook import small
from training.worker import ended, forked

DTYPE = "bfloat16"


def trained(corpus: Path, out: Path) -> None:
    torch.set_num_threads(1)
    small.pretrain(corpus, out=out, models_every=small.MODELS_EVERY, dtype=DTYPE)


def weights(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*.safetensors"))
    }


def killed(corpus: Path, out: Path, seen: Callable[[Path], bool]) -> bool:
    """Begin a training and kill it when something is seen in its work folder; tell whether that hit."""
    child = forked(trained, corpus, out)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if seen(out.with_name(f".{out.name}.work")):
            os.kill(child, signal.SIGKILL)
            return ended(child) == -signal.SIGKILL
        time.sleep(0.0002)  # on a single core the training has to get on
    return False


def steps(count: int) -> Callable[[Path], bool]:
    """Tell whether so many steps are in the log."""

    def seen(work: Path) -> bool:
        log = work / "training" / "log.jsonl"
        return log.exists() and log.read_bytes().count(b"\n") >= count

    return seen


def writing(pattern: str) -> Callable[[Path], bool]:
    """Tell whether something is being written under a name."""
    return lambda work: any(work.glob(pattern))


WRITING = {"checkpoint": "training/.step-*.partial", "model": f"{pretraining.CHECKPOINTS}/.step-*.partial"}
"""What a training writes -> what is there while it does."""

TRIES = 5


def main(corpus: Path, folder: Path) -> None:
    """Train without kills, with several between steps, and with one in each kind of writing."""
    hits = dict.fromkeys(("step", *WRITING), 0)
    ended(forked(trained, corpus, folder / "whole"))
    for count in (1, 4, 7, 11):
        hits["step"] += killed(corpus, folder / "steps", steps(count))
    for name, pattern in WRITING.items():
        for number in range(TRIES):
            if killed(corpus, folder / f"writing-{name}-{number}", writing(pattern)):
                hits[name] += 1
                ended(forked(trained, corpus, folder / f"writing-{name}-{number}"))
                break
    ended(forked(trained, corpus, folder / "steps"))
    found = {path.parent.name: weights(path.parent) for path in folder.glob("*/model.safetensors")}
    sys.stdout.write(json.dumps({"weights": found, "hits": hits}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
