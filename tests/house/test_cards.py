"""The nine cards as they ship: complete, cited, and true to the records they quote."""

import json
import re

import pytest

from sulan.papers.card import read
from sulan.papers.claims import measured, records
from sulan.papers.room import rooms

OWN = {name: room for name, room in rooms().items() if room.package.startswith("sulan.")}
PAPERS = {
    "textbook": "2309.05463",
    "anytoany": "2309.05519",
    "prune": "2309.04564",
    "neurons": "2309.04827",
    "corpus": "2309.04662",
    "quantize": "2309.05516",
    "tune": "2309.04663",
    "radiance": "2309.04581",
    "digest": "",
}
BUILT_LATER = {
    "anytoany": {"train", "evaluate"},
}
"""Verbs that the cards name and the rooms do not have yet; a room's entry goes when its verbs come."""


def test_there_are_nine():
    assert set(OWN) == set(PAPERS)


@pytest.mark.parametrize("name", PAPERS)
class TestCard:
    def test_belongs_to_its_paper(self, name):
        assert read(OWN[name].card_path).paper == PAPERS[name]

    def test_has_three_to_eight_claims(self, name):
        assert 3 <= len(read(OWN[name].card_path).claims) <= 8

    def test_measures_by_verbs_of_its_own_room(self, name):
        room, card = OWN[name], read(OWN[name].card_path)
        known = set(room.verbs) or BUILT_LATER[name]
        for claim in card.claims:
            owner, verb = claim.verb.split(" ", maxsplit=1)
            assert owner == name
            assert verb in known, claim.measure

    def test_no_metric_measures_two_claims(self, name):
        measures = [claim.measure for claim in read(OWN[name].card_path).claims]
        assert len(set(measures)) == len(measures)

    def test_joins_with_the_packaged_records(self, name):
        card = read(OWN[name].card_path)
        rows = measured(card, records())
        assert [row.claim for row in rows] == [claim.id for claim in card.claims]


@pytest.fixture(scope="module")
def abstracts(shared):
    items = json.loads((shared / "data" / "daily_papers_2023-09-12.json").read_text())
    return {item["paper"]["id"]: item["paper"] for item in items}


def test_titles_are_the_papers(abstracts):
    for name, paper in PAPERS.items():
        if paper:
            assert read(OWN[name].card_path).title == " ".join(abstracts[paper]["title"].split())


def test_a_number_cited_from_the_abstract_is_in_the_abstract(abstracts):
    cited = 0
    for name, paper in PAPERS.items():
        for claim in read(OWN[name].card_path).claims if paper else ():
            if claim.source.startswith("abstract"):
                for number in re.findall(r"\d[\d.,]*", claim.value):
                    assert number.rstrip(".,") in abstracts[paper]["summary"], (name, claim.id, number)
                    cited += 1
    assert cited >= 8


def test_the_digest_s_claims_are_what_the_digest_has(shared):
    text = (shared / "seed" / "digest-2023-09-12.zh.md").read_text()
    entries = re.split(r"(?m)^## ", text)[1:]
    values = {claim.id: claim.value for claim in read(OWN["digest"].card_path).claims}
    assert values["papers"] == f"{len(entries)} papers"
    assert text.count("1.3亿") == 1
    assert "1.3亿" in entries[0]
    scores = [float(score) for score in re.findall(r"(?:实用性|创新性|推荐度) ?： ?(\d(?:\.\d)?)", text)]
    assert values["score-spread"] == f"{min(scores):g} to 5, {len(scores)} scores"
    cut = [entry for entry in entries if not re.search(r"[。）`]\s*\[到 Hugging", entry)]
    assert values["cut-texts"] == f"{len(cut)} cut texts in 8 entries"
