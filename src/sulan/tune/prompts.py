"""The words that the two models read. Pure text; the same task gives the same words, byte for byte.

The frozen model reads what all questions share (instructions and exemplars) and then its question, so that the shared
part can be computed once. Not covered: chat templates of local models; remote ones get messages (`teachers`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sulan.tune.task import Exemplar, Task, Wording


@dataclass(frozen=True, kw_only=True)
class Student:
    """What stands before and behind a rationale in the small model's prompt.

    A rationale that is too long is cut, never the question and never the answer.
    """

    before: str
    reasoning: str
    after: str

    def text(self) -> str:
        """Return the whole prompt."""
        return self.before + self.reasoning + self.after


def shared(wording: Wording, *, exemplars: Sequence[Exemplar], reasons: bool, answers: bool) -> str:
    """Return what stands before every question of the frozen model.

    Parameters
    ----------
    wording
        Its words.
    exemplars
        Those that are shown.
    reasons, answers
        Whether the exemplars show their reasoning and their answer.
    """
    blocks = [wording.instructions] if wording.instructions else []
    for each in exemplars:
        lines = [wording.question.replace("{input}", each.input)]
        if reasons:
            lines.append(f"{wording.reasoning} {each.reasoning}")
        if answers:
            lines.append(f"{wording.answer} {each.answer}")
        blocks.append("\n".join(lines))
    return "".join(f"{block}\n\n" for block in blocks)


def question(wording: Wording, text: str, *, reasoning: str | None, asks: str) -> str:
    """Return the question of the frozen model.

    Parameters
    ----------
    wording
        Its words.
    text
        The input.
    reasoning
        Its own rationale, where it has given one already; None: none.
    asks
        `reasoning` or `answer`: what it shall write.

    Examples
    --------
    >>> question(Wording(question="Q: {input}"), "2 + 2", reasoning=None, asks="reasoning")
    'Q: 2 + 2\\nReasoning:'
    >>> question(Wording(question="Q: {input}"), "2 + 2", reasoning="two twice", asks="answer")
    'Q: 2 + 2\\nReasoning: two twice\\nAnswer:'
    """
    lines = [wording.question.replace("{input}", text)]
    if reasoning is not None:
        lines.append(f"{wording.reasoning} {reasoning}")
    lines.append(wording.reasoning if asks == "reasoning" else wording.answer)
    return "\n".join(lines)


def student(task: Task, text: str, *, reasoning: str, instructions: bool) -> Student:
    """Return the prompt of the small model: I_tau, the rationale y_beta and the input x (algorithm 2).

    Without a rationale its line is missing, so that an empty rationale is exactly fine-tuning with instructions.

    Examples
    --------
    >>> from sulan.tune.task import of_wording
    >>> words = {"instructions": "Add.", "question": "Q: {input}", "reasoning": "Hint:"}
    >>> task = of_wording({"name": "", "about": "", "labels": [], "teacher": {}, "student": words})
    >>> student(task, "2 + 2", reasoning="two twice", instructions=True).text()
    'Add.\\n\\nQ: 2 + 2\\nHint: two twice\\nAnswer:'
    >>> student(task, "2 + 2", reasoning="", instructions=False).text()
    'Q: 2 + 2\\nAnswer:'
    """
    wording = task.student
    head = f"{wording.instructions}\n\n" if instructions and wording.instructions else ""
    asked = wording.question.replace("{input}", text)
    if not reasoning:
        return Student(before=f"{head}{asked}", reasoning="", after=f"\n{wording.answer}")
    return Student(
        before=f"{head}{asked}\n{wording.reasoning} ", reasoning=reasoning, after=f"\n{wording.answer}"
    )
