"""The frozen model answering by itself: zero-shot, from exemplars, and from exemplars with its own reasoning.

These are the paper's in-context baselines. A local model's labels are scored like the small model's (`labels`), after
a prefix that is read once; a chat model's answer is read from what it writes. Not covered: exemplars chosen for each
question, calibration.
"""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import Cache, DynamicCache

from sulan.chat.protocol import Reply
from sulan.models import LanguageModel, tokens
from sulan.runs.progress import progress
from sulan.tune import labels as closed
from sulan.tune import prompts
from sulan.tune.labels import Tokens
from sulan.tune.local import Local
from sulan.tune.students import answer_tokens
from sulan.tune.task import Example, Task, Wording
from sulan.tune.teachers import Question, Teacher

STOP = ("\n",)
ANSWER_TOKENS = 16
"""Most tokens of an answer that a chat model writes."""

BATCH = 16
"""Questions read together behind the shared prefix."""


def wording(task: Task, *, reasons: bool) -> Wording:
    """Return the words of in-context learning: the teacher's, with the student's instructions where it must answer."""
    given = task.teacher
    both = "\n".join(dict.fromkeys(each for each in (given.instructions, task.student.instructions) if each))
    return Wording(
        instructions=both if reasons else task.student.instructions,
        question=given.question,
        reasoning=given.reasoning,
        answer=given.answer,
        exemplars=given.exemplars,
    )


def chances(
    teacher: Teacher,
    task: Task,
    examples: Sequence[Example],
    *,
    shots: int | None,
    reasons: Sequence[str] | None,
    label: str,
) -> np.ndarray:
    """Return the probability of every label, float64 [examples, labels]; a chat model's are 0 and 1.

    Parameters
    ----------
    teacher
        The frozen model.
    task
        Words and labels.
    examples
        What to answer.
    shots
        Exemplars shown; None: all.
    reasons
        The model's own rationales, which then stand before the answer; None: without.
    label
        What the progress says.
    """
    words = wording(task, reasons=reasons is not None)
    shared = prompts.shared(
        words, exemplars=words.exemplars[:shots], reasons=reasons is not None, answers=True
    )
    given = reasons if reasons is not None else [None] * len(examples)
    texts = [
        prompts.question(words, example.input, reasoning=reason, asks="answer")
        for example, reason in zip(examples, given, strict=True)
    ]
    if isinstance(teacher, Local):
        answers = answer_tokens(teacher.language_model, task.labels)
        return _scored(teacher.language_model, shared, texts, answers, label=label)
    asked = [Question(shared=shared, text=text, max_tokens=ANSWER_TOKENS, stop=STOP) for text in texts]
    return np.stack([_read(reply, task.labels) for reply in teacher.ask(asked, label=label)])


def _read(reply: object, labels: Sequence[str]) -> np.ndarray:
    """Return 1 for the label that a reply begins with, or names alone; all alike where it says nothing of the kind."""
    found = np.full(len(labels), 1 / len(labels))
    if not isinstance(reply, Reply):
        return found
    text = reply.text.strip().casefold()
    begins = [number for number, each in enumerate(labels) if text.startswith(each.casefold())]
    named = [number for number, each in enumerate(labels) if each.casefold() in text]
    chosen = max(begins, key=lambda number: len(labels[number])) if begins else None
    if chosen is None and len(named) == 1:
        chosen = named[0]
    return found if chosen is None else np.eye(len(labels))[chosen]


@torch.inference_mode()
def _scored(
    model: LanguageModel, shared: str, texts: Sequence[str], answers: Sequence[Tokens], *, label: str
) -> np.ndarray:
    first = tokens.first_context(model.tokenizer)
    prefix, *encoded = tokens.encode(model.tokenizer, [shared, *texts])
    leading = np.array([] if first is None else [first], dtype=np.int64)
    prefix = np.concatenate([leading, prefix])
    places = closed.branches(answers)
    logs = np.zeros((len(texts), len(answers)))
    asked = [
        (number, place, np.concatenate([text, np.asarray(beginning, dtype=np.int64)]))
        for number, text in enumerate(encoded)
        for place, (beginning, _) in enumerate(places)
    ]
    asked.sort(key=lambda each: len(each[2]))
    before: Cache | None = None
    if len(prefix):
        before = DynamicCache(config=model.model.config)
        row = torch.from_numpy(prefix.astype(np.int64))[None].to(model.model.device)
        model.model(input_ids=row, past_key_values=before, use_cache=True, logits_to_keep=1)
    runs = [asked[begin : begin + BATCH] for begin in range(0, len(asked), BATCH)]
    for run in progress(runs, label=label):
        logits = _last_logits(model, before, len(prefix), [text for _, _, text in run])
        for row, (number, place, _) in zip(logits, run, strict=True):
            following = places[place][1]
            found = row[list(following)].double().log_softmax(0).tolist()
            for members, chance in zip(following.values(), found, strict=True):
                logs[number, members] += chance
    made = np.exp(logs)
    return made / made.sum(axis=1, keepdims=True)


def _last_logits(
    model: LanguageModel, before: Cache | None, length: int, texts: Sequence[np.ndarray]
) -> Iterator[torch.Tensor]:
    """Yield the logits after each text behind the prefix."""
    longest = max(map(len, texts))
    read = torch.zeros(len(texts), longest, dtype=torch.int64)
    mask = torch.zeros(len(texts), length + longest, dtype=torch.int64)
    mask[:, :length] = 1
    for row, text in enumerate(texts):
        read[row, longest - len(text) :] = torch.from_numpy(text.astype(np.int64))
        mask[row, length + longest - len(text) :] = 1
    cache = None
    if before is not None:
        cache = copy.deepcopy(before)
        cache.batch_repeat_interleave(len(texts))
    device = model.model.device
    positions = (mask.cumsum(1) - 1).clamp_min(0)[:, length:]
    yield from model.model(
        input_ids=read.to(device),
        attention_mask=mask.to(device),
        position_ids=positions.to(device),
        past_key_values=cache,
        use_cache=cache is not None,
        logits_to_keep=1,
    ).logits[:, -1]
