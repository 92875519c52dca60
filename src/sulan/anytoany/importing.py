"""Bring the files of imported rows into a data folder, below `media`, without following paths out of their own."""

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

from sulan.anytoany.dataset import Item
from sulan.anytoany.dialogues import File


@dataclass(kw_only=True)
class Copying:
    """Copies files as rows come by, and counts them.

    Attributes
    ----------
    source
        Folder that the rows' paths are relative to.
    folder
        Where they are copied to; the rows' new paths are relative to the folder above it.
    copied
        Whether the files are there already.
    """

    source: Path
    folder: Path
    copied: bool = False
    files: int = 0
    missing: int = 0

    def row(self, item: Item) -> Item:
        """Return a row whose paths are those of the data folder; a missing file keeps its name and is counted."""
        turns = tuple(
            dataclasses.replace(
                turn,
                parts=tuple(self._moved(part) if isinstance(part, File) else part for part in turn.parts),
            )
            for turn in item.turns
        )
        for file in item.files:
            self._copy(file)
        return dataclasses.replace(item, files=tuple(self._moved(file) for file in item.files), turns=turns)

    def _moved(self, file: File) -> File:
        return dataclasses.replace(file, path=f"{self.folder.name}/{file.path.lstrip('/')}")

    def _copy(self, file: File) -> None:
        self.files += 1
        if self.copied:
            return
        source, target = self.source / file.path, self.folder / file.path
        inside = source.resolve().is_relative_to(self.source.resolve())
        if not inside or not source.is_file() or not target.resolve().is_relative_to(self.folder.resolve()):
            self.missing += 1
        elif not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
