import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sulan.errors import MissingFile
from sulan.papers.card import Card
from sulan.papers.claims import NOT_RUN, RunRecord, measured, printed, records
from sulan.runs import outputs
from sulan.runs.record import record

CARD = Card.model_validate(
    {
        "paper": "2309.04564",
        "title": "When Less is More",
        "use": "Keep the part worth training on.",
        "claim": [
            {
                "id": "middle-50",
                "says": "the middle half is better",
                "value": "1 %, 124M parameters",
                "source": "section 4",
                "measure": "prune compare: improvement.middle.50",
            },
            {
                "id": "thirty-percent",
                "says": "a third is enough",
                "value": "better, 30 %",
                "source": "abstract",
                "measure": "prune compare: improvement.30",
            },
        ],
    }
)
SCALE = "3 seeds, 3M parameters, 10M tokens"


def run_record(*, end="2026-12-01T10:00:00Z", name="improvement.middle.50", value=0.4, **changes):
    metric = {"name": name, "value": value, "scale": SCALE, "claim": "middle-50"}
    document = {
        "verb": "prune compare",
        "status": "complete",
        "end": end,
        "environment": {"cpu": "AMD  EPYC", "cores": 2, "threads": ""},
        "metrics": [metric | changes.pop("metric", {})],
    }
    return RunRecord.model_validate(document | changes)


def first(*found):
    return measured(CARD, found)[0]


def test_without_a_record_every_claim_says_not_run():
    rows = measured(CARD, ())
    assert [row.claim for row in rows] == ["middle-50", "thirty-percent"]
    assert {(row.measured, row.scale, row.date) for row in rows} == {(NOT_RUN, "", "")}
    assert (rows[0].says, rows[0].value, rows[0].source) == (
        "the middle half is better",
        "1 %, 124M parameters",
        "section 4",
    )


def test_a_complete_run_shows_value_scale_machine_command_and_date():
    rows = measured(CARD, [run_record()])
    assert rows[0].measured == "0.4"
    assert rows[0].scale == f"{SCALE}; AMD EPYC, 2 cores; sulan prune compare; 2026-12-01"
    assert rows[0].date == "2026-12-01"
    assert rows[1].measured == NOT_RUN


def test_threads_and_gpu_are_named_where_known():
    machine = {"cpu": "AMD EPYC", "cores": 16, "threads": "1", "gpu": "H100"}
    assert "H100, AMD EPYC, 1 thread;" in first(run_record(environment=machine)).scale


def test_an_unknown_machine_leaves_no_gap():
    assert first(run_record(environment={})).scale == f"{SCALE}; sulan prune compare; 2026-12-01"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "failed"},
        {"status": "running", "end": ""},
        {"partial": ["one seed was lost"]},
        {"verb": "prune keep"},
        {"metric": {"scale": ""}},
        {"metric": {"scale": "  "}},
        {"metric": {"claim": "thirty-percent"}},
        {"metric": {"value": float("nan")}},
        {"metric": {"value": float("inf")}},
        {"name": "improvement.middle.5"},
        {"metrics": []},
    ],
    ids=str,
)
def test_what_is_not_a_measurement_is_never_shown(changes):
    assert first(run_record(**changes)).measured == NOT_RUN


def test_a_metric_without_a_claim_id_counts_by_its_name():
    assert first(run_record(metric={"claim": ""})).measured == "0.4"


def test_the_newest_run_wins_by_time_and_not_by_text():
    older = run_record(end="2026-12-01T10:30:00+02:00", value=1.0)  # 08:30 UTC
    newer = run_record(end="2026-12-01T09:00:00Z", value=2.0)
    assert first(older, newer).measured == first(newer, older).measured == "2"


def test_a_newer_run_that_failed_does_not_hide_an_older_one():
    failed = run_record(end="2026-12-02T00:00:00Z", status="failed", value=9)
    assert first(run_record(), failed).measured == "0.4"


def test_the_date_is_in_utc():
    assert first(run_record(end="2026-12-01T00:30:00+02:00")).date == "2026-11-30"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (-0.25, "-0.25"),
        (5351, "5,351"),
        (33.548, "33.55"),
        (0.05, "0.05"),
        (1234.56, "1,235"),
        (15509.5, "15,510"),
        (0.000012346, "0.00001235"),
        (3.2e-12, "3.2e-12"),
        (1e20, "100,000,000,000,000,000,000"),
        ("+0.4 % [-0.2, 1.1]", "+0.4 % [-0.2, 1.1]"),
    ],
)
def test_printed_values(value, text):
    assert printed(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_value_is_within_four_digits_of_the_value(value):
    assert float(printed(value).replace(",", "")) == pytest.approx(value, rel=5.1e-4, abs=0)


def test_records_of_real_runs_are_found_and_joined(tmp_path):
    with (
        outputs.folder(tmp_path / "deep" / "compare") as folder,
        record(verb="prune compare", folder=folder, config={}) as run,
    ):
        run.metric("improvement.middle.50", 0.41, scale=SCALE, claim="middle-50")
        run.metric("improvement.30", 0.2)
    rows = measured(CARD, records(tmp_path))
    assert rows[0].measured == "0.41"
    assert rows[0].scale.startswith(f"{SCALE}; ")
    assert rows[1].measured == NOT_RUN


def test_broken_records_are_skipped_with_a_warning(tmp_path, caplog):
    whole = {
        "schema_version": 1,
        "verb": "prune compare",
        "status": "complete",
        "end": "2026-12-01T00:00:00Z",
        "metrics": [],
    }
    broken = {
        "not-json": "{",
        "not-text": b"\xff",
        "no-record": "[]",
        "future": json.dumps(whole | {"schema_version": 2}),
        "no-status": json.dumps(whole | {"status": "perhaps"}),
        "no-date": json.dumps(whole | {"end": "yesterday"}),
        "no-zone": json.dumps(whole | {"end": "2026-12-01T00:00:00"}),
        "bad-metric": json.dumps(whole | {"metrics": [{"name": "a"}]}),
        "whole": json.dumps(whole),
    }
    for name, text in broken.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with caplog.at_level(logging.WARNING):
        found = records(tmp_path)
    assert len(found) == len(records()) + 1
    for name in set(broken) - {"whole"}:
        assert f"/{name}/run.json" in caplog.text


def test_what_another_run_is_still_writing_is_passed_over(tmp_path):
    text = json.dumps(
        {"schema_version": 1, "verb": "prune compare", "status": "running", "end": "", "metrics": []}
    )
    for name in (".compare.partial", "compare"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    assert len(records(tmp_path)) == len(records()) + 1


def test_a_folder_that_is_not_there_is_the_user_s_mistake(tmp_path):
    with pytest.raises(MissingFile, match="no folder of run records"):
        records(tmp_path / "nowhere")
