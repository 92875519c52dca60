import pytest
from pydantic import ValidationError

from sulan.errors import BrokenArtefact, MissingFile
from sulan.papers.card import all_cards, read

CLAIM = """
[[claim]]
id = "middle-50"
says = "the middle half is better than everything"
value = "1 % lower test perplexity, 124M parameters"
source = "section 4"
measure = "prune compare: improvement.perplexity.middle.50"
"""
CARD = f"""paper = "2309.04564"
title = "When Less is More"
use = "Keep the part worth training on."
command = "sulan run recipes/prune-small.toml"
{CLAIM}"""


@pytest.fixture
def write(tmp_path):
    def _write(text):
        path = tmp_path / "card.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return _write


def test_a_card_is_read(write):
    card = read(write(CARD))
    assert (card.paper, card.title, card.origin) == ("2309.04564", "When Less is More", None)
    assert card.command == "sulan run recipes/prune-small.toml"
    (claim,) = card.claims
    assert (claim.id, claim.source) == ("middle-50", "section 4")
    assert (claim.verb, claim.metric) == ("prune compare", "improvement.perplexity.middle.50")


def test_a_card_cannot_be_changed(write):
    card = read(write(CARD))
    with pytest.raises(ValidationError):
        setattr(card, "title", "another")  # noqa: B010  a plain assignment is already a type error


def test_a_card_without_a_paper_says_where_it_comes_from(write):
    text = CARD.replace('"2309.04564"', '""\norigin = "the digest of a day"')
    assert read(write(text)).origin == "the digest of a day"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "When Less is More"\n', "", "title: Field required"),
        ('id = "middle-50"\n', "", "claim.0.id: Field required"),
        ('paper = "2309.04564"', 'paper = "arxiv:2309.04564"', "paper: "),
        ('paper = "2309.04564"', 'paper = ""', "a card has either paper or origin"),
        ('use = "Keep', 'origin = "elsewhere"\nuse = "Keep', "a card has either paper or origin"),
        ('use = "Keep', 'usage = "x"\nuse = "Keep', "usage: Extra inputs are not permitted"),
        ('source = "section 4"', 'source = ""', "claim.0.source: "),
        ('source = "section 4"', "source = 4", "claim.0.source: Input should be a valid string"),
        ('says = "the', 'says = " the', "claim.0.says: "),
        ('command = "sulan run', 'command = "rm -r', "command: "),
        ("prune compare: improvement", "improvement", "claim.0.measure: "),
        ("prune compare: improvement", "compare: improvement", "claim.0.measure: "),
        ('middle.50"\n', 'middle..50"\n', "claim.0.measure: "),
        ('middle.50"\n', 'middle 50"\n', "claim.0.measure: "),
        ('id = "middle-50"', 'id = "Middle 50"', "claim.0.id: "),
        (CLAIM, CLAIM + CLAIM, "two claims have the id middle-50"),
        (CLAIM, "", "claim: Field required"),
        ("[[claim]]", "[[claim", "is not TOML"),
    ],
)
def test_a_bad_card_names_the_file_and_the_key(write, old, new, message):
    assert old in CARD
    path = write(CARD.replace(old, new))
    with pytest.raises(BrokenArtefact) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_card_that_is_not_text(write):
    with pytest.raises(BrokenArtefact, match="is not TOML"):
        read(write(b"\xff\xfe\x00"))


def test_a_missing_card(tmp_path):
    with pytest.raises(MissingFile, match="no card at"):
        read(tmp_path / "card.toml")


def test_all_cards_are_those_of_the_installed_rooms():
    cards = all_cards()
    assert {
        "anytoany",
        "corpus",
        "digest",
        "neurons",
        "prune",
        "quantize",
        "radiance",
        "textbook",
        "tune",
    } <= set(cards)
    assert cards["prune"].paper == "2309.04564"


def test_a_third_party_s_broken_card_costs_only_itself(tmp_path, monkeypatch, caplog):
    package = tmp_path / "tenth_room"
    package.mkdir()
    (package / "__init__.py").write_text('"""A tenth."""\n__all__: list[str] = []\n')
    (package / "card.toml").write_text("paper = 3")
    installed = tmp_path / "tenth_room-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: tenth-room\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("[sulan.rooms]\ntenth = tenth_room\n")
    monkeypatch.syspath_prepend(tmp_path)
    cards = all_cards()
    assert "prune" in cards
    assert "tenth" not in cards
    assert "room tenth is left out" in caplog.text
    assert "paper: " in caplog.text
