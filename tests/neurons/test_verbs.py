"""The verbs from the outside: scans that are divided and killed, mistakes that cost one line, what is written."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForCausalLM

import sulan
from sulan import models
from sulan.errors import BackendError, BrokenArtefact, InputError, MissingFile
from sulan.models import tiny
from sulan.neurons import compact, sequences, tables, texts, units
from sulan.neurons.counters import Meta
from sulan.neurons.settings import Reading

COUNTERS = ("counters.safetensors", "ngrams.safetensors", "examples.safetensors", "meta.json")

pytestmark = pytest.mark.xdist_group("neurons")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A planted model, scanned and classified."""
    folder = tmp_path_factory.mktemp("planted")
    sulan.neurons.plant(out=folder / "planted", documents=150)
    sulan.neurons.scan(
        str(folder / "planted/model"), data=folder / "planted/corpus", out=folder / "counters", workers=1
    )
    sulan.neurons.classify(folder / "counters", out=folder / "classes")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in COUNTERS}


def scan_words(made: Path, out: Path, *more: str) -> list[str]:
    model, data = str(made / "planted/model"), str(made / "planted/corpus")
    words = [sys.executable, "-m", "sulan", "neurons", "scan", model, "--data", data, "--out", str(out)]
    # So small a budget makes many units; the scan that it is compared with had another batch.
    return [*words, "--memory-budget", "1m", "--workers", "1", "--reading.batch", "3", *more]


@pytest.mark.timeout(600)
def test_a_scan_killed_in_the_middle_goes_on_and_ends_in_the_same_bytes(made, tmp_path):
    out, work = tmp_path / "counters", tmp_path / ".counters.work" / "units"
    with subprocess.Popen(
        scan_words(made, out), start_new_session=True, stderr=subprocess.DEVNULL
    ) as process:
        while not list(work.glob("shard-*/done.json")) and process.poll() is None:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    done = {path: path.stat().st_mtime_ns for path in work.glob("shard-*/unit.safetensors")}
    assert done
    subprocess.run(scan_words(made, out, "--json"), check=True, capture_output=True)
    assert contents(out) == contents(made / "counters")
    assert not work.exists()


def parts_of(made: Path, folder: Path, *, count: int) -> list[Path]:
    """Parts of the scan as `--shard` writes them, counted in this process."""
    meta = Meta.read(made / "counters")
    text = sequences.load(made / "counters")
    planned = units.plan(text, meta, batch=2, budget=1 << 20, workers=1, most=3000)
    assert len(planned) > count
    found = []
    for part in range(1, count + 1):
        out = folder / f"part-{part}"
        out.mkdir(parents=True)
        for number, unit in enumerate(planned[part - 1 :: count]):
            (folder / "unit").mkdir()
            units.count(
                unit,
                folder / "unit",
                model=str(made / "planted/model"),
                dtype="float32",
                text=made / "counters" / sequences.FILE,
                meta=meta,
            )
            shutil.move(folder / "unit" / units.FILE, out / units.file_name(number))
            (folder / "unit").rmdir()
        shutil.copy(made / "counters" / sequences.FILE, out)
        document = json.loads((made / "counters/meta.json").read_text()) | {"shard": [part, count]}
        (out / "meta.json").write_text(json.dumps(document))
        found.append(out)
    return found


