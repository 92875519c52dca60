"""Accuracy, F1 and the area under the precision-recall curve of label probabilities; F1 of free text.

Not covered: calibration.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import average_precision_score, f1_score


def right(chances: np.ndarray, answers: Sequence[int]) -> np.ndarray:
    """Return 1 where the likeliest label is the right one, float64 [examples]."""
    return (chances.argmax(axis=1) == np.asarray(answers)).astype(np.float64)


def macro_f1(chances: np.ndarray, answers: Sequence[int]) -> float:
    """Return the mean of the labels' F1."""
    size = range(chances.shape[1])
    return float(
        f1_score(answers, chances.argmax(axis=1), labels=list(size), average="macro", zero_division=0)
    )


def auc_pr(chances: np.ndarray, answers: Sequence[int]) -> float:
    """Return the average precision: of the first label where there are two, else the labels' mean.

    The first of two labels is the positive one (2309.04663 reports AUC-PR for the binary XOR-AttriQA). Labels that no
    example has are left out.
    """
    truth = np.asarray(answers)
    labels = [0] if chances.shape[1] == 2 else range(chances.shape[1])
    found = [
        average_precision_score(truth == label, chances[:, label])
        for label in labels
        if (truth == label).any()
    ]
    return float(np.mean(found)) if found else float("nan")


def token_f1(said: str, answer: str) -> float:
    """Return SQuAD's F1: words in common, without case, punctuation and English articles.

    Examples
    --------
    >>> round(token_f1("The cat sat.", "a cat"), 3)
    0.667
    """
    one, other = (_words(text) for text in (said, answer))
    if not one or not other:
        return float(one == other)
    common = sum((Counter(one) & Counter(other)).values())
    if not common:
        return 0.0
    precision, recall = common / len(one), common / len(other)
    return 2 * precision * recall / (precision + recall)


def _words(text: str) -> list[str]:
    bare = "".join(each for each in text.lower() if each not in string.punctuation)
    return re.sub(r"\b(?:a|an|the)\b", " ", bare).split()
