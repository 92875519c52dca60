"""`sulan prune reference`: a reference model from a corpus, neural or n-gram."""

from pathlib import Path

from sulan.prune.plans import Pretraining, Shape
from sulan.reports.report import Report


def reference(
    corpus: Path,
    *,
    out: Path,
    ngram: int = 0,
    shape: Shape = Shape(),
    training: Pretraining = Pretraining(),
    early: tuple[int, ...] = (14, 55),
    tokenizer: str = "",
    seed: int = 0,
) -> Report:
    """Train a reference model that `sulan prune score` can ask.

    Parameters
    ----------
    corpus
        What to train on; or `python`, the built-in corpus.
    out
        Folder of the model: a Hugging Face checkpoint, with those on the way in `checkpoints/`; or an n-gram
        model, `model.arpa` with its tokenizer. A killed training goes on where it was.
    ngram
        Longest n-gram in tokens, and no neural model: interpolated modified Kneser-Ney, as KenLM's lmplz
        estimates; CCNet has 5. 0: a neural model.
    shape
        Shape of the neural model, and the vocabulary of the tokenizer.
    training
        How the neural model is trained.
    early
        Percent of the training after which the model is saved too, for scores of an early reference. Default:
        the two of 2309.04564.
    tokenizer
        A model whose tokenizer is used (a folder, `smollm2`, ...). Empty: a byte-level BPE learned from the
        corpus.
    seed
        Of the weights.

    Returns
    -------
    Report
        Parameters or n-grams, tokens, the last loss.

    Raises
    ------
    InputError
        A setting is out of range, or the corpus is too small for one sequence.
    """
    config = dict(locals())
    import shutil

    from sulan.errors import InputError
    from sulan.prune import references
    from sulan.prune.built_in import located
    from sulan.prune.plans import work_name
    from sulan.reports import html
    from sulan.runs import fingerprints, outputs
    from sulan.runs.record import record

    if ngram and ngram < 2:
        raise InputError(f"ngram must be 0 or at least 2, not {ngram}")
    corpus = located(corpus)
    work = out.absolute().with_name(f".{out.name}.work")
    with (
        outputs.folder(out) as folder,
        record(verb="prune reference", folder=folder, config=config, seed=seed, inputs=[corpus]) as run,
    ):
        words = references.tokenizer(corpus, tokenizer, shape=shape, context=training.context)
        if ngram:
            facts = references.ngram(corpus, words, folder, order=ngram)
        else:
            facts = references.neural(
                corpus,
                words,
                folder,
                shape=shape,
                training=training,
                early=early,
                work=work / work_name(**{**config, "corpus": fingerprints.path(corpus)}),
                seed=seed,
            )
        report = Report(title="prune reference", summary={"kind": "n-gram" if ngram else "neural", **facts})
        html.write(report, folder)
        for name, value in facts.items():
            if isinstance(value, int | float):
                run.metric(name.replace(" ", "_"), value, scale=f"{facts['tokens']} tokens")
    shutil.rmtree(work, ignore_errors=True)
    return report
