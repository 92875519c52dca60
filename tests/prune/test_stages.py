"""The stages of a comparison: a split by text, units that partition, scores of early and late references."""

from pathlib import Path

import numpy as np
import pytest

from prune import small
from sulan.documents import reader
from sulan.errors import InputError
from sulan.prune import stages
from sulan.prune.plans import NONE, Arm, Comparison, Pretraining, Shape, Trial, work_name
from sulan.training import stream as streams

PLAN = Comparison(metrics=("perplexity", "el2n", "memorization"), seeds=2, held_out=0.2, reference=0.3)
SHAPE = Shape(vocabulary=300, layers=1, width=16, heads=2)
TRAINING = Pretraining(
    steps=6, batch=4, context=64, learning_rate=1e-2, warmup=1, dtype="float32", checkpoint_every=2
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    texts = small.texts(120)
    corpus = small.corpus(folder / "corpus", [*texts, *texts[:40]], columns={"source": ["x", "y"] * 80})
    (folder / "made").mkdir()
    counts = stages.prepare(0, folder / "made", corpus=corpus, comparison=PLAN, shape=SHAPE, context=64)
    parts = ("pool documents", "reference documents", "held-out documents")
    assert sum(counts[part] for part in parts) == 160
    assert min(counts[part] for part in parts) > 10
    return folder / "made"


@pytest.fixture(scope="module")
def reference(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    stages.train_reference(
        0,
        folder,
        prepared=prepared,
        comparison=PLAN,
        shape=SHAPE,
        training=TRAINING,
        work=str(folder / "work"),
    )
    return folder


@pytest.fixture(scope="module")
def scores(prepared: Path, reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scores")
    count = streams.read(prepared / stages.POOL).count(64)
    for number, unit in enumerate(((0, count // 2), (count // 2, count))):
        shard = folder / f"shard-{number:05d}"
        shard.mkdir()
        stages.score_units(
            list(unit), shard, prepared=prepared, reference=reference, comparison=PLAN, context=64
        )
    stages.gather(folder, 2, folder / "all", comparison=PLAN)
    return folder / "all"


def test_no_text_is_both_trained_on_and_judged_on(prepared: Path) -> None:
    judged = set(reader.columns(prepared / stages.HELD_OUT, ["text"])["text"].to_pylist())
    assert len(judged) > 5
    tokenizer = stages._tokenizer(prepared)
    for part in (stages.POOL, stages.REFERENCE):
        stream = streams.read(prepared / part)
        whole = stream.sequences(np.zeros(1, dtype=np.int64), context=stream.tokens)[0]
        documents = str(tokenizer.decode(whole)).split("<|endoftext|>")
        assert not judged & set(documents) - {""}


def test_early_and_late_references_differ(reference: Path, scores: Path) -> None:
    assert {path.name for path in reference.glob("at-*")} == {"at-14", "at-100"}
    files = [(reference / name / "model.safetensors").read_bytes() for name in ("at-14", "at-100")]
    assert files[0] != files[1]
    found = {metric: np.load(scores / f"{metric}.npy") for metric in PLAN.metrics}
    assert len({len(values) for values in found.values()}) == 1
    assert np.isfinite(found["perplexity"]).all()
    assert ((found["el2n"] > 0) & (found["el2n"] < 2**0.5)).all()
    assert ((found["memorization"] >= 0) & (found["memorization"] <= 1)).all()


def test_sides_partition_the_pool_and_random_differs_by_seed(scores: Path) -> None:
    count = len(np.load(scores / stages.TIES))
    for metric in PLAN.metrics:
        found = [
            stages.chosen(Arm(metric=metric, side=side, percent=30), scores=scores, seed=0)
            for side in ("bottom", "top")
        ]
        assert found[0] is not None
        assert found[1] is not None
        assert len(found[0]) == len(found[1]) == count * 30 // 100
        assert not set(found[0].tolist()) & set(found[1].tolist())
    one, two = (stages.chosen(Arm(metric="random", percent=50), scores=scores, seed=seed) for seed in (0, 1))
    assert one is not None
    assert two is not None
    assert len(one) == len(two) == count // 2
    assert one.tolist() != two.tolist()
    assert stages.chosen(NONE, scores=scores, seed=0) is None
    with pytest.raises(InputError, match="keeps none"):
        stages.chosen(Arm(metric="random", percent=0), scores=scores, seed=0)


def test_a_model_is_trained_on_its_part_and_judged(prepared: Path, scores: Path, tmp_path: Path) -> None:
    found = []
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        result = stages.train_arm(
            Trial(arm=Arm(metric="perplexity", side="middle", percent=50), seed=1),
            tmp_path / place,
            prepared=prepared,
            scores=scores,
            comparison=PLAN,
            shape=SHAPE,
            training=TRAINING,
            work=str(tmp_path / "work"),
        )
        found.append((result, (tmp_path / place / stages.NLL).read_bytes()))
    assert found[0] == found[1]
    assert found[0][0]["units"] == len(np.load(scores / stages.TIES)) * 50 // 100
    sizes = np.load(tmp_path / "a" / stages.SIZES)
    assert sizes.shape[1] == reader.count(prepared / stages.HELD_OUT)
    assert not list((tmp_path / "work").iterdir())


def test_other_settings_train_in_another_place() -> None:
    assert work_name(training=TRAINING) == work_name(training=TRAINING)
    assert work_name(training=TRAINING) != work_name(training=Pretraining())
    assert Pretraining().steps * Pretraining().batch * Pretraining().context == 16_777_216_000
