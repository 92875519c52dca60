"""`sulan anytoany chat`: one reply to words and files."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report


def chat(
    system: Path,
    text: str,
    *,
    out: Path,
    image: tuple[Path, ...] = (),
    audio: tuple[Path, ...] = (),
    video: tuple[Path, ...] = (),
    modalities: tuple[Literal["image", "audio", "video"], ...] = ("image", "audio", "video"),
    tokens: int = 256,
    temperature: float = 0.0,
    steps: int = 50,
    guidance: float = 7.5,
    seed: int = 0,
    provenance: bool = True,
    safety: bool = False,
) -> Report:
    """Say something to a system, with files, and keep what it answers.

    Parameters
    ----------
    system
        What `sulan anytoany train` wrote.
    text
        What you say.
    out
        Folder for the reply: `reply.txt` and its media. Written aside, renamed when whole.
    image, audio, video
        Files that go with it, in their order.
    modalities
        What may be made beside text; a decoder that is not among them is never loaded.
    tokens
        The most text tokens of the reply.
    temperature
        Of the text; 0: greedy.
    steps
        Of diffusion. The official demonstration: 50.
    guidance
        Classifier-free guidance. The official demonstration: 7.5.
    seed
        Of text and media.
    provenance
        Mark made media as made (C2PA).
    safety
        Withhold made pictures that may show nudity (open_nsfw).

    Returns
    -------
    Report
        The words, and where the media are.

    Raises
    ------
    MissingFile, InputError
        There is no such system or file, or a file is not what it's given as.
    """
    config = dict(locals())
    from sulan.anytoany import serving, speaking
    from sulan.anytoany.protocols import Settings
    from sulan.runs import outputs
    from sulan.runs.record import record

    said = speaking.turn(text, image=image, audio=audio, video=video)
    settings = Settings(
        modalities=modalities,
        tokens=tokens,
        temperature=temperature,
        steps=steps,
        guidance=guidance,
        seed=seed,
    )
    inputs = [system, *image, *audio, *video]
    with (
        outputs.folder(out) as folder,
        record(verb="anytoany chat", folder=folder, config=config, inputs=inputs) as run,
    ):
        delivery = serving.delivery(provenance=provenance, safety=safety)
        answer = speaking.reply(
            serving.assistant(system), [said], settings=settings, delivery=delivery, folder=folder
        )
        outputs.write_text(folder / "reply.txt", answer.text)
        run.metric("media", len(answer.paths), scale=f"one reply of {system.name}")
    return Report(
        title="anytoany chat",
        summary={"reply": answer.text, "media": len(answer.paths), "out": str(out)},
        notes=(*(str(out / path.name) for path in answer.paths), *answer.withheld),
    )
