"""The offline writer: textbook sections and exercises from WordNet's meanings and from problems with known answers.

Plain sentences around true statements; no model, no network, the same text for the same (seed, id). What it cannot do
is what a chat model is for: stories, transitions, anything that WordNet does not say.
"""

from collections.abc import Callable, Sequence

import numpy

from sulan.errors import InputError
from sulan.runs import seeds
from sulan.textbook import glosses, problems
from sulan.textbook.glosses import Nouns, Sense
from sulan.textbook.outline import Audience, Planned

NAME = "template"

TAUGHT: dict[Audience, int] = {"children": 5, "pupils": 8, "students": 12, "adults": 8}
"""Meanings of one section."""

ASKED = 5
"""Exercises of one text, as the prompt asks a chat model for."""

_OPENINGS = (
    "This section is about {topic}.",
    "In this section we learn about {topic}.",
    "Here we look at {topic} and at what they are called.",
    "What should one know about {topic}? This section says it word by word.",
)
_KINDS = (
    "{A} is a kind of {kind}.",
    "Among {topic} there is the {word}; it is a kind of {kind}.",
    "Every {word} is also a {kind}.",
)
_MEANINGS = (
    "The word {word} means: {meaning}.",
    "What is {a}? It is {meaning}.",
    "By {word} we mean {meaning}.",
)
_REVIEW = "To see what you remember: {questions}"


def write(planned: Planned, *, seed: int, nouns: Callable[[], Nouns] = glosses.installed) -> str:
    """Return the text of one row of a plan.

    Parameters
    ----------
    planned
        What is to be written; its topic needs a word or problems.
    seed
        Of the choice of meanings, sentences and problems.
    nouns
        WordNet; asked only where the topic has a word.

    Raises
    ------
    InputError
        The topic has neither, or names what does not exist.
    """
    topic = planned.topic
    draw = seeds.generator(seed, f"lesson {planned.id}")
    title = f"{topic.name[:1].upper()}{topic.name[1:]}"
    if not topic.word and not topic.problems:
        raise InputError(
            f"the template writer knows nothing of {topic.name!r}",
            hint="give the topic a word or problems, or take --writer openai:MODEL",
        )
    asks = topic.problems and (planned.form == "exercises" or not topic.word)
    if asks:
        return f"{title}\n\n{_problems(planned, draw, seed=seed)}\n"
    known = nouns()
    below = [sense for sense in known.below(known.sense(topic.word)) if sense.meaning]
    count = min(len(below), TAUGHT[planned.audience])
    chosen = [below[number] for number in draw.choice(len(below), count, replace=False)]
    if planned.form == "exercises":
        return f"{title}: exercises\n\n{_questions(chosen[:ASKED], below, draw)}\n"
    return f"{title}\n\n{_section(planned, chosen, known, draw)}\n"


def _section(planned: Planned, chosen: Sequence[Sense], known: Nouns, draw: numpy.random.Generator) -> str:
    topic = planned.topic.name
    paragraphs = [_pick(_OPENINGS, draw).format(topic=topic)]
    for sense in chosen:
        word = sense.words[0]
        article = _article(word)
        facts = {"word": word, "a": article, "A": f"A{article[1:]}", "topic": topic}
        said = [_pick(_MEANINGS, draw).format(meaning=sense.meaning, **facts)]
        kinds = [known.senses[number].words[0] for number in sense.kinds if number in known.senses]
        if kinds:
            said.append(_pick(_KINDS, draw).format(kind=kinds[0], **facts))
        if len(sense.words) > 1:
            said.append(f"Another name for it is {sense.words[1]}.")
        if sense.examples:
            said.append(f"For example: {sense.examples[0].rstrip('.')}.")
        paragraphs.append(" ".join(said))
    asked = " ".join(f"What is {_article(sense.words[0])}?" for sense in chosen[:3])
    return "\n\n".join([*paragraphs, _REVIEW.format(questions=asked)])


def _questions(chosen: Sequence[Sense], below: Sequence[Sense], draw: numpy.random.Generator) -> str:
    found = []
    for number, sense in enumerate(chosen, 1):
        # A word with several meanings stands once, and none that also names the right one is offered as wrong.
        others = list(dict.fromkeys(each.words[0] for each in below if each.words[0] not in sense.words))
        wrong = [others[place] for place in draw.choice(len(others), min(3, len(others)), replace=False)]
        choices = [sense.words[0], *wrong]
        shown = ", ".join(choices[place] for place in draw.permutation(len(choices)))
        found.append(
            f"Exercise {number}. Which word means: {sense.meaning}? Choose from: {shown}.\n"
            f"Solution. The one that means this is {sense.words[0]}.\nAnswer: {sense.words[0]}"
        )
    return "\n\n".join(found)


def _problems(planned: Planned, draw: numpy.random.Generator, *, seed: int) -> str:
    found = []
    for number in range(1, ASKED + 1):
        name = planned.topic.problems[int(draw.integers(len(planned.topic.problems)))]
        (problem,) = problems.draw(name, count=1, seed=seed, item=f"{planned.id} {number}")
        worked = f"Solution. {problem.steps}\n" if problem.steps else ""
        found.append(f"Exercise {number}. {problem.question}\n{worked}Answer: {problem.answer}")
    return "\n\n".join(found)


def _pick(sentences: Sequence[str], draw: numpy.random.Generator) -> str:
    return sentences[int(draw.integers(len(sentences)))]


def _article(word: str) -> str:
    """Return a noun with its article.

    Examples
    --------
    >>> _article("oak"), _article("robin")
    ('an oak', 'a robin')
    """
    return f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}"
