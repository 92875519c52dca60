"""An edition as a mail: `multipart/alternative`, plain text and simple HTML without script, style or image.

The file is made without an address: `X-Unsent: 1` opens it as a draft in programs that know the header.
Whoever sends it names the sender and, where there is one, the address to unsubscribe; Sulan invents neither.
"""

import hashlib
from collections.abc import Sequence
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime

from markupsafe import Markup

from sulan.digest import display
from sulan.digest.edition import Edition, Language
from sulan.digest.html import fragment
from sulan.digest.markdown import plain_text
from sulan.digest.phrases import PHRASES

NOBODY = "Sulan <digest@sulan.invalid>"
"""A mail must have a sender (RFC 5322); `.invalid` can never be a real one (RFC 2606)."""


def message(
    edition: Edition, texts: Sequence[Markup], *, sender: str = "", unsubscribe: str = ""
) -> EmailMessage:
    """Return the edition as a mail in its first language, with a subject in all of them.

    Parameters
    ----------
    edition
        The day's digest.
    texts
        What `feeds.contents` gave for the edition's first language.
    sender
        `Name <address>`; empty makes an unsent draft from nobody.
    unsubscribe
        `https:` address for List-Unsubscribe (RFC 2369) and the foot of the mail; empty leaves both out.
    """
    language: Language = edition.languages[0]
    leave = display.link(unsubscribe)
    mail = EmailMessage(policy=policy.SMTP.clone(cte_type="7bit"))
    mail["Subject"] = " · ".join(PHRASES[each]["title"].format(day=edition.day) for each in edition.languages)
    mail["From"] = sender or NOBODY
    mail["Date"] = format_datetime(display.moment(edition.updated))
    # A revised edition is another mail; the same one sent twice is one mail to every reader.
    mail["Message-ID"] = f"<digest.{edition.day}.r{edition.revision}@sulan.invalid>"
    if not sender:
        mail["X-Unsent"] = "1"
    if leave:
        mail["List-Unsubscribe"] = f"<{leave}>"
    mail.set_content(plain_text(edition, language), cte="base64")
    html = fragment(
        "mail.html",
        edition=edition,
        language=language,
        entries=list(zip(edition.entries, texts, strict=True)),
        unsubscribe=leave,
    )
    mail.add_alternative(html.strip() + "\n", subtype="html", cte="base64")
    mail["Content-Language"] = display.LANGUAGE_TAGS[language]
    # The standard library draws a boundary at random; the same edition must give the same bytes.
    mail.set_boundary(f"sulan-{hashlib.sha256(html.encode()).hexdigest()[:32]}")
    return mail
