"""`sulan quantize export`: a quantised checkpoint in another tool's format, read back before it is called done."""

from contextlib import ExitStack
from pathlib import Path

from sulan.quantize.formats import Format
from sulan.reports.report import Report, Table


def export(model: Path, *, format: Format, out: Path) -> Report:
    """Write a quantised model in a format, and compare what its readers see with the source.

    Parameters
    ----------
    model
        A folder that `quantize run` made.
    format
        `gptq`, `awq`: checkpoint folders for vLLM, SGLang and their own packages. `compressed-tensors`: for
        vLLM and transformers. `gguf`: Q4_0, Q4_1 or Q8_0 for llama.cpp. `onnx`: MatMulNBits for ONNX Runtime.
        The last two are for models of Llama's shape.
    out
        Folder of the export. Written aside, renamed when it was read back and agreed.

    Returns
    -------
    Report
        Size, and what every reader found.

    Raises
    ------
    InputError
        The format cannot hold this model; the message says why.
    MissingFile
        There is no model.
    BrokenArtefact
        What was written does not read back as it should; nothing is left at `out`.
    """
    config = dict(locals())
    from importlib import import_module

    from sulan.errors import BrokenArtefact
    from sulan.quantize import artefact, formats
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    source = artefact.read(model)
    module = import_module(f"sulan.quantize.formats.{formats.MODULES[format]}")
    with ExitStack() as stack:
        folder = stack.enter_context(outputs.folder(out))
        run = stack.enter_context(
            record(verb="quantize export", folder=folder, config=config, inputs=[model])
        )
        notes = module.write(source, folder)
        checks = module.check(source, folder)
        for check in checks:
            if not check.passed:
                raise BrokenArtefact(
                    f"{format}: {check.reader} finds a {check.what} of {check.error:.3g}, more than {check.limit:g}"
                )
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in WEIGHTS)
        report = Report(
            title=f"quantize export {format}",
            summary={
                "teacher": source.description.teacher,
                "format": format,
                "weights MB": round(size / 1e6, 3),
                "bits a weight in the source": round(source.description.average_bits(), 3),
            },
            tables=(
                Table(
                    title="Read back",
                    columns=("reader", "what", "found", "limit"),
                    rows=tuple((check.reader, check.what, check.error, check.limit) for check in checks),
                ),
            ),
            notes=tuple(notes),
        )
        html.write(report, folder)
        run.metric(f"size.mb.{format}", round(size / 1e6, 3), scale=source.description.teacher)
        for number, check in enumerate(checks):
            run.metric(f"check.{number}.{check.reader.replace(' ', '_')}", check.error, scale=check.what)
    return report


WEIGHTS = (".safetensors", ".gguf", ".onnx", ".data")
"""Files that hold weights."""
