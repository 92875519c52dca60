"""`sulan quantize measure`: how far a quantised model is from the model it was made from."""

from contextlib import ExitStack
from pathlib import Path

from sulan.reports.report import Report


def measure(
    model: Path,
    *,
    against: Path,
    out: Path,
    data: Path = Path("python-held-out"),
    windows: int = 80,
    sequence_length: int = 256,
    baselines: bool = True,
    deployed: tuple[Path, ...] = (),
    decode_tokens: int = 64,
    seed: int = 0,
    device: str = "auto",
) -> Report:
    """Compare a quantised model with its teacher, beside plain and searched rounding to the same bits.

    Parameters
    ----------
    model
        A folder that `quantize run` made, or any other model that Sulan loads.
    against
        The teacher: the model that it was made from.
    out
        Folder of the report. Written aside, renamed when whole.
    data
        Held-out text: a corpus, a text or JSON Lines file, or `python-held-out`, a quarter of the language
        reference that comes with Python, which `--calibration python` leaves out.
    windows
        Sequences that are compared; with `sequence_length`, 20,480 tokens by default.
    sequence_length
        Tokens of a sequence.
    baselines
        Round the teacher's weights to nearest and on searched grids with the model's own bits and groups, and
        measure both as well. Costs two more forward passes.
    deployed
        Exports to time as they are deployed: `.gguf` files (llama.cpp), `.onnx` files (ONNX Runtime),
        checkpoint folders.
    decode_tokens
        Tokens generated one by one to time decoding; 0: nothing is timed.
    seed
        Draws the windows and the bootstrap.
    device
        `auto`, `cpu`, `cuda` or `cuda:N`.

    Returns
    -------
    Report
        Divergence, agreement and perplexity with intervals, error of every block, sizes, tokens a second.

    Raises
    ------
    InputError
        Models with different vocabularies, or values that make no sense.
    MissingFile
        No such model or text.
    """
    config = dict(locals())
    from sulan.quantize import comparison, texts
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    with ExitStack() as stack:
        folder = stack.enter_context(outputs.folder(out))
        read = [path for path in (model, against, *deployed) if path.exists()]
        run = stack.enter_context(
            record(
                verb="quantize measure",
                folder=folder,
                config=config,
                seed=seed,
                inputs=[*read, *texts.files(data)],
            )
        )
        found = comparison.compare(
            model,
            against,
            data=data,
            windows=windows,
            length=sequence_length,
            baselines=baselines,
            deployed=deployed,
            decode_tokens=decode_tokens,
            seed=seed,
            device=device,
        )
        html.write(found.report(timed=False), folder)
        for name, value in found.metrics():
            run.metric(name, value, scale=found.scale())
    return found.report(timed=True)
