import json
import re

import pytest

from sulan.digest import stored

NUMBERS = {
    "2309.05463": ["10 million", "1.3 billion", "5x", "phi-1.5", "TinyStories", "Python"],
    "2309.05519": ["(1%)", "NExT-GPT", "MM-LLM", "MosIT"],
    "2309.04564": ["30%", "Error L2-Norm", "perplexity", "memorization"],
    "2309.04827": ["125m to 66b", "more than 70%", "OPT", "FFN", "single GPU"],
    "2309.04662": ["3T tokens", "419 languages", "10.7B", "250 billion tokens", "over 450 languages", "8B"],
    "2309.05516": [
        "3 and 4-bit",
        "400 steps",
        "SignRound",
        "(RTN)",
        "https://github.com/intel/neural-compressor",
    ],
    "2309.04663": ["100-10,000", "FIAT", "(ICL)", "(LLM)"],
    "2309.04581": ["NeRF", "sRGB", "(HDR)", "GPU"],
}
"""Every number and name of the authors' abstracts, checked by reading them once."""


@pytest.fixture(scope="module")
def real(shared):
    items = json.loads((shared / "data" / "daily_papers_2023-09-12.json").read_text())
    return [item["paper"] for item in items]


@pytest.fixture(scope="module")
def papers():
    found = stored.papers("2023-09-12")
    assert found is not None
    return {paper.id: paper for paper in found}


def words(text):
    plain = re.sub(r"\\textbf|``|''", "", text).lower()
    return re.findall(r"[a-z0-9]+", plain)


def runs(text, length):
    tokens = words(text)
    return {tuple(tokens[i : i + length]) for i in range(len(tokens) - length + 1)}


def test_only_the_stored_day_is_there():
    assert stored.papers("2023-09-13") is None
    assert stored.papers("") is None


def test_the_eight_papers_in_the_order_of_the_list(papers):
    assert list(papers) == list(NUMBERS)


def test_every_abstract_says_that_it_is_reworded(papers):
    for paper in papers.values():
        assert "reworded" in paper.abstract_note
        assert (paper.source, paper.featured_on, paper.upvotes) == ("shipped", "2023-09-12", None)


@pytest.mark.parametrize("paper_id", NUMBERS)
def test_every_number_and_name_is_kept(papers, paper_id):
    missing = [text for text in NUMBERS[paper_id] if text not in papers[paper_id].abstract]
    assert missing == []


@pytest.mark.parametrize("paper_id", NUMBERS)
def test_an_abstract_is_five_to_seven_sentences_with_a_statement_and_a_result(papers, paper_id):
    sentences = re.split(r"(?<=[.])\s+(?=[A-Z])", papers[paper_id].abstract)
    assert 5 <= len(sentences) <= 7
    main = r"\b(propose|present|introduces?|investigate)\b"
    assert any(re.search(main, sentence) for sentence in sentences)
    result = r"\b(surpasses|outperforms|competitive|find|tuned|needs no more)\b"
    assert any(re.search(result, sentence) for sentence in sentences)


def test_record_fields_are_the_record_s(papers, real):
    for record in real:
        paper = papers[record["id"]]
        assert paper.title == " ".join(record["title"].split())
        assert paper.authors == tuple(author["name"] for author in record["authors"])
        assert paper.published_at == record["publishedAt"]


def test_no_sentence_is_the_authors(papers, real):
    for record in real:
        shared_runs = runs(papers[record["id"]].abstract, 8) & runs(record["summary"], 8)
        assert shared_runs == set()


def test_no_number_is_new_and_none_is_lost(papers, real):
    def numbers(text):
        return set(re.findall(r"\d[\d.,]*\d|\d", re.sub(r"\\textbf", "", text)))

    for record in real:
        assert numbers(papers[record["id"]].abstract) == numbers(record["summary"])
