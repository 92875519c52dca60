"""Perplexity is what plain transformers say it is, whatever the batches."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy
import pyarrow as pa
import pytest
import torch
from transformers import PreTrainedModel

from evaluation.small_models import CONTEXT, MODELS, TOKENIZER, language_model
from sulan.documents import writer
from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.evaluation.perplexity import perplexity
from sulan.models import tiny

DOCUMENTS = ["The cat sat.", "", "速览", "A quick look at naïve readers. " * 30, "x", "<|endoftext|> is text"]


def naive(model: PreTrainedModel, text: str) -> tuple[float, int]:
    """One document in one pass, by transformers' own loss."""
    ids = TOKENIZER(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    if not ids:
        return 0.0, 0
    row = torch.tensor([[TOKENIZER.bos_token_id, *ids]])
    return float(model(row, labels=row).loss) * len(ids), len(ids)


@pytest.mark.parametrize("name", MODELS)
def test_equals_the_loss_of_transformers(name: str) -> None:
    found = perplexity(MODELS[name], DOCUMENTS[:3])
    expected = [naive(MODELS[name].model, text) for text in DOCUMENTS[:3]]
    assert found.document_nll == pytest.approx([nll for nll, _ in expected], rel=1e-5)
    assert found.document_tokens.tolist() == [count for _, count in expected]
    assert found.document_bytes.tolist() == [12, 0, 6]
    nll, count = sum(nll for nll, _ in expected), sum(count for _, count in expected)
    assert found.perplexity == pytest.approx(math.exp(nll / count), rel=1e-5)
    assert found.bits_per_byte == pytest.approx(nll / math.log(2) / 18, rel=1e-5)


def test_batches_do_not_matter_and_every_token_counts_once() -> None:
    one, many = (perplexity(MODELS["llama"], DOCUMENTS, tokens_per_batch=size) for size in (1, 4096))
    assert one.document_nll == pytest.approx(many.document_nll, abs=1e-3)
    assert one.document_tokens.tolist() == many.document_tokens.tolist()
    lengths = [len(TOKENIZER(t, split_special_tokens=True)["input_ids"]) for t in DOCUMENTS]
    assert many.document_tokens.tolist() == lengths
    assert max(lengths) > CONTEXT


def test_a_uniform_model_has_the_vocabulary_as_perplexity() -> None:
    model = tiny.llama(context=CONTEXT, tied=False)
    torch.nn.init.zeros_(model.lm_head.weight)
    assert perplexity(language_model(model), DOCUMENTS).perplexity == pytest.approx(512)


def test_a_corpus_is_its_texts(tmp_path: Path) -> None:
    ids = [f"d{place}" for place in range(len(DOCUMENTS))]
    table = pa.table({"id": ids, "text": pa.array(DOCUMENTS, pa.large_string())})
    writer.write([table], tmp_path / "corpus")
    of_corpus, of_texts = (perplexity(MODELS["phi"], x) for x in (tmp_path / "corpus", DOCUMENTS))
    assert of_corpus.document_nll.tolist() == of_texts.document_nll.tolist()
    with pytest.raises(MissingFile):
        perplexity(MODELS["phi"], tmp_path / "nowhere")


def test_documents_are_streamed() -> None:
    alive = most = 0

    class Text(str):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def texts() -> Iterator[str]:
        nonlocal alive, most
        for place in range(3000):
            alive += 1
            most = max(most, alive)
            yield Text(f"Text {place}.")

    found = perplexity(MODELS["llama"], texts())
    assert len(found.document_nll) == 3000
    assert most < 2000


def test_nothing_to_score_and_no_finite_score_cost_one_line() -> None:
    with pytest.raises(InputError, match="none of the 2 documents"):
        perplexity(MODELS["llama"], ["", ""])
    with pytest.raises(InputError, match="not Unicode"):
        perplexity(MODELS["llama"], ["\ud800"])
    broken = tiny.llama(context=CONTEXT)
    with torch.no_grad():
        broken.model.norm.weight[0] = numpy.nan
    with pytest.raises(BrokenArtefact, match="LlamaForCausalLM"):
        perplexity(language_model(broken), ["The cat"])
