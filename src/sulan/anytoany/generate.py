"""`sulan anytoany generate`: replies to many prompts."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report


def generate(
    system: Path,
    prompts: Path,
    *,
    out: Path,
    text: str = "text",
    modalities: tuple[Literal["image", "audio", "video"], ...] = ("image", "audio", "video"),
    tokens: int = 256,
    temperature: float = 0.0,
    steps: int = 50,
    guidance: float = 7.5,
    seed: int = 0,
    provenance: bool = True,
    safety: bool = False,
) -> Report:
    """Answer each text of a corpus alone; keep words and media.

    Parameters
    ----------
    system
        What `sulan anytoany train` wrote.
    prompts
        Texts: a corpus, JSON Lines, CSV, Parquet or text files.
    out
        Folder for the replies: `replies.jsonl` with `id`, `text`, `media` and `withheld`, and the media beside it.
        Written aside, renamed when whole.
    text
        Column of the prompts.
    modalities
        What may be made beside text; a decoder that is not among them is never loaded.
    tokens
        The most text tokens of a reply.
    temperature
        Of the text; 0: greedy.
    steps
        Of diffusion. The official demonstration: 50.
    guidance
        Classifier-free guidance. The official demonstration: 7.5.
    seed
        Each prompt has a seed of its own, made from this one and its `id`.
    provenance
        Mark made media as made (C2PA).
    safety
        Withhold made pictures that may show nudity (open_nsfw).

    Returns
    -------
    Report
        Prompts, media by kind, withheld ones.

    Raises
    ------
    MissingFile, InputError
        There is no such system, or there are no prompts.
    """
    config = dict(locals())
    import json
    from collections import Counter

    from sulan.anytoany import serving, speaking
    from sulan.anytoany.protocols import Settings
    from sulan.runs import outputs, seeds
    from sulan.runs.record import record

    made, withheld, lines = Counter[str](), 0, []
    with (
        outputs.folder(out) as folder,
        record(verb="anytoany generate", folder=folder, config=config, inputs=[system, prompts]) as run,
    ):
        assistant = serving.assistant(system)
        delivery = serving.delivery(provenance=provenance, safety=safety)
        for number, (name, prompt) in enumerate(speaking.prompts(prompts, column=text)):
            settings = Settings(
                modalities=modalities,
                tokens=tokens,
                temperature=temperature,
                steps=steps,
                guidance=guidance,
                seed=seeds.key(seed, name) % 2**31,
            )
            answer = speaking.reply(
                assistant,
                [speaking.turn(prompt)],
                settings=settings,
                delivery=delivery,
                folder=folder,
                stem=f"{number:06}-",
            )
            made.update(path.stem.rpartition("-")[2] for path in answer.paths)
            withheld += len(answer.withheld)
            line = {"id": name, "text": answer.text, "media": [path.name for path in answer.paths]}
            lines.append(json.dumps({**line, "withheld": answer.withheld}, ensure_ascii=False))
        outputs.write_text(folder / "replies.jsonl", "\n".join(lines) + "\n")
        run.metric("prompts", len(lines), scale=f"{prompts.name} with {system.name}")
    return Report(
        title="anytoany generate",
        summary={"prompts": len(lines), **dict(sorted(made.items())), "withheld": withheld, "out": str(out)},
    )
