"""An edition as Markdown: one template, every outside text escaped, the form of the issue Sulan started from.

The page in the edition's first language is `YYYYMMDD-hf-daily-papers.md`, the others carry their language:
`YYYYMMDD-hf-daily-papers.en.md`.

Escaping is the default and no filter that could be forgotten: the environment's `finalize` escapes all that
an expression yields, unless the template marked it as its own (`Verbatim`).
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from sulan.digest import display
from sulan.digest.edition import SCORE_NAMES, Edition, Language, Passage
from sulan.digest.phrases import PHRASES

TEMPLATES = Path(__file__).with_name("templates")

# One pass, one character of look-around at most: linear in the text.
_INLINE = re.compile(
    r"[`*_\[\]<|~#$]"  # code, emphasis, links, HTML, table cells, strike-through, headings, mathematics
    r"|\\(?=[!-/:-@\[-`{-~]|$)"  # a backslash that would escape what follows; \alpha stays readable
    r"|&(?=[#A-Za-z])"  # entities
    r"|(?<=\{)[{%]"  # Liquid and Jinja tags, where a site builder reads the file
    r"|:(?=//)|(?<=www)\.",  # bare addresses that GitHub would turn into links
    re.IGNORECASE,
)
_LEADING = re.compile(r"^(>|[-+=](?=[-=\s]|$))|^(\d{1,9})([.)])(?=\s|$)")


class Verbatim(str):
    """Markdown that a template or this module wrote itself; never text from outside."""

    __slots__ = ()


def escape(text: str) -> str:
    r"""Return `text` so that Markdown shows it as it is, wherever it stands in a line.

    Examples
    --------
    >>> print(escape("<script> | `x` [a](javascript:b) # 1. _y_ $\\alpha$"))
    \<script> \| \`x\` \[a\](javascript:b) \# 1. \_y\_ \$\alpha\$
    >>> print(escape("1. not a list"), escape("- nor this"))
    1\. not a list \- nor this
    """
    text = _INLINE.sub(r"\\\g<0>", display.visible(text))
    return _LEADING.sub(lambda match: rf"\{match[1]}" if match[1] else rf"{match[2]}\{match[3]}", text)


def code(text: str) -> Verbatim:
    """Return `text` as a code span whose fence is longer than any run of backticks in it."""
    text = display.visible(text)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return Verbatim(f"{fence}{pad}{text}{pad}{fence}")


def names(edition: Edition) -> dict[Language, str]:
    """Return the Markdown file names of an edition by language; the first language has the plain name."""
    stem = edition.day.replace("-", "") + "-hf-daily-papers"
    return {
        language: f"{stem}.md" if language == edition.languages[0] else f"{stem}.{language}.md"
        for language in edition.languages
    }


def markdown(edition: Edition, language: Language) -> str:
    """Return the edition's page in one language as Markdown.

    Parameters
    ----------
    edition
        The day's digest.
    language
        One of `edition.languages`.
    """
    return _template("edition.md").render(
        edition=edition, language=language, words=PHRASES[language], score_names=SCORE_NAMES
    )


def plain_text(edition: Edition, language: Language) -> str:
    """Return the edition as plain text for a mail: there is no markup, so nothing to escape."""
    return _template("edition.txt").render(
        edition=edition, language=language, words=PHRASES[language], score_names=SCORE_NAMES
    )


def evidence(passage: Passage) -> Verbatim:
    """Return the sentence numbers of a passage, ` [S1][S3]`; nothing defines such links, so they are text."""
    return Verbatim("".join(f"{'' if place else ' '}[S{n}]" for place, n in enumerate(passage.evidence)))


def _link(url: str) -> Verbatim:
    return Verbatim(display.link(url))


def _yaml(text: str) -> Verbatim:
    return Verbatim(json.dumps(display.visible(text), ensure_ascii=False))  # JSON's strings are YAML's


def _finalize_markdown(value: Any) -> Any:
    return escape(value) if isinstance(value, str) and not isinstance(value, Verbatim) else value


def _finalize_text(value: Any) -> Any:
    return display.visible(value) if isinstance(value, str) else value


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        finalize=_finalize_markdown if name.endswith(".md") else _finalize_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # these are not HTML; finalize above is what makes outside text inert
    )
    environment.filters |= {
        "prose": display.prose,
        "link": _link,
        "yaml": _yaml,
        "code": code,
        "verbatim": Verbatim,
    }
    cast("dict[str, Any]", environment.globals).update(
        is_quote=display.is_quote,
        byline=display.byline,
        evidence=evidence,
        tags=display.LANGUAGE_TAGS,
    )
    return environment.get_template(name)
