"""`sulan tune predict`: answers of a tuned small model, with the frozen one's rationales."""

from pathlib import Path

from sulan.chat.settings import ChatSettings
from sulan.reports.report import Report


def predict(
    tuned: Path,
    *,
    data: Path,
    out: Path,
    text: str = "text",
    rationales: Path | None = None,
    teacher: str = "",
    student: str = "",
    fallback: bool = False,
    max_tokens: int = 64,
    max_cost: float | None = None,
    chat: ChatSettings = ChatSettings(),
) -> Report:
    """Answer new inputs: the frozen model reasons, the tuned model reads its rationale and answers.

    Parameters
    ----------
    tuned
        What `sulan tune fit` wrote.
    data
        Inputs: a corpus, JSON Lines, CSV, Parquet or text files.
    out
        Folder for the answers, a corpus with `answer`, `probability`, `probabilities`, `reasoning` and `fallback`.
        Written aside, renamed when whole.
    text
        Column of the inputs.
    rationales
        Rationales that `sulan tune reason` wrote for these inputs; None: the frozen model is asked.
    teacher
        Where the frozen model is now, if not where it was; it must be the same one.
    student
        Where the small model is now, if not where it was; it must be the same one.
    fallback
        Answer without a rationale where the frozen model gives none (not reachable, refused, empty). Otherwise an
        unreachable frozen model is an error, and nothing is written.
    max_tokens
        Most tokens of a free-text answer.
    max_cost
        Stop before a request that may take the total above this.
    chat
        How a chat model is reached.

    Returns
    -------
    Report
        Inputs, answers by label, answers without a rationale, calls and tokens of the frozen model.

    Raises
    ------
    MissingFile, InputError
        There is no such model or data, or a model is another one than before.
    BackendError
        The frozen model cannot be reached, and `fallback` is not set. Replies that came are kept in the cache.
    """
    config = dict(locals())
    from collections import Counter

    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.tune import fiat as stored

    fiat = stored.read(tuned)
    with (
        outputs.folder(out) as folder,
        record(verb="tune predict", folder=folder, config=config, inputs=[tuned, data]) as run,
    ):
        from sulan.tune import answering, students

        inputs = answering.inputs(data, column=text)
        reasons, ledger = answering.reasons(
            fiat,
            inputs,
            rationales=rationales,
            teacher=teacher,
            fallback=fallback,
            max_cost=max_cost,
            chat=chat,
        )
        loaded = students.load(tuned, fiat, base=student or None, dtype="auto")
        answers = answering.answer(loaded, fiat, inputs, reasons, max_tokens=max_tokens)
        answering.save(answers, inputs, reasons, fiat, folder)
        without = sum(fiat.reasons and not reason for reason in reasons)
        scale = (
            f"{fiat.task.name}, {len(inputs)} inputs, {fiat.student} with {fiat.teacher or 'no frozen model'}"
        )
        run.metric("inputs", len(inputs), scale=scale)
        run.metric("without.rationale", without, scale=scale)
    said = Counter(answer.text for answer in answers) if fiat.task.labels else Counter[str]()
    return Report(
        title=f"tune predict {fiat.task.name}",
        summary={
            "inputs": len(inputs),
            **{f"answers {name}": said[name] for name in fiat.task.labels},
            "without a rationale": without,
            **{f"ledger: {name}": value for name, value in ledger.items()},
            "out": str(out),
        },
        exit_code=3 if without and not fallback else 0,
    )
