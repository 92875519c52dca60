"""What of a job survives a kill: one file a block, in a work folder that is bound to the job by what it was made from.

The folder lies beside the result as `.NAME.work`. A block's file is written aside and renamed, so it is whole
or absent; a block that was being tuned is tuned again from its beginning, with the same draws. Activations are
not kept: they are computed again through the finished blocks, which costs two passes a block and needs no trust
in half-written files. Not covered: resuming on another machine or with other libraries, whose arithmetic may
round differently.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sulan.errors import BrokenArtefact, InputError
from sulan.quantize import artefact
from sulan.quantize.blocks import Tuned
from sulan.quantize.grid import Quantised, Scheme
from sulan.runs import outputs

STATE = "state.json"


class Work:
    """The work folder of one job.

    Parameters
    ----------
    out
        The job's destination; the folder lies beside it.
    """

    def __init__(self, out: Path) -> None:
        self.folder = out.absolute().with_name(f".{out.name}.work")

    def begin(self, identity: Mapping[str, Any], *, resume: bool) -> dict[str, Any]:
        """Open the folder and return what was decided when the job began.

        Parameters
        ----------
        identity
            What the job is made from, by name, as JSON has it.
        resume
            Go on with what is there; otherwise it is removed.

        Raises
        ------
        InputError
            What is there belongs to another job; the message says in what they differ.
        """
        path = self.folder / STATE
        fresh = json.loads(json.dumps(identity))
        if resume and path.exists():
            state = json.loads(path.read_text())
            for name, value in fresh.items():
                if state["identity"].get(name) != value:
                    raise InputError(
                        f"cannot resume: {name} was {_short(state['identity'].get(name))}, now it is {_short(value)}",
                        hint="run without --resume to begin anew",
                    )
            return state["decided"]
        self.remove()
        self.folder.mkdir(parents=True)
        self._write({"identity": fresh, "decided": {}})
        return {}

    def decide(self, decided: Mapping[str, Any]) -> None:
        """Keep what was measured before the first block, so that a resumed job need not measure the same again."""
        state = json.loads((self.folder / STATE).read_text())
        self._write({**state, "decided": dict(decided)})

    def _write(self, state: Mapping[str, Any]) -> None:
        outputs.write_text(self.folder / STATE, json.dumps(state, indent=1) + "\n")

    def has(self, number: int) -> bool:
        """Tell whether a block is done."""
        return self._path(number).exists()

    def save(self, number: int, tuned: Tuned) -> None:
        """Keep a block."""
        from safetensors.torch import save

        tensors, schemes = {}, {}
        for name, matrix in tuned.matrices.items():
            schemes[name] = asdict(matrix.scheme)
            tensors |= {f"{name}.{part}": tensor for part, tensor in artefact.packed(matrix).items()}
        tensors |= {f"importance.{name}": tensor for name, tensor in tuned.importance.items()}
        facts = {"schemes": schemes, "losses": tuned.losses, "steps": tuned.steps, "kept": tuned.kept}
        outputs.write_bytes(self._path(number), save(tensors, metadata={"facts": json.dumps(facts)}))

    def load(self, number: int) -> Tuned:
        """Return a block that is done.

        Raises
        ------
        BrokenArtefact
            Its file is damaged.
        """
        from safetensors import SafetensorError, safe_open

        path = self._path(number)
        try:
            with safe_open(path, framework="pt") as file:
                facts = json.loads(file.metadata()["facts"])
                # Copies: a tensor that lives on would keep the whole file mapped.
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  no mapping
        except (SafetensorError, ValueError, KeyError) as error:
            raise BrokenArtefact(f"{path} is damaged: {error}", hint="remove it and resume") from error
        matrices: dict[str, Quantised] = {}
        for name, values in facts["schemes"].items():
            scheme = Scheme(**values)
            own = {part: tensors[f"{name}.{part}"] for part in artefact.parts(scheme)}
            matrices[name] = artefact.unpacked(own, scheme)
        start = "importance."
        importance = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
        return Tuned(
            matrices=matrices,
            importance=importance,
            losses=facts["losses"],
            steps=facts["steps"],
            kept=facts["kept"],
        )

    def scratch(self, name: str) -> Path:
        """Return a path for a file of activations."""
        return self.folder / f"{name}.bin"

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"block-{number:05d}.safetensors"


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