def test_parts_merge_into_the_same_bytes_in_any_order_and_only_whole(made, tmp_path):
    parts = parts_of(made, tmp_path, count=3)
    for number, order in enumerate(([0, 1, 2], [2, 0, 1])):
        out = tmp_path / f"merged-{number}"
        sulan.neurons.merge(tuple(parts[each] for each in order), out=out)
        assert contents(out) == contents(made / "counters")
    with pytest.raises(InputError, match="missing"):
        sulan.neurons.merge((parts[0], parts[2]), out=tmp_path / "out")
    with pytest.raises(InputError, match="there twice"):
        sulan.neurons.merge((parts[0], parts[1], parts[1], parts[2]), out=tmp_path / "out")
    with pytest.raises(InputError, match="part 1 of 3"):
        sulan.neurons.classify(parts[0], out=tmp_path / "out")
    for field, value, says in (
        ("fingerprint", "another", "the model is another one"),
        ("rule", "gate-open", "rule is gate-open, not nonzero"),
        ("sequences", "another", "the text, or how it was cut"),
    ):
        document = json.loads((parts[1] / "meta.json").read_text())
        spoilt = tmp_path / f"spoilt-{field}"
        shutil.copytree(parts[1], spoilt)
        (spoilt / "meta.json").write_text(json.dumps(document | {field: value}))
        with pytest.raises(InputError, match=re.escape(says)):
            sulan.neurons.merge((parts[0], spoilt, parts[2]), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tables_say_what_was_planted(made):
    planted = json.loads((made / "planted/planted.json").read_text())
    rows = pq.read_table(made / "classes/neurons.parquet").to_pylist()
    by_kind = {}
    for gate, row in zip(planted, rows, strict=True):
        assert (gate["layer"], gate["neuron"]) == (row["layer"], row["neuron"])
        by_kind.setdefault(gate["kind"], []).append(row)
    assert {row["proof"] for row in by_kind["dead, proved"]} == {"proved"}
    assert {row["proof"] for row in by_kind["dead, impossible"]} == {"observed"}
    assert all(row["detector_1"] for row in by_kind["token"] + by_kind["tokens"])
    assert {row["type"] for row in by_kind["oscillating"]} == {"oscillatory"}
    metrics = {
        metric["name"]: metric for metric in json.loads((made / "classes/run.json").read_text())["metrics"]
    }
    from sulan.papers import card

    claims = card.read(Path(sulan.neurons.__file__).with_name("card.toml")).claims
    for claim in claims:
        assert metrics[claim.metric]["scale"], claim.metric


def test_the_page_shows_the_papers_figures(made, tmp_path):
    sulan.neurons.report(made / "classes", out=tmp_path / "page")
    page = (tmp_path / "page/report.html").read_text()
    for caption in (
        "dead, by layer",
        "How often the others are active",
        "How many tokens cover 95 %",
        "How many trigrams cover 95 %",
        "Detectors of tokens",
        "Positional neurons by layer and type",
        "Frequency by position: oscillatory",
        "Token detectors that suppress",
    ):
        assert caption in page, caption
    assert "observed" in page

    assert "w03" in page


def test_one_neuron_is_shown(made):
    found = sulan.neurons.show("L0N1", tables=made / "classes")
    assert found.summary["detector_1"] is True
    by_title = {table.title: table for table in found.tables}
    assert {row[1] for row in by_title["Triggers"].rows if row[0] == 1} == {"w03", "w04", "w05"}
    assert all(row[1] in ("w03", "w04", "w05") for row in by_title["Contexts"].rows)
    assert {row[1] for row in by_title["Written to the logits"].rows[:3]} == {"w03", "w04", "w05"}
    curve = sulan.neurons.show("1.6", tables=made / "classes").tables[-1]
    assert curve.title == "Frequency by position"
    assert {row[1] for row in curve.rows} == {0.0, 1.0}
    with pytest.raises(InputError, match=r"no neuron 7\.0"):
        sulan.neurons.show("7.0", tables=made / "classes")


@pytest.mark.parametrize(("level", "removed"), [("proved", 2), ("observed", 4)])
def test_a_pruned_model_loads_anywhere_and_computes_the_same(made, tmp_path, level, removed):
    model = str(made / "planted/model")
    found = sulan.neurons.prune(
        model, tables=made / "classes", data=made / "planted/corpus", out=tmp_path / "pruned", level=level
    )
    assert found.exit_code == 0
    assert found.summary["removed"] == removed
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "pruned", local_files_only=True)
    tokens = torch.tensor([[0, 3, 4, 5, 6, 7]])
    before = models.load(model, dtype="float32").model(tokens).logits
    for pruned in (plain, compact.load(tmp_path / "pruned/compact")):
        assert (pruned(tokens).logits - before).abs().max() <= 1e-4
        assert pruned.num_parameters() < models.load(model).model.num_parameters()


def test_layers_of_different_widths_are_filled_up(tmp_path):
    model = tiny.opt(layers=2, hidden=8)
    tokens = torch.randint(0, 500, (1, 12), generator=torch.Generator().manual_seed(0))
    before = model(tokens).logits
    for layer, dead in ((0, [1, 2, 5]), (1, [0])):
        block = model.model.decoder.layers[layer]
        block.fc1.bias.data[dead] = -1e3
    expected = model(tokens).logits
    kept = [torch.tensor([0, 3, 4, 6, 7]), torch.arange(1, 8)]
    compact.keep(model, kept)
    compact.save(model, tmp_path)
    assert torch.allclose(compact.load(tmp_path)(tokens).logits, expected, atol=1e-5)
    compact.keep(model, [torch.arange(5), torch.arange(7)], width=7)
    assert model.config.ffn_dim == 7
    assert torch.allclose(model(tokens).logits, expected, atol=1e-5)
    assert not torch.allclose(before, expected)


def test_nothing_of_a_smooth_model_is_called_dead_or_removed(made, tmp_path):
    folder = tmp_path / "smooth"
    folder.mkdir()
    models.save(tiny.llama(hidden=32), tiny.tokenizer(["some words"], vocabulary=300), folder)
    counted = tmp_path / "counters"
    shutil.copytree(made / "counters", counted)
    document = json.loads((counted / "meta.json").read_text())
    (counted / "meta.json").write_text(json.dumps(document | {"rule": "gate-open", "activation": "silu"}))
    sulan.neurons.classify(counted, out=tmp_path / "classes", model=str(made / "planted/model"))
    rows = pq.read_table(tmp_path / "classes/neurons.parquet")
    assert "dead" not in set(rows["status"].to_pylist())
    assert "never open" in set(rows["status"].to_pylist())
    names = {metric["name"] for metric in json.loads((tmp_path / "classes/run.json").read_text())["metrics"]}
    assert not {name for name in names if name.startswith("dead")}
    with pytest.raises(InputError, match="without loss"):
        sulan.neurons.prune(
            str(folder), tables=tmp_path / "classes", data=made / "planted/corpus", out=tmp_path / "pruned"
        )


