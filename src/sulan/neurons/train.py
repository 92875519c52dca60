"""`sulan neurons train`: a small ReLU model of one's own, to look at its neurons."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report


def train(
    *,
    out: Path,
    data: Path | None = None,
    steps: int = 1400,
    layers: int = 3,
    width: int = 64,
    neurons: int = 512,
    context: int = 32,
    vocabulary: int = 4096,
    positions: Literal["learned", "none"] = "learned",
    checkpoints: int = 1,
    seed: int = 0,
) -> Report:
    """Train a small OPT from nothing, with or without positions, and keep checkpoints on the way.

    The paper trains such models to see when positional neurons come and what becomes of them without position
    embeddings (section on positional neurons: 125m, 300 thousand batches). This is the same in a minute on a CPU.
    Defaults: half a million parameters and 0.7 million tokens are enough for dead neurons; for positional ones
    windows must be short. With windows of 32 tokens five neurons pass 0.05 nats, with 64 and 128 the best have
    0.038 and 0.045.

    Parameters
    ----------
    out
        Folder for `model`, `held-out` (a tenth of the documents, never trained on) and `step-N` for earlier
        checkpoints. Written aside, renamed when whole.
    data
        Corpus, or a file that can be one. None: the source of the Python that runs this, prose and code that
        is on every machine.
    steps
        Updates, of 16 sequences each.
    layers, width, neurons
        Shape: layers, width of the residual stream, neurons a layer. Heads are 16 wide.
    context
        Tokens a sequence.
    vocabulary
        Tokens of the byte-level BPE that is learned from the text.
    positions
        `learned` as in OPT, or `none`: position embeddings are zero and stay so.
    checkpoints
        Models kept, evenly spaced over the steps, the last one as `model`.
    seed
        Weights and order of the sequences depend on this.

    Returns
    -------
    Report
        Loss at the end, tokens seen.

    Raises
    ------
    InputError
        The text is too short for one sequence, or a shape does not fit.
    """
    config = dict(locals())
    import shutil

    from sulan.errors import InputError
    from sulan.neurons import texts

    if width % 16 or min(steps, layers, neurons, checkpoints) < 1 or checkpoints > steps:
        raise InputError(
            f"{layers} layers of {neurons} neurons, {width} wide, {steps} steps, {checkpoints} checkpoints do not fit",
            hint="a width that 16 divides, and at least 1 of everything",
        )
    work = out.parent / f".{out.name}.work"
    corpus = texts.corpus(data, work / "corpus") if data else texts.python(work / "corpus")
    from sulan.neurons import upbringing
    from sulan.runs import outputs
    from sulan.runs.record import record

    with (
        outputs.folder(out) as folder,
        record(
            verb="neurons train", folder=folder, config=config, seed=seed, inputs=[data] if data else []
        ) as run,
    ):
        found = upbringing.bring_up(
            corpus,
            folder,
            work,
            steps=steps,
            layers=layers,
            width=width,
            neurons=neurons,
            context=context,
            vocabulary=vocabulary,
            positions=positions == "learned",
            checkpoints=checkpoints,
            seed=seed,
        )
        scale = f"{found.parameters:,} parameters, {found.tokens:,} tokens"
        run.metric("loss", found.loss, scale=scale)
    shutil.rmtree(work, ignore_errors=True)
    return Report(
        title="neurons train",
        summary={
            "parameters": found.parameters,
            "tokens": found.tokens,
            "loss at the end": found.loss,
            "model": str(out / "model"),
            "held out": str(out / "held-out"),
        },
    )
