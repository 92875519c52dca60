"""Judge the documents of a batch: pre-filter, repairs and the questionable-sentence tests, all of a batch at once."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sulan.corpus import columns, cursed, repairs
from sulan.corpus.assembly import Assembled, assemble
from sulan.corpus.rules import PAPER, TESTS, Rules, Thresholds
from sulan.corpus.sentences import Measures, Sentences, Texts, measure
from sulan.corpus.wordlists import Wordlists

NO_LANGUAGE = "no language"
LOREM_IPSUM = "lorem ipsum"
POLICY = "cookie or privacy notice"
CURLY = "curly bracket"
SHORT = "fewer sentences than asked for"
QUESTIONABLE = "too many questionable sentences"
PAGE_REASONS = (NO_LANGUAGE, LOREM_IPSUM, POLICY, CURLY, SHORT)

_PAGE_RULES = (
    (LOREM_IPSUM, "(?i)lorem ipsum"),
    (POLICY, "(?i)terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies"),
    (CURLY, "[{}]"),
)
_JAVASCRIPT = "(?i)javascript"

ADDED: dict[str, pa.DataType] = {
    columns.FLAGS: columns.BITS,
    "sentences": pa.int32(),
    "questionable": pa.int32(),
    **{f"questionable_{test}": pa.int32() for test in TESTS},
    columns.CLEAN: pa.bool_(),
}
"""Columns of a judged corpus. `questionable` counts sentences that fail any of the paper's five tests."""


@dataclass(kw_only=True)
class Judgement:
    """What became of a batch.

    Attributes
    ----------
    table
        Kept documents, with their new text and the columns of `ADDED` but `clean`.
    dropped
        Reason by id.
    lines
        Sentences left out with their lines, and of pages that are kept.
    cursed
        Sentences by cursed entry.
    zawgyi
        Documents in Zawgyi, converted; without repairs those that may be.
    """

    table: pa.Table
    dropped: dict[str, str]
    lines: int
    cursed: Counter[str]
    zawgyi: int


def judge(batch: pa.RecordBatch, rules: Rules, fewest: int, words: Wordlists | None) -> Judgement:
    """Judge identified documents.

    Parameters
    ----------
    batch
        Documents with the columns of `sulan corpus identify`.
    rules
        What to judge by.
    fewest
        A page with fewer sentences is left out.
    words
        Word lists; None: no sentence fails the test `words`.
    """
    array = batch.column("text")
    texts = Texts.of(array)
    found = columns.sentences(batch, texts)
    owner = found.owner()
    reasons = _page_reasons(batch, rules)
    measures = measure(texts, found)
    keep = _lines(array, texts, found, owner, measures, rules)
    count = np.bincount(owner[keep], minlength=len(batch))
    reasons[(reasons == "") & (count < fewest)] = SHORT
    stays = reasons == ""
    lines = int((~keep & stays[owner]).sum())
    keep &= stays[owner]
    lang = batch.column(columns.LANG)
    zawgyi = repairs.is_zawgyi(array, lang) if rules.repairs else repairs.may_be_zawgyi(array, lang)
    wording = _repaired(lang, zawgyi, texts, found, owner) if rules.repairs else None
    made = assemble(texts, found, keep, wording)
    if wording is not None or not rules.script_aware:
        measures = measure(made.texts, made.sentences)
    else:
        measures = Measures(**{name: getattr(measures, name)[keep] for name in vars(measures)})
    langs, _ = columns.flat(batch.column(columns.SENTENCE_LANGS))
    langs = langs.filter(pa.array(keep))
    table = _table(batch, made, langs)
    flags, hits = _flags(table, made, measures, langs, rules, words)
    table = columns.with_column(
        table, columns.FLAGS, columns.lists(flags, made.sentences.first, columns.BITS)
    )
    return Judgement(
        table=counted(table).filter(pa.array(stays)),
        dropped=dict(
            zip(batch.column("id").filter(pa.array(~stays)).to_pylist(), reasons[~stays], strict=True)
        ),
        lines=lines,
        cursed=hits,
        zawgyi=int(zawgyi.sum()),
    )


def clean(table: pa.Table, thresholds: Thresholds) -> tuple[np.ndarray, np.ndarray]:
    """Return which judged documents are clean, and which of the others have too few sentences; bool[documents]."""
    flags, first = columns.flat(table.column(columns.FLAGS).combine_chunks())
    count = np.diff(first)
    bad = (flags.to_numpy() & thresholds.mask) != 0
    owner = np.repeat(np.arange(len(count)), count)
    questionable = np.bincount(owner[bad], minlength=len(count))
    short = count < thresholds.sentences
    # Whole numbers: 0.2 * 5 is not 1 in every arithmetic.
    return ~short & (questionable <= np.floor(thresholds.questionable * count + 1e-9)), short


