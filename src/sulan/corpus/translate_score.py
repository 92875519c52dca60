"""`sulan corpus translate-score`: chrF and BLEU beside copying, a dictionary and a translation memory."""

from pathlib import Path

from sulan.reports.report import Report, Table


def translate_score(
    pairs: tuple[Path, ...],
    *,
    model: str,
    train: tuple[Path, ...],
    out: Path,
    other: str = "",
    beams: int = 1,
    limit: int = 2000,
    resamples: int = 1000,
    seed: int = 0,
) -> Report:
    """Score a translation model on held-out sentence pairs.

    Parameters
    ----------
    pairs
        Held-out pairs, in files as `sulan corpus translate-train` takes them; or `sample`.
    model
        Folder of a model, or its id on the Hub.
    train
        Pairs that the dictionary and the translation memory are made of: the model's own.
    out
        Folder of the report and `outputs.jsonl`.
    other
        A second model to compare with, such as the same before back-translation.
    beams
        Width of the search.
    limit
        Most pairs of a direction, drawn at random.
    resamples
        Of the paired bootstrap.
    seed
        Of the draw and the bootstrap.

    Returns
    -------
    Report
        chrF2 and BLEU with sacreBLEU's signatures by direction, for the model and what it must beat, and the
        differences with their two-sided p (paired bootstrap).

    Raises
    ------
    InputError
        The model cannot translate into a language of the pairs, or there are no pairs to learn from.
    """
    config = dict(locals())
    import json

    from sulan.corpus import pairs as files
    from sulan.corpus import samples, scoring
    from sulan.errors import InputError
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    if beams < 1 or limit < 1 or resamples < 1:
        raise InputError("beams, limit and resamples must be at least 1")
    held, known = files.read(pairs), files.read(train)
    from sulan.corpus.translator import Translator

    systems = {"model": Translator(model), **({"other": Translator(other)} if other else {})}
    located = [samples.pairs(path) for path in (*pairs, *train)]
    models = [Path(name) for name in (model, other) if name and Path(name).exists()]
    with (
        outputs.folder(out) as folder,
        record(
            verb="corpus translate-score", folder=folder, config=config, seed=seed, inputs=[*located, *models]
        ) as run,
    ):
        rows, differences, lines = [], [], []
        for direction, some in scoring.by_direction(held, limit=limit, seed=seed).items():
            learned = [(pair.text, pair.translation) for pair in known if pair.direction == direction]
            said = scoring.outputs(some, learned, systems, beams=beams)
            references = [pair.translation for pair in some]
            scores = {name: scoring.score(found, references) for name, found in said.items()}
            rows += [(direction, name, len(some), s.chrf, s.bleu) for name, s in scores.items()]
            scale = f"{direction}, {len(some)} held-out pairs, learned from {len(learned)}"
            for name in [name for name in scores if name != "model"]:
                ahead = scoring.compare(scores["model"], scores[name], resamples=resamples, seed=seed)
                differences.append((direction, name, ahead.difference, ahead.low, ahead.high, ahead.p))
                run.metric(
                    f"chrf.difference.{name}.{direction}".replace("-", "_"),
                    ahead.difference,
                    scale=f"{scale}; 95 %: {ahead.low} to {ahead.high}, p = {ahead.p}",
                )
            for name, found in scores.items():
                run.metric(f"chrf.{name}.{direction}".replace("-", "_"), found.chrf, scale=scale)
            lines += [
                {"direction": direction, "text": pair.text, "reference": pair.translation}
                | {name: found[number] for name, found in said.items()}
                for number, pair in enumerate(some)
            ]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        outputs.write_text(folder / "outputs.jsonl", text)
        best = min((row[2] for row in differences if row[1] != "other"), default=0.0)
        run.metric(
            "chrf.difference", best, scale=f"least difference to a baseline; {len(lines)} held-out pairs"
        )
        gains = [row[2] for row in differences if row[1] == "other"]
        if gains:
            gain = round(sum(gains) / len(gains), 2)
            run.metric(
                "chrf.back_translation.gain",
                gain,
                scale=f"{len(lines)} held-out pairs, {len(gains)} directions",
            )
        report = Report(
            title="corpus translate-score",
            summary={
                "pairs": len(lines),
                "least difference to a baseline, chrF": best,
                **scoring.signatures(),
            },
            tables=(
                Table(
                    title="Scores",
                    columns=("direction", "system", "pairs", "chrF2", "BLEU"),
                    rows=tuple(rows),
                ),
                Table(
                    title="The model's chrF2 minus the system's",
                    columns=("direction", "system", "difference", "low", "high", "p"),
                    rows=tuple(differences),
                ),
            ),
        )
        html.write(report, folder)
    return report
