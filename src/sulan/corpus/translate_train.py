"""`sulan corpus translate-train`: a translation model with `<2xx>` target tokens (2309.04662, section 4)."""

from pathlib import Path

from sulan.corpus.translation import Shape, Training
from sulan.reports.report import Report, Table


def translate_train(
    pairs: tuple[Path, ...],
    *,
    out: Path,
    shape: Shape = Shape(),
    training: Training = Training(),
    seed: int = 0,
) -> Report:
    """Train a translation model on sentence pairs, all directions in one model.

    A killed run goes on from its last checkpoint and ends with the same bytes, on the same number of threads.

    Parameters
    ----------
    pairs
        JSON Lines or Parquet with `text`, `translation`, `source_lang` and `target_lang`, such as `sulan corpus
        translate --back` writes; or `sample`.
    out
        Folder of the model: a T5 checkpoint that transformers loads, and the same for CTranslate2 in `ctranslate2`.
    shape
        Its size.
    training
        How it is trained.
    seed
        Of the weights and the order of the pairs.

    Returns
    -------
    Report
        Directions with their shares, parameters, first and last losses.

    Raises
    ------
    InputError
        There are no pairs, a field is missing, or the work folder holds another training.
    """
    config = dict(locals())
    import shutil

    from sulan.corpus import pairs as files
    from sulan.corpus import samples
    from sulan.reports import html
    from sulan.runs import fingerprints, outputs
    from sulan.runs.record import record

    found = files.read(pairs)
    located = [samples.pairs(path) for path in pairs]

    from sulan.corpus import seq2seq, translator

    work = out.absolute().with_name(f".{out.name}.work")
    with (
        outputs.folder(out) as folder,
        record(verb="corpus translate-train", folder=folder, config=config, seed=seed, inputs=located) as run,
    ):
        languages = sorted({pair.target_lang for pair in found})
        texts = [text for pair in found for text in (pair.text, pair.translation)]
        words = seq2seq.tokenizer(texts, languages, vocabulary=shape.vocabulary)
        network = seq2seq.model(words, shape, seed=seed)
        data = seq2seq.encode(found, words, training)
        about = {"pairs": [fingerprints.path(path) for path in located], "shape": repr(shape)}
        losses = seq2seq.train(network, data, training=training, seed=seed, about=about, folder=work)
        translator.save(network, words, folder)
        parameters = sum(weight.numel() for weight in network.parameters())
        report = Report(
            title="corpus translate-train",
            summary={
                "pairs": len(found),
                "directions": len(data.shares),
                "parameters": parameters,
                "tokens of the pairs": data.tokens,
                "steps": training.steps,
                "first loss": round(losses[0], 3),
                "last loss": round(losses[-1], 3),
            },
            tables=(
                Table(
                    title="Directions",
                    columns=("direction", "pairs", "share of the batches"),
                    rows=tuple(
                        (name, len(data.sources[name]), round(s, 4)) for name, s in data.shares.items()
                    ),
                ),
            ),
        )
        html.write(report, folder)
        scale = f"{parameters} parameters, {len(found)} pairs, {training.steps} steps of {training.batch}"
        run.metric("loss.last", round(losses[-1], 4), scale=scale)
    shutil.rmtree(work)
    return report
