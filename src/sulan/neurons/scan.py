"""`sulan neurons scan`: when every feed-forward neuron of a model is active, counted over a text."""

from pathlib import Path
from typing import Literal

from sulan.neurons.settings import Reading
from sulan.reports.report import Report

UNIT_TOKENS = 1 << 16
"""Most tokens that a killed worker costs."""


def scan(
    model: str,
    *,
    data: Path,
    out: Path,
    rule: Literal["auto", "nonzero", "gate-open", "output-norm"] = "auto",
    ngrams: tuple[int, ...] = (1, 2, 3),
    layers: str = "all",
    memory_budget: str = "4g",
    shard: str = "1/1",
    resume: bool = True,
    workers: int | None = None,
    dtype: Literal["auto", "float32", "bfloat16"] = "float32",
    reading: Reading = Reading(),
) -> Report:
    """Count when every feed-forward neuron of a model is active.

    Parameters
    ----------
    model
        `smollm2`, `gemma`, a checkpoint folder, a `.gguf` file or the id of a model on the Hub.
    data
        Corpus, or a file that can be one (text, JSON Lines, Parquet, ...).
    out
        Folder for the counters. Written aside, renamed when whole.
    rule
        When a neuron is active. `nonzero`: its value is not 0, the paper's for ReLU; `gate-open`: the input of the
        activation function is above 0; `output-norm`: what it adds is longer than a threshold. `auto`: `nonzero`
        where the activation function gives exactly 0 below 0, else `gate-open`.
    ngrams
        Lengths of n-grams to look for triggers among: the paper's 1, 2 and 3. `0` for none, which keeps no bit a
        token and neuron on disk: the way for dead neurons over very much text.
    layers
        `all`, `first-half` (where the paper looks for n-grams), or numbers from 0 and ranges, `0,3-5`. The pass
        ends after the last one.
    memory_budget
        Memory for counting, for all workers together and without the model: bytes, or with k, m, g.
    shard
        `i/n`: count part i of n, from 1; `sulan neurons merge` adds the parts up.
    resume
        Go on where a run that was killed had come to; otherwise begin anew.
    workers
        Processes. None: the cores that this process may use; on a GPU, 1.
    dtype
        Precision of the model. bfloat16 is four times faster where the CPU multiplies it, and flips the sign of
        some values near 0.
    reading
        How text becomes windows of tokens.

    Returns
    -------
    Report
        What was counted, and mean activity by layer.

    Raises
    ------
    InputError
        No such layers, a context longer than the model's, a tokenizer without beginning of sequence, text without
        tokens, a budget that cannot hold the counters, an architecture whose neurons are not known.
    BackendError
        Units failed, as where an activation is NaN: the message names layer and neuron. What is done is kept.
    """
    config = dict(locals())
    import shutil

    from sulan.neurons import options, texts
    from sulan.runs import outputs
    from sulan.runs.record import record

    part, budget = options.shard(shard), options.size(memory_budget)
    with texts.opened(data) as corpus:  # tells a missing corpus before torch is loaded
        from sulan.neurons import reduction, sequences, tallies, units
        from sulan.runs import shards

        work = out.parent / f".{out.name}.work"
        with (
            outputs.folder(out) as folder,
            record(verb="neurons scan", folder=folder, config=config, inputs=[data]) as run,
        ):
            if not resume:
                shutil.rmtree(work, ignore_errors=True)
            work.mkdir(exist_ok=True)
            language_model = units.opened(model, dtype)
            text = units.text_of(texts.texts(corpus), language_model, reading=reading)
            meta = units.describe(
                text,
                language_model,
                rule=rule,
                ngrams=tuple(sorted({n for n in ngrams if n})),
                layers=layers,
                shard=part,
                reading=reading,
            )
            on_gpu = language_model.model.device.type == "cuda"
            del language_model
            units.opened.cache_clear()  # the workers have their own
            sequences.save(text, folder)
            sequences.save(text, work)
            planned = units.plan(
                text, meta, batch=reading.batch, budget=budget, workers=workers, most=UNIT_TOKENS
            )
            mine = planned[part[0] - 1 :: part[1]]
            shards.map_shards(
                units.count,
                mine,
                out=work / "units",
                arguments={"model": model, "dtype": dtype, "text": work / sequences.FILE, "meta": meta},
                workers=1 if on_gpu else workers,
                label="units",
            )
            paths = [shards.shard_folder(work / "units", number) / units.FILE for number in range(len(mine))]
            meta.write(folder)
            if part[1] == 1:
                counted = reduction.reduce(paths, text, meta, budget=budget)
                counted.write(folder)
                tables = (tallies.by_layer(counted, meta),)
            else:
                tables = ()
                for number, path in enumerate(paths):
                    shutil.copyfile(path, folder / units.file_name(number))
            run.metric("tokens", meta.tokens, scale=meta.scale)
    shutil.rmtree(work)
    return Report(
        title=f"neurons scan {model}",
        summary={**tallies.facts(meta), "units": len(mine), "out": str(out)},
        tables=tables,
        notes=tallies.warnings(meta),
    )
