"""Editions for tests: a small realistic one, built in our own words, with knobs."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sulan.digest.edition import (
    Edition,
    Entry,
    Keyword,
    Language,
    Measurement,
    Method,
    Passage,
    Score,
    ScoreName,
    Summary,
)
from sulan.digest.paper import Paper

UPDATED = "2023-09-13T06:17:00Z"

SENTENCES = (
    "Large web corpora hold much text that is not worth training on.",
    "We compare three estimates of the quality of a document: perplexity, EL2N and memorization.",
    "Perplexity, the simplest of the three, gives the best pruned corpus.",
    r"Training on 30\% of the data improves over the \textbf{unpruned} baseline when $\alpha_1 < 0.5$.",
)


def paper(number: int = 0, **fields: object) -> Paper:
    """One paper; `number` makes the id and the title its own."""
    record = {
        "id": f"2309.{4564 + number:05d}",
        "title": "When Less is More: Pruning Pretraining Data at Scale" + (f" ({number})" if number else ""),
        "abstract": " ".join(SENTENCES),
        "authors": ("Max Marion", "Ahmet Üstün", "Luiza Pozzobon"),
        "published_at": "2023-09-08T19:34:05Z",
        "featured_on": "2023-09-12",
        "upvotes": 31 + number,
        "comments": 2,
        "code_url": "https://github.com/example/pruning",
        "organization": "Example Lab",
        "source": "hf",
    }
    return Paper.model_validate(record | fields)


def summary(language: Language, *, extractive: bool = True, value: float = 4.0) -> Summary:
    """What is said of the paper above, by extraction or as a model words it."""

    def said(number: int, zh: str, en: str) -> Passage:
        if extractive:
            return Passage(text=SENTENCES[number - 1], language="en", evidence=(number,))
        return Passage(
            text=zh if language == "zh" else en, language=language, evidence=(number,), origin="model"
        )

    def score(worth: float, zh: str, en: str) -> Score:
        text = zh if language == "zh" else en
        return Score(value=worth, reason=Passage(text=text, language=language, evidence=(4,)))

    scores: dict[ScoreName, Score] = {
        "practicality": score(4.5, "摘要给出了可直接使用的结果。", "The result can be used as it is."),
        "novelty": score(3.0, "比较的是已有的方法。", "Known estimates are compared."),
        "recommendation": score(value, "数字清楚，规模注明。", "Clear numbers with their scale."),
    }
    return Summary(
        main_work=said(2, "本文比较了三种文档质量估计：困惑度、EL2N 和记忆化。", "Compares three estimates."),
        highlights=(
            said(3, "最简单的困惑度得到最好的裁剪语料。", "Perplexity, the simplest, works best."),
            said(4, "只用 30% 的数据训练即优于未裁剪的基线。", "30 % of the data beats the baseline."),
        ),
        keywords=(
            Keyword(term="Data Pruning", translation="数据裁剪"),
            Keyword(term="Perplexity", translation="困惑度"),
            Keyword(term="EL2N"),
        ),
        scores=scores,
    )


def method() -> Method:
    """A card with one measured and one unmeasured claim; its figures are made up."""
    return Method(
        room="prune",
        use="Score a corpus with a small language model and keep the part worth training on.",
        command="sulan run recipes/prune-small.toml",
        measurements=(
            Measurement(
                claim="middle-50",
                says="the middle 50 % by perplexity trains a better model than all of the data",
                value="about 1 % lower test perplexity, 124M parameters",
                source="section 4",
                measured="+0.4 % [-0.2, 1.1], 3 seeds",
                scale="3M parameters, 10M tokens",
                date="2026-12-01",
            ),
            Measurement(
                claim="thirty", says="30 % of the data suffices", value="1.5B parameters", source="4.2"
            ),
        ),
    )


def entry(
    number: int = 0,
    *,
    of: Paper | None = None,
    languages: Sequence[Language] = ("zh", "en"),
    extractive: bool = True,
    **fields: object,
) -> Entry:
    """One entry; `of` replaces the paper, `fields` replace anything else."""
    record = {
        "paper": of or paper(number),
        "sentences": SENTENCES,
        "summaries": {
            language: summary(language, extractive=extractive, value=5.0 - (number % 8) / 2)
            for language in languages
        },
        "rank": number + 1,
        "engine": "extractive" if extractive else "openai:example-1",
        "prompt_version": "" if extractive else "3",
        "updated": UPDATED,
    }
    return Entry.model_validate(record | fields)


def edition(
    papers: int = 2,
    *,
    day: str = "2023-09-12",
    entries: Sequence[Entry] | None = None,
    languages: tuple[Language, ...] = ("zh", "en"),
    extractive: bool = True,
    **fields: object,
) -> Edition:
    """An edition of `papers` entries, the first with a method card and the second with a fallback."""
    if entries is None:
        extras: dict[int, dict[str, Any]] = {
            0: {"method": method()},
            1: {"fallbacks": ("zh highlights 2: extraction, the number 1.3亿 is not in the abstract",)},
        }
        entries = [
            entry(number, languages=languages, extractive=extractive, **extras.get(number, {}))
            for number in range(papers)
        ]
    record = {
        "day": day,
        "state": "complete",
        "revision": 1,
        "source": "hf",
        "languages": languages,
        "engine": "extractive" if extractive else "openai:example-1",
        "updated": UPDATED,
        "considered": len(entries),
        "notices": {
            "zh": ("本期没有使用语言模型，引用的句子保持英文原文。",),
            "en": ("Quoted sentences are the authors' own.",),
        },
        "entries": tuple(entries),
    }
    return Edition.model_validate(record | fields)


def days(count: int, *, until: str = "2023-09-12") -> list[str]:
    """The last `count` days up to `until`, earliest first."""
    last = date.fromisoformat(until)
    return [(last - timedelta(days=back)).isoformat() for back in reversed(range(count))]
