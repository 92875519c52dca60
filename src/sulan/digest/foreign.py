"""A digest in Markdown, whoever wrote it: papers, their sections and paragraphs, with line numbers.

A paper is a second-level heading whose part of the page links to huggingface.co/papers/ID. Its sections are
recognised by what their headings say, in Chinese or English, whether they are headings, bold lines or items of a
numbered list; how they were marked is kept, so that a digest which marks them in five ways can be told so.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from sulan.digest.finding import Finding, make

Kind = Literal["main_work", "highlights", "keywords", "scores", "rest"]

_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("keywords", re.compile(r"关键词|关键字|keywords?", re.IGNORECASE)),
    ("scores", re.compile(r"打分|评分|评估$|scores?|ratings?", re.IGNORECASE)),
    ("highlights", re.compile(r"亮点|highlights?", re.IGNORECASE)),
    ("main_work", re.compile(r"主要工作|工作概述|工作内容|main work|contribution", re.IGNORECASE)),
)
_PAPER_LINK = re.compile(r"huggingface\.co/papers/([A-Za-z0-9][A-Za-z0-9._-]{0,63})")
_NOWHERE = (0, 0)
_ONLY_LINK = re.compile(r"\[[^\]\n]*\]\([^)\s]*\)")
_BOLD_LINE = re.compile(r"\*\*([^*\n]{1,80})\*\*[ ]?[:：]?")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_NUMBER = re.compile(r"^(?:\d{1,2}[.、)]|[（(]\d[)）]|第[一二三四五]部分)\s*")
_SCORE = re.compile(
    r"^[ *`-]*(实用性|创新性|推荐度|practicality|novelty|recommendation)\**(\s*[:：]\s*)\**(\s*)(\d(?:\.\d+)?)"
    r"(\s*/\s*\d{1,2}|\s*分|\s*stars?)?\**[ \t]*(.{0,2})",
    re.IGNORECASE | re.MULTILINE,
)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_EVIDENCE = re.compile(r"\[S(\d{1,3})\]")
_EMPHASIS = re.compile(r"\*\*|`")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A paragraph or list item that begins at `line`; every line of `text` is a line of the file."""

    text: str
    line: int
    item: bool = False
    quoted: bool = False

    @property
    def prose(self) -> str:
        """The text without markup, score and sentence numbers; line breaks stay where they are."""
        text = _EVIDENCE.sub("", _SCORE.sub(_without_score, self.text))
        return _ESCAPE.sub(r"\1", _EMPHASIS.sub("", text))

    @property
    def evidence(self) -> tuple[int, ...]:
        """Sentence numbers that the block cites as `[S3]`."""
        return tuple(int(number) for number in _EVIDENCE.findall(self.text))

    def line_of(self, position: int) -> int:
        """Return the line of the file on which `prose[position]` stands."""
        return self.line + self.prose.count("\n", 0, position)


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section of a paper: its kind, how its heading is marked and worded, and what it holds."""

    kind: Kind
    heading: str
    style: str
    line: int
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ForeignPaper:
    """One paper of a digest; `id` is empty where no link says which one it is."""

    id: str
    title: str
    line: int
    sections: tuple[Section, ...]

    def blocks(self, kind: Kind) -> Iterator[Block]:
        """Yield the blocks of all sections of one kind."""
        for section in self.sections:
            if section.kind == kind:
                yield from section.blocks


def parse(text: str) -> tuple[ForeignPaper, ...]:
    """Return the papers of a Markdown digest in its order.

    Parameters
    ----------
    text
        The file; front matter is skipped.

    Examples
    --------
    >>> page = "## A\\n\\n**1. 主要工作**\\n\\n内容。\\n\\n[x](https://huggingface.co/papers/2309.1)\\n"
    >>> [(paper.id, paper.title, paper.sections[0].style) for paper in parse(page)]
    [('2309.1', 'A', 'bold, numbered')]
    """
    lines = text.splitlines()
    body = _without_front_matter(lines)
    tokens = MarkdownIt("commonmark").disable("inline").parse("\n".join(body))
    starts = [
        i for i, token in enumerate(tokens) if token.type == "heading_open" and token.tag in ("h1", "h2")
    ]
    papers = []
    for start, end in pairwise([*starts, len(tokens)]):
        if tokens[start].tag == "h2":
            paper = _paper(tokens[start:end], body)
            if paper is not None:
                papers.append(paper)
    return tuple(papers)


def language(papers: tuple[ForeignPaper, ...]) -> Literal["zh", "en"]:
    """Return the language of the section headings: quoted sentences on a Chinese page may all be English."""
    headings = [section.heading for paper in papers for section in paper.sections]
    chinese = sum(_CHINESE.search(heading) is not None for heading in headings)
    return "zh" if chinese > len(headings) / 2 else "en"


def _without_front_matter(lines: list[str]) -> list[str]:
    if lines[:1] == ["---"] and "---" in lines[1:200]:
        end = lines.index("---", 1)
        return [""] * (end + 1) + lines[end + 1 :]  # blank, so that line numbers stay
    return lines


def _paper(tokens: list[Token], lines: list[str]) -> ForeignPaper | None:
    title = tokens[1].content
    first, last = (tokens[0].map or [0])[0], max(token.map[1] for token in tokens if token.map)
    links = _PAPER_LINK.findall("\n".join(lines[first:last]))
    sections = tuple(_sections(tokens[3:]))
    if not links and not any(section.kind != "rest" for section in sections):
        return None  # a table of contents, a note
    title = _ESCAPE.sub(r"\1", title)
    return ForeignPaper(id=links[-1] if links else "", title=title, line=first + 1, sections=sections)


def _sections(tokens: list[Token]) -> Iterator[Section]:
    current: Section | None = None
    lists: list[str] = []
    quotes, heading = 0, ""
    for token in tokens:
        if token.type.endswith("_list_open"):
            lists.append(token.type)
        elif token.type.endswith("_list_close"):
            lists.pop()
        elif token.type in ("blockquote_open", "blockquote_close"):
            quotes += token.nesting
        elif token.type == "heading_open":
            heading = token.tag
        elif token.type == "heading_close":
            heading = ""
        elif token.type == "inline" and token.map:
            line = token.map[0] + 1
            bold = _BOLD_LINE.fullmatch(token.content.strip())
            words = token.content.strip() if heading else bold.group(1) if bold else ""
            kind = _kind(words) if words else "rest"
            if heading or (bold and kind != "rest"):
                if current is not None:
                    yield current
                style = heading or ("list" if lists else "bold")
                numbered = bool(_NUMBER.match(words)) or lists[:1] == ["ordered_list_open"]
                wording = _NUMBER.sub("", words).rstrip("：:")
                style = f"{style}, numbered" if numbered else style
                current = Section(kind=kind, heading=wording, style=style, line=line)
            elif current is not None and not _ONLY_LINK.fullmatch(token.content.strip()):
                item = bool(lists) and not (len(lists) == 1 and current.style.startswith("list"))
                current.blocks.append(Block(text=token.content, line=line, item=item, quoted=quotes > 0))
    if current is not None:
        yield current


def _kind(words: str) -> Kind:
    return next((kind for kind, pattern in _KINDS if pattern.search(words)), "rest")


def keyword(text: str) -> tuple[str, str]:
    """Return the English and the Chinese side of a keyword line.

    Examples
    --------
    >>> keyword("Large Language Models (LLMs)（大型语言模型）"), keyword("FIAT (Fused Acts) (融合)"), keyword("Nets")
    (('Large Language Models (LLMs)', '大型语言模型'), ('FIAT (Fused Acts)', '融合'), ('Nets', ''))
    """
    text = text.strip().lstrip("-* ")
    depth = 0
    for place in range(len(text) - 1, -1, -1) if text.endswith((")", "）")) else ():
        depth += (text[place] in ")）") - (text[place] in "(（")
        if depth == 0:
            inside = text[place + 1 : -1].strip()
            return (text[:place].strip(), inside) if _CHINESE.search(inside) else (text, "")
    return text, ""


def _without_score(match: re.Match[str]) -> str:
    # What follows the score and its punctuation is the reason.
    return match.group(6).lstrip("，。：:,.;；—–- ()（")


def shape(papers: tuple[ForeignPaper, ...]) -> Iterator[tuple[str, int, Finding]]:
    """Yield what is inconsistent in the form of a digest, with paper id and line.

    A paper whose headings are marked unlike most papers' gives one finding; so does each kind of section that is
    headed in several wordings, and the notation of scores when there are several.
    """
    styles = Counter(_style(paper) for paper in papers)
    usual = styles.most_common(1)[0][0] if styles else ""
    for paper in papers:
        style = _style(paper)
        if style != usual:
            reason = f"sections are marked as {style}, in most papers as {usual}"
            yield paper.id, paper.line, make("section_form", "warning", _NOWHERE, style, reason=reason)
    for kind, _ in _KINDS:
        wordings = _first_uses((s.heading, s.line) for p in papers for s in p.sections if s.kind == kind)
        if len(wordings) > 1:
            reason = f"the section {kind} is headed in {len(wordings)} ways: " + " | ".join(wordings)
            yield (
                "",
                list(wordings.values())[1],
                make("section_form", "warning", _NOWHERE, list(wordings)[1], reason=reason),
            )
    forms = _first_uses(
        (form, block.line) for paper in papers for block in paper.blocks("scores") for form in _forms(block)
    )
    if len(forms) > 1:
        reason = f"scores are written in {len(forms)} ways: " + " | ".join(forms)
        yield (
            "",
            list(forms.values())[1],
            make("score_form", "warning", _NOWHERE, list(forms)[1], reason=reason),
        )
    for paper in papers:
        for block in paper.blocks("scores"):
            for match in _SCORE.finditer(block.text):
                value = float(match.group(4))
                if not 1 <= value <= 5 or value * 2 != int(value * 2):
                    reason = "not on the scale of 1 to 5 in half steps"
                    finding = make("score_form", "error", _NOWHERE, match.group().strip(), reason=reason)
                    yield paper.id, block.line, finding


def _style(paper: ForeignPaper) -> str:
    known = [section.style for section in paper.sections if section.kind != "rest"]
    unnamed = [section for section in paper.sections if section.kind == "rest" and not section.blocks]
    inside = f" under {unnamed[0].heading!r}" if unnamed and paper.sections[0] is unnamed[0] else ""
    return " | ".join(dict.fromkeys(known)) + inside


def _first_uses(uses: Iterator[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for wording, line in uses:
        found.setdefault(wording, line)
    return found


def _forms(block: Block) -> Iterator[str]:
    for match in _SCORE.finditer(block.text):
        _, colon, blank, _, scale, rest = match.groups()
        gap = " " if colon.startswith(" ") else ""
        reason = f"{rest.strip()[0]}…" if rest.strip() and not rest.strip()[0].isalnum() else ""
        yield f"{gap}：{blank}N{scale or ''}{reason}"
