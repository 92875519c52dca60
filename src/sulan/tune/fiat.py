"""`fiat.json`: everything beside the weights that using a tuned model takes. Imports nothing heavy."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sulan.errors import BrokenArtefact, MissingFile
from sulan.runs import outputs
from sulan.tune.task import Task, of_wording

FILE = "fiat.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Fiat:
    """What `fiat.json` says.

    Attributes
    ----------
    task
        Words and labels, without examples.
    student, fingerprint
        The small model's name, and of which weights the adapter is.
    kind
        `lora` or `full`.
    instructions, reasons
        Whether its prompts have instructions, and rationales.
    teacher, identity, words, teaching
        The frozen model that wrote the rationales, what exactly answered, after which words, and the limits; empty
        without.
    """

    task: Task
    student: str
    fingerprint: str
    kind: Literal["lora", "full"]
    instructions: bool
    reasons: bool
    teacher: str
    identity: str
    words: str
    teaching: Mapping[str, Any]

    def write(self, folder: Path) -> None:
        """Write `fiat.json`."""
        document = {
            "schema_version": SCHEMA_VERSION,
            **{name: value for name, value in asdict(self).items() if name != "task"},
            "task": self.task.wording(),
        }
        outputs.write_text(folder / FILE, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def read(folder: Path) -> Fiat:
    """Read `fiat.json`.

    Raises
    ------
    MissingFile
        The folder holds no tuned model.
    BrokenArtefact
        It is damaged or of another schema.
    """
    try:
        document: dict[str, Any] = json.loads((folder / FILE).read_text())
        if document.pop("schema_version") != SCHEMA_VERSION:
            raise BrokenArtefact(f"{folder / FILE} is not of schema {SCHEMA_VERSION}")
        document["task"] = of_wording(document["task"])
        return Fiat(**document)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFile(f"no tuned model at {folder}", hint="sulan tune fit makes one") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenArtefact(f"{folder / FILE} is damaged: {error}") from error
