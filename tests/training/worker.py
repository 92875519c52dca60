"""Trains in forked processes and ends some of them on the way; prints what came out, as one JSON object.

Run as `python worker.py FOLDER`. Forking from a process that has imported everything and
computed nothing yet makes a new training cost milliseconds instead of the seconds of an import.
"""

import hashlib
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from sulan.training import TrainingConfig, journal, stream, train
from training import examples

STEPS = 12
EVERY = 3


def config(**settings: object) -> TrainingConfig:
    return examples.config(
        **{"steps": STEPS, "checkpoint_every": EVERY, "dtype": "bfloat16", "accumulate": 2, **settings}
    )


def trained(folder: Path, tokens: Path, settings: TrainingConfig, on_step: Callable | None = None) -> None:
    """Train in this process and write what came out beside the work folder."""
    torch.set_num_threads(1)
    # Dropout is drawn for each process's own sequences: it resumes exactly, but differs with their number.
    dropout = 0.0 if "RANK" in os.environ else 0.1
    model = examples.llama(attention_dropout=dropout, hidden_size=64)
    done = train(model, stream.read(tokens), config=settings, folder=folder, on_step=on_step)
    digest = hashlib.sha256()
    for weight in model.parameters():
        digest.update(weight.detach().numpy().tobytes())
    found = {
        "weights": digest.hexdigest(),
        "losses": done.losses,
        "steps": [entry["step"] for entry in journal.read(folder)],
        "files": sorted(path.name for path in folder.iterdir()),
    }
    name = os.environ.get("RANK", "0")
    folder.with_name(f"{folder.name}.{name}.json").write_text(json.dumps(found))


def forked(function: Callable, *arguments: object, **environment: str) -> int:
    """Run in a child process; return its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ.update(environment)
        function(*arguments)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def result(folder: Path, rank: int = 0) -> dict:
    return json.loads(folder.with_name(f"{folder.name}.{rank}.json").read_text())


def killed_while_saving(folder: Path, tokens: Path) -> int:
    """Kill a training while a checkpoint is being written; return its exit code."""
    child = forked(trained, folder, tokens, config())
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if any(folder.glob(".step-*.partial")):
            os.kill(child, signal.SIGKILL)
            return ended(child)
    return 0


def kill(folder: Path, tokens: Path) -> dict:
    """Compare a training that nobody disturbed with those that were killed."""
    ended(forked(trained, folder / "whole", tokens, config()))
    found = {"whole": result(folder / "whole")}

    def die_at(step: int) -> Callable[[int, float], None]:
        return lambda number, _: os.kill(os.getpid(), signal.SIGKILL) if number == step else None

    for step in range(1, STEPS):
        place = folder / f"after-{step}"
        assert ended(forked(trained, place, tokens, config(), die_at(step))) == -signal.SIGKILL
        ended(forked(trained, place, tokens, config()))
        found[place.name] = result(place)
    for number in range(4):
        place = folder / f"any-{number}"  # wherever it is after so many milliseconds, several times
        for _ in range(4):
            child = forked(trained, place, tokens, config())
            time.sleep(0.05 + 0.06 * number)
            os.kill(child, signal.SIGKILL)
            ended(child)
        ended(forked(trained, place, tokens, config()))
        found[place.name] = result(place)
    place = folder / "saving"
    killed = sum(killed_while_saving(place, tokens) == -signal.SIGKILL for _ in range(3))
    ended(forked(trained, place, tokens, config()))
    found[place.name] = {**result(place), "killed": killed}
    return found


def terminate(folder: Path, tokens: Path) -> dict:
    """End a training with SIGTERM in its fifth step, and go on."""
    ended(forked(trained, folder / "whole", tokens, config(checkpoint_every=0)))
    place = folder / "ended"

    def end(number: int, _: float) -> None:
        if number == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    code = ended(forked(trained, place, tokens, config(checkpoint_every=0), end))
    left = sorted(path.name for path in place.iterdir())
    ended(forked(trained, place, tokens, config(checkpoint_every=0)))
    return {
        "code": code,
        "left": left,
        "whole": result(folder / "whole"),
        "ended": result(place),
    }


def world(folder: Path, tokens: Path) -> dict:
    """Train with one process and with two, whole and divided, and go on with another number of them."""

    def together(place: Path, size: int, settings: TrainingConfig) -> list[int]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(size)}
        children = [
            forked(trained, place, tokens, settings, RANK=str(rank), LOCAL_RANK=str(rank), **shared)
            for rank in range(size)
        ]
        return [ended(child) for child in children]

    def exact(**settings: object) -> TrainingConfig:
        return config(dtype="float32", **settings)

    found: dict = {}
    for name, size, settings in (
        ("one", 1, exact()),
        ("two", 2, exact()),
        ("divided", 2, exact(sharding="full")),
        ("divided-bfloat16", 2, config(sharding="full")),
        ("one-bfloat16", 1, config()),
    ):
        codes = together(folder / name, size, settings)
        found[name] = {"codes": codes, **result(folder / name)}
        found[name]["other"] = result(folder / name, size - 1)
    place = folder / "moved"
    together(place, 2, exact(sharding="full", steps=STEPS))
    for path in place.glob("step-*.safetensors"):
        if path.name > "step-00000009.safetensors":
            path.unlink()
    found["moved"] = {"codes": together(place, 1, exact()), **result(place)}
    return found


def main(folder: Path) -> None:
    """Do all three and print what they found."""
    examples.stream(folder / "tokens")
    found = {}
    for function in (kill, terminate, world):
        place = folder / function.__name__
        place.mkdir()
        found[function.__name__] = function(place, folder / "tokens")
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
