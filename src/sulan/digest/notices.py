"""What a page tells its reader about itself, in the page's languages."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from sulan.digest.edition import Language
from sulan.digest.injection import suspicious

if TYPE_CHECKING:
    from sulan.digest.assembly import Composed
    from sulan.digest.listing import Listed

Notice = Literal[
    "quoted",
    "rule_scores",
    "model",
    "reworded",
    "reworded_all",
    "left_out",
    "selected",
    "open",
    "shipped",
    "remark",
]

_WORDS: Mapping[Notice, Mapping[Language, str]] = {
    "quoted": {
        "zh": "本期未使用语言模型：引文是摘要原句，保持英文，没有翻译；关键词的中文来自术语表。",
        "en": "No language model was used: every quoted sentence is the abstract's own.",
    },
    "rule_scores": {
        "zh": "评分按公开规则由摘要得出，每个理由都标明所依据的句子；它不能判断论文所言是否属实。",
        "en": "Scores follow a published rule and name the sentences they rest on; no rule can tell "
        "whether a claim is true.",
    },
    "model": {
        "zh": "文字由 {engine} 生成，逐项与摘要核对；未通过核对的条目改用摘要原句并注明原因。"
        "评分是模型仅凭摘要的看法。",
        "en": "Worded by {engine} and checked field by field against the abstract; a field that failed is "
        "quoted from the abstract and says why. Scores are the model's opinion from an abstract.",
    },
    "reworded": {
        "zh": "摘要为速览的改写（{ids}），原文见论文链接。",
        "en": "Sulan reworded the abstracts of {ids}; the authors' own are behind the links.",
    },
    "reworded_all": {
        "zh": "全部摘要均为速览的改写，原文见论文链接。",
        "en": "Sulan reworded all abstracts; the authors' own are behind the links.",
    },
    "shipped": {
        "zh": "没有联网，使用随软件附带的一天。",
        "en": "There was no network: this is the day that ships with Sulan.",
    },
    "left_out": {
        "zh": "{ids} 的摘要中有写给机器的句子，已略去，不引用，也不计分。",
        "en": "The abstract of {ids} has sentences that address a machine; they were left out: "
        "not quoted, not scored.",
    },
    "selected": {
        "zh": "当日共 {considered} 篇，按条件选出 {shown} 篇。",
        "en": "{shown} of the day's {considered} papers were selected.",
    },
    "open": {
        "zh": "当日列表仍可能增加论文，本期届时会修订。",
        "en": "The day's list may still grow; this edition will then be revised.",
    },
    "remark": {"zh": "{text}", "en": "{text}"},
}


def say(notice: Notice, languages: tuple[Language, ...], **details: object) -> dict[Language, str]:
    """Return one notice in each language, with its details filled in.

    Examples
    --------
    >>> say("selected", ("en",), shown=3, considered=8)
    {'en': "3 of the day's 8 papers were selected."}
    """
    return {language: _WORDS[notice][language].format(**details) for language in languages}


def of(
    composed: "Sequence[Composed]", *, listed: "Listed", languages: tuple[Language, ...]
) -> dict[Language, list[str]]:
    """Return every notice that an edition owes its reader.

    Parameters
    ----------
    composed
        The edition's papers with their summaries.
    listed
        The day they come from.
    languages
        Of the edition.
    """
    notes: list[dict[Language, str]] = []
    engines = sorted({each.engine for each in composed} - {"extractive"})
    if engines:
        notes.append(say("model", languages, engine=", ".join(engines)))
    else:
        notes += [say("quoted", languages), say("rule_scores", languages)]
    if listed.source == "shipped":
        notes.append(say("shipped", languages))
    if reworded := [each.paper.id for each in composed if each.paper.abstract_note]:
        every = len(reworded) == len(composed)
        notes.append(say("reworded_all" if every else "reworded", languages, ids=", ".join(reworded)))
    if addressed := [each.paper.id for each in composed if suspicious(each.sentences)]:
        notes.append(say("left_out", languages, ids=", ".join(addressed)))
    if len(composed) < len(listed.papers):
        notes.append(say("selected", languages, shown=len(composed), considered=len(listed.papers)))
    if listed.state == "open":
        notes.append(say("open", languages))
    notes += [say("remark", languages, text=remark) for remark in listed.remarks]
    return {language: [note[language] for note in notes] for language in languages}
