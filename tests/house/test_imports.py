"""The house's layers, sizes and names; and that nothing heavy comes in before it is needed."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from sulan.papers.room import rooms

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
BANNED = {"utils", "util", "common", "helpers", "helper", "misc", "core", "base", "other", "manager"}
HEAVY = ("torch", "transformers", "pyarrow", "pydantic")
VERBS = [(name, verb) for name, room in rooms().items() for verb in room.verbs]


def test_layers_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_all_nine_rooms_are_installed() -> None:
    nine = "anytoany corpus digest neurons prune quantize radiance textbook tune"
    assert set(rooms()) >= set(nine.split())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT / "src").as_posix())
def test_files_have_a_size_and_a_name(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400, "split by meaning"
    names = {part.removesuffix(".py") for part in path.relative_to(ROOT / "src").parts}
    assert not names & BANNED, "a name that says nothing"


def loaded(code: str) -> dict[str, list[str]]:
    """Run code in a fresh interpreter and return which heavy modules it left loaded."""
    tail = f"\nimport json, sys\nprint('\\n' + json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["run", "--help"]]
    + [[name, "--help"] for name in sorted({name for name, _ in VERBS})]
    + [[name, verb, "--help"] for name, verb in VERBS],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    assert loaded(f"from sulan import cli\nassert cli.run({words!r}) == 0") == []


def test_importing_sulan_imports_nothing_heavy() -> None:
    assert loaded("import sulan") == []
    assert loaded("import sulan; [getattr(sulan, room) for room in sulan.__all__]") == []


def test_nothing_of_cuda_is_installed_without_a_card() -> None:
    if Path("/proc/driver/nvidia").exists():
        pytest.skip("this machine has an NVIDIA card")
    names = {distribution.name.lower() for distribution in metadata.distributions() if distribution.name}
    assert not {name for name in names if name.startswith("nvidia-")}


def test_constraints_pin_every_declared_dependency() -> None:
    pinned = {
        re.split("==", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    }
    declared = {
        re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")
        for requirement in metadata.requires("sulan") or []
    }
    assert declared - {"sulan"} <= pinned
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text().splitlines()
