"""`sulan textbook pretrain`: a small model of phi's architecture from corpora (2309.05463, section 2)."""

from pathlib import Path

from sulan.reports.report import Report
from sulan.textbook.presets import Learning, Preset, Shape


def pretrain(
    corpora: tuple[Path, ...] = (),
    *,
    out: Path | None = None,
    mix: tuple[float, ...] = (),
    preset: Preset = "phi-1.5",
    shape: Shape | None = None,
    learning: Learning = Learning(),
    tokenizer: str = "",
    models_every: int = 0,
    device: str = "auto",
    print_config: bool = False,
    seed: int = 0,
) -> Report:
    """Pretrain a model on corpora.

    A killed training goes on where it was, and ends with the same bytes on the same number of threads.

    Parameters
    ----------
    corpora
        What to train on: textbooks, and whatever is mixed in.
    out
        Folder of the model, a Hugging Face checkpoint (`PhiForCausalLM`). Written aside, renamed when whole. None: only
        with `print_config`.
    mix
        Share of the tokens that each corpus gives, 1 together. Empty: all of everything. The paper has 0.8 new
        synthetic text and 0.2 of phi-1's data (section 2.2).
    preset
        `phi-1.5`: the paper's model and training, 1.4 billion parameters and 150 billion tokens. `phi-125m`: one card.
        `phi-5m`: a processor.
    shape
        Another shape than the preset's.
    learning
        What is trained otherwise than in the preset.
    tokenizer
        A model whose tokenizer is used (a folder, or an id such as `Salesforce/codegen-350M-mono`, the paper's). Empty:
        a byte-level BPE learned from the corpora.
    models_every
        Steps between models that are saved on the way, in `checkpoints/`; a multiple of the steps between checkpoints.
        0: only the last.
    device
        `auto`, `cpu` or `cuda`.
    print_config
        Only report the settings, and where each comes from.
    seed
        Of the weights, the mix and the order.

    Returns
    -------
    Report
        Parameters, tokens by corpus, first and last loss, tokens a second and, on a card, the share of its peak.

    Raises
    ------
    MissingFile
        There is no such corpus or tokenizer.
    InputError
        A setting is out of range, the corpora are too small, or the work folder holds another training.
    """
    config = dict(locals())
    from sulan.errors import InputError
    from sulan.reports import html
    from sulan.reports.report import Table
    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.textbook import presets

    shape = shape or presets.SHAPES[preset]
    if print_config:
        return _settings(preset, shape, learning)
    if not corpora or out is None:
        raise InputError("corpora or --out are missing", hint="sulan textbook pretrain CORPUS... --out MODEL")
    import shutil

    from sulan.documents import reader
    from sulan.textbook import pretraining

    for corpus in corpora:
        reader.schema(corpus)
    training = pretraining.settings(preset, learning, shape, seed=seed)
    work = out.absolute().with_name(f".{out.name}.work")
    with (
        outputs.folder(out) as folder,
        record(
            verb="textbook pretrain", folder=folder, config=config, seed=seed, inputs=list(corpora)
        ) as run,
    ):
        made = pretraining.run(
            list(corpora),
            folder,
            shape=shape,
            training=training,
            mix=mix,
            name=tokenizer,
            models_every=models_every,
            work=work,
            seed=seed,
            device=device,
        )
        report = Report(
            title="textbook pretrain",
            summary={
                "parameters": made.parameters,
                "tokens of an epoch": made.tokens,
                "tokens seen": made.trained.tokens,
                "first loss": round(made.trained.losses[0], 4),
                "last loss": round(made.trained.losses[-1], 4),
            },
            tables=(
                Table(
                    title="Corpora",
                    columns=("corpus", "documents", "tokens", "documents read", "tokens read"),
                    rows=tuple(
                        (part.corpus.name, part.documents, part.tokens, len(part.chosen), part.given)
                        for part in made.parts
                    ),
                ),
            ),
        )
        html.write(report, folder)
        scale = f"{made.parameters} parameters, {made.trained.tokens} tokens, {training.dtype}"
        run.metric("loss.last", round(made.trained.losses[-1], 4), scale=scale)
        run.metric("tokens.per.second", round(made.trained.tokens_per_second, 1), scale=scale)
    shutil.rmtree(work, ignore_errors=True)
    return report


def _settings(preset: Preset, shape: Shape, learning: Learning) -> Report:
    """Return the settings, each with its source; what the user changed is named as such."""
    from dataclasses import asdict

    from sulan.reports.report import Table
    from sulan.textbook import presets
    from sulan.training.config import TrainingConfig

    base = presets.TRAININGS[preset]
    whole = TrainingConfig(steps=1, batch=1, context=2)
    step = [
        int(base[name]) if given is None else given
        for name, given in (
            ("steps", learning.steps),
            ("batch", learning.batch),
            ("context", learning.context),
        )
    ]
    given = presets.SHAPES[preset]
    changed = {
        name: value
        for name, value in asdict(learning).items()
        if value != getattr(presets.Learning(), name) and value is not None
    }
    ours = "this project, for the preset's size"
    values = {
        "steps": (int(base["steps"]), presets.SOURCES["steps"] if preset == "phi-1.5" else ours),
        "batch": (int(base["batch"]), presets.SOURCES["batch"] if preset == "phi-1.5" else ours),
        "context": (int(base["context"]), presets.SOURCES["context"] if preset == "phi-1.5" else ours),
        "learning_rate": (
            base["learning_rate"],
            presets.SOURCES["learning_rate"] if preset == "phi-1.5" else ours,
        ),
        "schedule": ("constant", presets.SOURCES["schedule"]),
        "warmup": (0, presets.SOURCES["warmup"]),
        "betas": (", ".join(map(str, whole.betas)), presets.SOURCES["betas"]),
        "epsilon": (whole.epsilon, presets.SOURCES["epsilon"]),
        "weight_decay": (whole.weight_decay, presets.SOURCES["weight_decay"]),
        "clip": (whole.clip, presets.SOURCES["clip"]),
        "dtype": ("bfloat16", presets.SOURCES["dtype"]),
    }
    rows = [
        (name, changed.pop(name), "changed here") if name in changed else (name, value, source)
        for name, (value, source) in values.items()
    ]
    rows += [(name, value, "changed here") for name, value in changed.items()]
    sizes = [
        (name, value, presets.SHAPE_SOURCES[preset] if value == getattr(given, name) else "changed here")
        for name, value in asdict(shape).items()
    ]
    return Report(
        title=f"textbook pretrain --preset {preset}",
        summary={
            "parameters": shape.parameters,
            "tokens": step[0] * step[1] * step[2],
        },
        tables=(
            Table(title="Model", columns=("setting", "value", "source"), rows=tuple(sizes)),
            Table(title="Training", columns=("setting", "value", "source"), rows=tuple(rows)),
        ),
    )
