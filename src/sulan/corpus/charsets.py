"""Bytes of a page to text: what it says of its charset is believed only as far as its bytes agree.

Valid UTF-8 is UTF-8 whatever was declared (other text is hardly ever valid UTF-8 by accident); then what was
declared, unless it makes letters that no language writes; then what the bytes look like (uchardet).
"""

import re
import unicodedata

from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5

BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))

DAMAGED = 10
"""A page with so many good sequences of UTF-8 for each bad one is damaged UTF-8 and nothing else."""

_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{2,40})""", re.IGNORECASE)
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")
_SPACES = re.compile(r"[ \t\u00a0]{2,}|[\t\u00a0]")
_GAPS = re.compile(r"\n{3,}")


def decode(body: bytes, declared: str | None = None) -> tuple[str, str]:
    """Return the text of a page and the charset that it was read in.

    Parameters
    ----------
    body
        The page. Bytes that are no text in that charset become U+FFFD.
    declared
        Charset of the HTTP header; the page's own `<meta charset>` is looked for where there is none.

    Examples
    --------
    >>> decode("Grüße".encode(), "iso-8859-1")
    ('Grüße', 'utf-8')
    >>> decode("Большое спасибо".encode("windows-1251"), "iso-8859-1")[0]
    'Большое спасибо'
    """
    for mark, charset in BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(charset, "replace"), charset
    try:
        return body.decode(), "utf-8"
    except UnicodeDecodeError:
        pass
    text = body.decode(errors="replace")
    bad = text.count("\ufffd")
    if sum(map(len, re.findall(r"[^\x00-\x7f\ufffd]+", text))) >= DAMAGED * bad:
        return text, "utf-8"
    if declared is None and (meta := _META.search(body[:4096])):
        declared = meta[1].decode()
    charset = map_encoding_to_html5(declared, fallback_utf8=False) if declared else None
    if charset and charset != "utf-8":
        text = bytes_to_str(body, charset, errors="replace", fallback_encodings=())
        if text.count("\ufffd") * 100 <= len(text) and _is_written(text):
            return text, charset
    detected = detect_encoding(body, from_html_meta=False) or "windows-1252"
    return bytes_to_str(body, detected, errors="replace"), detected


def _is_written(text: str) -> bool:
    """Whether the letters look like writing: Latin text that is mostly accents is Cyrillic or Greek, misread."""
    letters = [letter for letter in re.sub(r"<[^>]*>", " ", text) if letter.isalpha()]
    strange = [letter for letter in letters if "\x80" <= letter < "\u0250"]
    return 2 * len(strange) <= len(letters)


def clean(text: str) -> str:
    r"""Return text without control characters, blank runs and empty lines; idempotent.

    Examples
    --------
    >>> clean("one\x00  two \r\n\n\n\n three\ud800")
    'one two\n\nthree'
    """
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    text = _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _SPACES.sub(" ", text).replace(" \n", "\n").replace("\n ", "\n")
    return _GAPS.sub("\n\n", text).strip()
