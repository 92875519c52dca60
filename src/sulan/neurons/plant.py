"""`sulan neurons plant`: a model whose every neuron is known, and a text in which all of them show."""

from pathlib import Path

from sulan.reports.report import Report, Table


def plant(
    *,
    out: Path,
    layers: int = 2,
    vocabulary: int = 48,
    context: int = 64,
    documents: int = 400,
    seed: int = 0,
) -> Report:
    """Write a hand-built OPT checkpoint whose neurons are known, and a text for it.

    It is what the other verbs are tested against, and something to try them on without a download.

    Parameters
    ----------
    out
        Folder for `model` (a checkpoint), `corpus` and `planted.json` (what each neuron is). Written aside, renamed
        when whole.
    layers
        Layers, with one neuron of every kind in each.
    vocabulary
        Words, beginning of sequence among them; at least 16.
    context
        Longest sequence in words, at least 16. 64 keeps the quarter, the half and the single position apart.
    documents
        Documents of the text; each fills one window. 400 show every n-gram detector at least 40 times.
    seed
        The text depends on this.

    Returns
    -------
    Report
        What was planted where.

    Raises
    ------
    InputError
        Too few layers, words or positions for every kind.
    """
    config = dict(locals())
    import json
    from dataclasses import asdict

    import pyarrow as pa

    from sulan.documents import writer
    from sulan.errors import InputError
    from sulan.models import save
    from sulan.neurons import gallery, planting
    from sulan.runs import outputs
    from sulan.runs.record import record

    if layers < 1 or documents < 1:
        raise InputError(f"{layers} layers and {documents} documents: at least 1 of each")
    gates = [gallery.gallery(vocabulary=vocabulary, context=context, layer=layer) for layer in range(layers)]
    planted = [
        {"layer": layer, "neuron": neuron, **asdict(gate)}
        for layer, each in enumerate(gates)
        for neuron, gate in enumerate(each)
    ]
    with (
        outputs.folder(out) as folder,
        record(verb="neurons plant", folder=folder, config=config, seed=seed) as run,
    ):
        model = planting.build(gates, vocabulary=vocabulary, context=context)
        (folder / "model").mkdir()
        save(model, gallery.tokenizer(vocabulary=vocabulary, context=context), folder / "model")
        rows = list(gallery.documents(vocabulary=vocabulary, context=context, count=documents, seed=seed))
        ids, texts = (list(column) for column in zip(*rows, strict=True))
        (folder / "corpus").mkdir()
        writer.write(
            [pa.table({"id": pa.array(ids), "text": pa.array(texts, pa.large_string())})], folder / "corpus"
        )
        outputs.write_text(folder / "planted.json", json.dumps(planted, indent=1) + "\n")
        run.metric("neurons", len(planted), scale=f"{layers} layers")
    return Report(
        title="neurons plant",
        summary={
            "layers": layers,
            "neurons a layer": len(gates[0]),
            "model": str(out / "model"),
            "corpus": str(out / "corpus"),
        },
        tables=(
            Table(
                title="Planted",
                columns=("layer", "neuron", "kind"),
                rows=tuple((row["layer"], row["neuron"], row["kind"]) for row in planted),
            ),
        ),
    )
