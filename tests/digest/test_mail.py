from email import message_from_bytes, policy
from email.message import EmailMessage

from hypothesis import given, settings

from digest import editions
from digest.hostile import hostile
from digest.test_html import Page
from sulan.digest import feeds, mail
from sulan.digest.render import files


def parsed(edition, **options):
    data = mail.message(edition, feeds.contents(edition, edition.languages[0]), **options).as_bytes()
    return message_from_bytes(data, policy=policy.default)


def part(read: EmailMessage, kind: str) -> str:
    found = read.get_body((kind,))
    assert found is not None
    return found.get_content()


def test_a_draft_has_text_and_html_and_no_invented_address():
    edition = editions.edition(2)
    read = message_from_bytes(files(edition)["edition.eml"], policy=policy.default)
    assert (
        read["Subject"]
        == "【2023-09-12】Huggingface 每日论文速览 · [2023-09-12] Hugging Face daily papers at a glance"
    )
    assert read["Date"] == "Wed, 13 Sep 2023 06:17:00 +0000"
    assert read["Message-ID"] == "<digest.2023-09-12.r1@sulan.invalid>"
    assert read["X-Unsent"] == "1" and read["From"] == "Sulan <digest@sulan.invalid>"
    assert read["List-Unsubscribe"] is None and read["To"] is None
    assert read.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    assert not read.defects
    assert "主要工作" in part(read, "plain")
    assert "<h2>1. When Less is More" in part(read, "html")


def test_whoever_sends_it_gives_the_addresses():
    read = parsed(
        editions.edition(1), sender="A Club <club@example.org>", unsubscribe="https://example.org/bye"
    )
    assert read["From"] == "A Club <club@example.org>" and read["X-Unsent"] is None
    assert read["List-Unsubscribe"] == "<https://example.org/bye>"
    assert 'href="https://example.org/bye"' in part(read, "html")


def test_a_revision_is_another_mail():
    assert parsed(editions.edition(1, revision=2))["Message-ID"] == "<digest.2023-09-12.r2@sulan.invalid>"


@settings(max_examples=40, deadline=None)
@given(hostile())
def test_a_hostile_edition_is_a_harmless_mail(edition):
    read = parsed(edition)
    assert not read.defects and read["Subject"].startswith("【2023-09-12】")
    page = Page(part(read, "html"))
    assert not {"script", "img", "style", "svg", "iframe", "form", "link"} & {tag for tag, _ in page.elements}
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)
    lines = part(read, "plain").split("\r\n")
    assert len(lines) > 10 and all(line.isprintable() for line in lines)
