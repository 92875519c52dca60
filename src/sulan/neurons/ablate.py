"""`sulan neurons ablate`: what a class of neurons is worth, by the loss without it."""

from pathlib import Path

from sulan.reports.report import Report, Table


def ablate(
    model: str,
    *,
    tables: Path,
    data: Path,
    out: Path,
    classes: tuple[str, ...] = ("never", "token detectors", "positional"),
    documents: int = 200,
    seed: int = 0,
) -> Report:
    """Measure how the loss changes when a class of neurons is set to zero.

    The paper looks at activations alone; this asks whether the model needs what it found. Beside each class the
    same number of other active neurons of the same layers is zeroed, drawn at random: a class matters where it
    costs more than they do.

    Parameters
    ----------
    model
        The model that was classified.
    tables
        What `sulan neurons classify` wrote.
    data
        Text to measure the loss on; best one that was not scanned.
    out
        Folder for `report.html` and `report.json`. Written aside, renamed when whole.
    classes
        `never`, `rare`, `always`, `token detectors`, `bigram detectors`, `trigram detectors`, `positional`,
        `oscillatory`, `both extremes`, `one extreme`, `other`.
    documents
        Documents of the text, from its beginning.
    seed
        The random neurons, and the intervals' resampling, depend on this.

    Returns
    -------
    Report
        Loss with all neurons and without each class, with the 95 % interval of the change over documents.

    Raises
    ------
    InputError
        No such class, or the model is another one.
    """
    config = dict(locals())
    from itertools import islice

    from sulan.neurons import tables as stored
    from sulan.neurons import texts

    read = stored.read(tables)
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    with (
        texts.opened(data) as corpus,
        outputs.folder(out) as folder,
        record(verb="neurons ablate", folder=folder, config=config, seed=seed, inputs=[tables, data]) as run,
    ):
        from sulan.neurons import ablation  # torch, once it is clear that there is a text

        some = list(islice(texts.texts(corpus), documents))
        found = ablation.ablate(model, read, some, classes=classes, seed=seed)
        scale = f"{read.meta.scale}; loss on {found.tokens:,} tokens of {found.documents} documents"
        for name, value in found.measured.items():
            run.metric(name, value, scale=scale)
        report = Report(
            title=f"neurons ablate {Path(model).name or model}",
            summary={"loss": found.loss, "tokens": found.tokens, "documents": found.documents},
            tables=(
                Table(
                    title="Change of the loss, nats a token",
                    columns=("class", "neurons", "change", "from", "to", "as many others", "from", "to"),
                    rows=found.rows,
                ),
            ),
            notes=("Intervals are 95 %, over documents. Zero is what a ReLU neuron gives when not active.",),
        )
        html.write(report, folder)
    return Report(
        title=report.title,
        summary={**report.summary, "out": str(out)},
        tables=report.tables,
        notes=report.notes,
    )