def test_ablation_tells_what_is_needed_from_what_is_not(made, tmp_path):
    found = sulan.neurons.ablate(
        str(made / "planted/model"),
        tables=made / "classes",
        data=made / "planted/corpus",
        out=tmp_path / "ablation",
        classes=("never", "token detectors"),
        documents=10,
    )
    never, detectors = found.tables[0].rows
    assert never[1:3] == (4, 0.0)
    assert detectors[1] == 4
    assert isinstance(detectors[2], float)
    assert detectors[2] > 0  # they push down what was just read, which the text does not repeat
    with pytest.raises(InputError, match="no class"):
        sulan.neurons.ablate(
            "x", tables=made / "classes", data=made / "planted/corpus", out=tmp_path / "o", classes=("odd",)
        )


def test_comparison_counts_what_changed(made, tmp_path):
    sulan.neurons.classify(made / "counters", out=tmp_path / "strict", minimum=10**6)
    found = sulan.neurons.compare((made / "classes", tmp_path / "strict"), out=tmp_path / "compared")
    moved = {row[:2]: row[2] for row in found.tables[1].rows}
    assert moved["token detector", "alive"] == 4
    assert found.summary["same class: classes and strict"] == pytest.approx(20 / 24)
    assert found.summary["detected tokens shared: classes and strict"] == 0.0
    with pytest.raises(InputError, match="nothing to be compared"):
        sulan.neurons.compare((made / "classes",), out=tmp_path / "one")


def test_few_windows_are_warned_of(made):
    from sulan.neurons import tallies

    meta = Meta.read(made / "counters")
    assert not tallies.warnings(meta)
    from dataclasses import replace

    assert "Only 9 of 150 windows are full" in tallies.warnings(replace(meta, full=9))[0]


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"reading": Reading(context=65)}, InputError, "takes 64 tokens, not 65"),
        ({"layers": "0,7"}, InputError, "layers 0 to 1"),
        ({"ngrams": (4,)}, InputError, "n-grams of 4"),
        ({"shard": "3/2"}, InputError, "no shard"),
        ({"memory_budget": "1k"}, InputError, "memory budget"),
        ({"memory_budget": "much"}, InputError, "no size"),
        ({"data": Path("nowhere")}, MissingFile, "nowhere"),
    ],
)
def test_a_mistake_costs_one_clear_line(made, tmp_path, changes, error, says):
    arguments = {"data": made / "planted/corpus", "out": tmp_path / "out", "workers": 1} | changes
    with pytest.raises(error, match=says) as caught:
        sulan.neurons.scan(str(made / "planted/model"), **arguments)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_empty_text_and_a_missing_beginning_are_told(made, tmp_path):
    empty = tmp_path / "empty.jsonl"
    empty.write_text('{"id": "1", "text": ""}\n')
    model = str(made / "planted/model")
    with pytest.raises(InputError, match="no token"):
        sulan.neurons.scan(model, data=empty, out=tmp_path / "out")
    folder = tmp_path / "headless"
    folder.mkdir()
    tokenizer = tiny.tokenizer(["some words"], vocabulary=300)
    tokenizer.bos_token = tokenizer.eos_token = None
    models.save(tiny.opt(vocabulary=300, hidden=16), tokenizer, folder)
    data = tmp_path / "text.jsonl"
    data.write_text('{"id": "1", "text": "some words and more"}\n')
    with pytest.raises(InputError, match="no beginning-of-sequence token") as caught:
        sulan.neurons.scan(str(folder), data=data, out=tmp_path / "out")
    assert "--reading.bos none" in caught.value.hint


@pytest.mark.timeout(600)
def test_a_broken_activation_ends_the_scan_with_its_name(made, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(made / "planted/model", folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.decoder.layers.1.fc1.bias"][3] = np.float32(3e38)
    weights["model.decoder.layers.1.fc1.weight"][3] = np.float32(3e38)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackendError, match="layer 1, neuron 3"):
        sulan.neurons.scan(str(folder), data=made / "planted/corpus", out=tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


def test_damaged_counters_are_told(made, tmp_path):
    shutil.copytree(made / "counters", tmp_path / "counters")
    path = tmp_path / "counters/ngrams.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BrokenArtefact, match=r"ngrams\.safetensors"):
        sulan.neurons.classify(tmp_path / "counters", out=tmp_path / "out")
    with pytest.raises(MissingFile, match="no scan"):
        sulan.neurons.classify(tmp_path, out=tmp_path / "out")
    with pytest.raises(MissingFile, match="no classification"):
        tables.read(tmp_path)


def test_pythons_library_is_a_text(tmp_path):
    found = list(texts.texts(texts.python(tmp_path)))
    assert sum(map(len, found)) > 3_000_000
    assert any("def main" in text for text in found)
