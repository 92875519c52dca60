"""Render a range of scenes with their conversations; a stage for `runs.shards`, so that any worker gives the same."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sulan.anytoany import captions, dataset, dialogues, drawing, scenes, sounding
from sulan.anytoany.dialogues import File
from sulan.anytoany.media import KINDS, Kind, Media
from sulan.anytoany.scenes import CARRIED, Scene, Split
from sulan.runs import seeds


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """How scenes are rendered.

    Attributes
    ----------
    size
        Pixels a side of pictures and clips.
    frames
        Of a clip.
    rate
        Samples a second of sounds; all overtones need 14,080 and more.
    seconds
        Length of a sound.
    """

    size: int = 32
    frames: int = 8
    rate: int = 16000
    seconds: float = 1.0


def render(scene: Scene, kind: Kind, rendering: Rendering) -> Media:
    """Return a scene in one medium."""
    if kind == "image":
        return drawing.image(scene, rendering.size)
    if kind == "audio":
        return sounding.audio(scene, rendering.rate, rendering.seconds)
    return drawing.video(scene, rendering.size, rendering.frames)


def item(seed: int, split: Split, number: int) -> dataset.Item:
    """Return the row of scene `number` of a split; its wording is a kept one outside of training."""
    scene = scenes.sample(seed, number, split=split)
    generator = seeds.generator(seed, f"anytoany words {split} {number}")
    trained = len(captions.WORDINGS) - captions.KEPT_WORDINGS
    span = (0, trained) if split == "train" else (trained, len(captions.WORDINGS))
    wording = int(generator.integers(*span))
    name = f"{split}-{number:06d}"
    paths = {kind: f"media/{split}/{name}.{dataset.ENDINGS[kind]}" for kind in KINDS}
    form = dialogues.FORMS[number % len(dialogues.FORMS)]
    return dataset.Item(
        id=name,
        text=captions.caption(scene, wording=wording),
        files=tuple(File(kind=kind, path=paths[kind]) for kind in KINDS),
        turns=dialogues.conversation(scene, form, paths=paths, generator=generator, wording=wording),
        split=split,
        scene=scene,
        captions={kind: captions.caption(scene, carried=CARRIED[kind], wording=wording) for kind in KINDS},
    )


def items(seed: int, split: Split, start: int, stop: int) -> Iterator[dataset.Item]:
    """Yield rows `start` to `stop` of a split."""
    for number in range(start, stop):
        yield item(seed, split, number)


def stage(shard: dict[str, Any], folder: Path, *, seed: int, rendering: dict[str, Any]) -> int:
    """Write the files of a shard's rows and return how many there are."""
    chosen = Rendering(**rendering)
    count = 0
    for number in range(shard["start"], shard["stop"]):
        scene = scenes.sample(seed, number, split=shard["split"])
        for file in item(seed, shard["split"], number).files:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(dataset.encoded(render(scene, file.kind, chosen)))
            count += 1
    return count


def arguments(seed: int, rendering: Rendering) -> dict[str, Any]:
    """Return what `stage` needs beside its shard."""
    return {"seed": seed, "rendering": asdict(rendering)}
