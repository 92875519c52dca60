"""Exercises that a model is judged on, as multiple choice: generated problems, and which word a meaning belongs to.

Wordings are those of the template writer, so a model that read its texts knows the form. Problems are drawn under names
that no plan has, so from other seeds than the texts'; the same problem can still come twice by chance, which the
overlap with the training corpora shows. Not covered: keeping a word's meaning out of the texts.
"""

from collections.abc import Sequence

from sulan.errors import InputError
from sulan.evaluation.choices import Item
from sulan.runs import seeds
from sulan.textbook import problems
from sulan.textbook.glosses import Nouns

CHOICES = 4
"""Answers to choose from: chance is a quarter, as with the template writer's own exercises."""


def cloze(nouns: Nouns, words: Sequence[str], *, count: int, seed: int) -> list[Item]:
    """Return questions which noun a meaning belongs to.

    Parameters
    ----------
    nouns
        WordNet.
    words
        Nouns; a question's choices all lie below one of them.
    count
        Questions for each noun, or as many as have a meaning.
    seed
        Of the questions and of the wrong choices.

    Raises
    ------
    InputError
        WordNet has no such noun, or too little lies below it.
    """
    items = []
    for word in words:
        below = [sense for sense in nouns.below(nouns.sense(word)) if sense.meaning]
        names = sorted({sense.words[0] for sense in below})
        if len(names) < CHOICES:
            raise InputError(f"fewer than {CHOICES} nouns lie below {word!r}")
        draw = seeds.generator(seed, f"cloze {word}")
        for place in draw.permutation(len(below))[:count]:
            sense = below[place]
            others = [name for name in names if name not in sense.words]
            wrong = [others[n] for n in draw.permutation(len(others))[: CHOICES - 1]]
            choices = [sense.words[0], *wrong]
            order = draw.permutation(len(choices)).tolist()
            shown = tuple(choices[n] for n in order)
            items.append(
                Item(
                    id=f"cloze {word} {sense.number}",
                    context=f"Which word means: {sense.meaning}? Choose from: {', '.join(shown)}.\nAnswer:",
                    choices=shown,
                    answer=order.index(0),
                )
            )
    return items


def solved(names: Sequence[str], *, count: int, seed: int) -> list[Item]:
    """Return generated problems whose wrong choices are answers of other problems of the same generator.

    Parameters
    ----------
    names
        Generators of reasoning-gym.
    count
        Problems of each.
    seed
        Of the problems and of the wrong choices.

    Raises
    ------
    InputError
        There is no such generator, or its problems have too few different answers.
    MissingExtra
        reasoning-gym is not installed.
    """
    items = []
    for name in names:
        drawn = problems.draw(name, count=count, seed=seed, item="evaluate")
        answers = sorted({problem.answer for problem in drawn})
        if len(answers) < CHOICES:
            raise InputError(f"{count} problems {name!r} have {len(answers)} answers, not {CHOICES}")
        draw = seeds.generator(seed, f"solved {name}")
        for number, problem in enumerate(drawn):
            others = [answer for answer in answers if answer != problem.answer]
            choices = [problem.answer, *(others[n] for n in draw.permutation(len(others))[: CHOICES - 1])]
            order = draw.permutation(CHOICES).tolist()
            items.append(
                Item(
                    id=f"{name} {number}",
                    context=f"{problem.question}\nAnswer:",
                    choices=tuple(choices[n] for n in order),
                    answer=order.index(0),
                )
            )
    return items