def _page_reasons(batch: pa.RecordBatch, rules: Rules) -> np.ndarray:
    reasons = np.full(len(batch), "", dtype=object)
    lang = batch.column(columns.LANG)
    reasons[pc.equal(lang, "und").fill_null(True).to_numpy(zero_copy_only=False)] = NO_LANGUAGE
    wanted = {LOREM_IPSUM: rules.lorem_ipsum, POLICY: rules.policy, CURLY: rules.curly_bracket}
    for reason, pattern in _PAGE_RULES:
        if wanted[reason]:
            matches = pc.match_substring_regex(batch.column("text"), pattern).to_numpy(zero_copy_only=False)
            reasons[matches & (reasons == "")] = reason
    return reasons


def _lines(
    array: pa.Array, texts: Texts, found: Sentences, owner: np.ndarray, measures: Measures, rules: Rules
) -> np.ndarray:
    """Return which sentences are on lines that stay, bool[sentences]."""
    if not len(owner):
        return np.zeros(0, bool)
    # Lines are numbered inside a text; here through all.
    begins = np.append(True, (np.diff(owner) != 0) | (np.diff(measures.line) != 0))
    line = np.cumsum(begins) - 1
    words = np.bincount(line, measures.words if rules.script_aware else measures.tokens)
    bad = words < rules.line_words
    if rules.javascript:
        suspect = pc.match_substring_regex(array, _JAVASCRIPT).to_numpy(zero_copy_only=False)[owner]
        if suspect.any():
            said = strings(texts, found).filter(pa.array(suspect))
            matches = pc.match_substring_regex(said, _JAVASCRIPT).to_numpy(zero_copy_only=False)
            bad[line[np.flatnonzero(suspect)[matches]]] = True
    return ~bad[line]


def strings(texts: Texts, found: Sentences) -> pa.Array:
    """Return sentences as strings: of an array of sentences and what is between them, every other one."""
    if not len(found.starts):
        return pa.array([], pa.large_string())
    offsets = np.empty(2 * len(found.starts), np.int64)
    offsets[0::2], offsets[1::2] = found.starts, found.ends
    both = Texts(data=texts.data, offsets=offsets).array()
    return both.take(pa.array(np.arange(0, len(both), 2)))


def _repaired(
    lang: pa.Array, zawgyi: np.ndarray, texts: Texts, found: Sentences, owner: np.ndarray
) -> Texts | None:
    if not pc.any(pc.is_in(lang, pa.array(sorted(repairs.LANGUAGES)))).as_py():
        return None
    said = repairs.to_unicode(strings(texts, found), zawgyi[owner])
    return Texts.of(repairs.virama(said, lang.take(pa.array(owner))))


def _table(batch: pa.RecordBatch, made: Assembled, langs: pa.Array) -> pa.Table:
    table = columns.with_column(batch, "text", made.texts.array())
    for name, column in columns.boundaries(made.sentences, made.texts).items():
        table = columns.with_column(table, name, column)
    return columns.with_column(
        table, columns.SENTENCE_LANGS, columns.lists(langs, made.sentences.first, columns.LABELS)
    )


def _flags(
    table: pa.Table,
    made: Assembled,
    measures: Measures,
    langs: pa.Array,
    rules: Rules,
    words: Wordlists | None,
) -> tuple[np.ndarray, Counter[str]]:
    owner = made.sentences.owner()
    own = table.column(columns.LANG).combine_chunks()
    length = measures.worth if rules.script_aware else measures.characters
    said = strings(made.texts, made.sentences)
    matches, hits = cursed.read(*([rules.cursed] if rules.cursed else [])).hits(said)
    failed = {
        "language": pc.not_equal(langs, own.take(pa.array(owner))).to_numpy(zero_copy_only=False),
        "list": (measures.tokens >= rules.list_tokens)
        & (measures.capitals > rules.list_capitals * measures.tokens),
        "length": (length < rules.shortest) | (length > rules.longest),
        "technical": measures.technical > rules.technical * measures.characters,
        "cursed": matches,
        "words": np.zeros(len(owner), bool)
        if words is None
        else words.rare(made.texts, made.sentences, own, rules.words_share),
    }
    flags = np.zeros(len(owner), np.uint8)
    for bit, test in enumerate(TESTS):
        flags |= (failed[test].astype(np.uint8) << bit).astype(np.uint8)
    return flags, Counter(hits)


def counted(table: pa.Table) -> pa.Table:
    """Return judged documents with the counts of their flags."""
    flags, first = columns.flat(table.column(columns.FLAGS).combine_chunks())
    bits = flags.to_numpy()
    owner = np.repeat(np.arange(len(first) - 1), np.diff(first))

    def count(failed: np.ndarray) -> pa.Array:
        return pa.array(np.bincount(owner[failed], minlength=len(first) - 1), pa.int32())

    table = columns.with_column(table, "sentences", pa.array(np.diff(first), pa.int32()))
    table = columns.with_column(table, "questionable", count(bits & ((1 << len(PAPER)) - 1) != 0))
    for bit, test in enumerate(TESTS):
        table = columns.with_column(table, f"questionable_{test}", count(bits >> bit & 1 != 0))
    return table
