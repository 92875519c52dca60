"""The embedded engine: a summary made of the abstract's own sentences, needing no model, no key, no network.

It words nothing. Where the page is Chinese the quoted sentences stay English inside a Chinese frame, and the
page says so: a translation that nobody checked would be worse than none.
"""

from collections.abc import Collection, Sequence

from sulan.digest import extraction, scores
from sulan.digest.edition import Language, Passage, Summary
from sulan.digest.keywords import keywords

NOTHING_TO_READ: dict[Language, str] = {
    "zh": "没有可读的摘要。",
    "en": "There was no abstract to read.",
}


def summarize(
    title: str, sentences: Sequence[str], *, language: Language, left_out: Collection[int] = ()
) -> Summary:
    """Summarise one paper by choosing among its sentences.

    Parameters
    ----------
    title, sentences
        Of one paper; no sentence at all gives a summary that says so.
    language
        Of the frame: reasons, and whether keywords get their Chinese form.
    left_out
        Sentence numbers, from 1, that must not be quoted or counted (see `sulan.digest.injection`).
    """
    numbers = [number for number in range(1, len(sentences) + 1) if number not in left_out]
    readable = [sentences[number - 1] for number in numbers]
    if not readable:
        nothing = Passage(text=NOTHING_TO_READ[language], language=language)
        rated = scores.by_rule([], main_work=0, language=language)
        return Summary(main_work=nothing, highlights=(), keywords=keywords(title, []), scores=rated)
    main = extraction.main_work(title, readable)
    chosen = extraction.highlights(title, readable, besides=main)

    def quote(index: int) -> Passage:
        return Passage(text=readable[index], language="en", evidence=(numbers[index],))

    rated = scores.by_rule(
        [sentence if number in numbers else "" for number, sentence in enumerate(sentences, 1)],
        main_work=numbers[main] - 1,
        language=language,
    )
    return Summary(
        main_work=quote(main),
        highlights=tuple(quote(index) for index in chosen),
        keywords=keywords(title, readable),
        scores=rated,
    )
