"""arXiv identifiers: recognising them in what people write, and nothing about other registries."""

import re

_ARXIV = re.compile(
    r"""
    (?: (?:https?://)? (?:www\.|export\.)? arxiv\.org / (?:abs|pdf|html) /
      | (?:https?://)? (?:www\.)? (?:huggingface\.co|hf\.co|alphaxiv\.org) / (?:papers|abs) /
      | (?:https?://(?:dx\.)?doi\.org/ | doi:\s?)? 10\.48550/arxiv\.
      | arxiv: \s?
    )?
    (?P<id> [0-9]{4}\.[0-9]{4,5} | [a-z][a-z-]{1,15} (?:\.[a-z]{2})? / [0-9]{7} )
    (?: v (?P<version>[0-9]{1,3}) )?
    (?: \.pdf )?
    (?: [?\#] \S{0,200} )?
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)

MAX_LENGTH = 400
"""Characters of a text that could still be one identifier with its address."""


def parse(text: str) -> tuple[str, int | None] | None:
    """Return the arXiv id and version that `text` is, or None.

    Understood are bare ids of both ages, with or without a version, behind `arXiv:`, in addresses of arXiv or
    the Hub, and as DOIs of the prefix 10.48550. The whole text must be that, save white space around it.

    Examples
    --------
    >>> parse("https://arxiv.org/abs/2309.05463v2")
    ('2309.05463', 2)
    >>> parse("arXiv:hep-th/9901001")
    ('hep-th/9901001', None)
    >>> parse("phi-1.5") is None
    True
    """
    text = text.strip() if len(text) <= MAX_LENGTH else ""
    found = _ARXIV.fullmatch(text)
    if found is None:
        return None
    archive, slash, number = found["id"].rpartition("/")
    if slash:  # archives are lower case, subject classes upper: math.AG/0501001
        archive = re.sub(r"\.(.+)", lambda m: f".{m[1].upper()}", archive.lower())
    return f"{archive}{slash}{number}", int(found["version"]) if found["version"] else None


def parse_inside(text: str) -> str | None:
    """Return the first arXiv id written with its prefix inside a longer text, or None.

    A bare number is not taken: `pages 2309.05463` may be anything.

    Examples
    --------
    >>> parse_inside("arXiv preprint arXiv:2309.05463, 2023")
    '2309.05463'
    """
    for word in text[:10_000].split():
        word = word.strip("()[]{},;.<>\"'")
        found = parse(word)
        if found is not None and not word[:1].isdigit():
            return found[0]
    return None
