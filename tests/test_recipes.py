"""Recipes: in order, skipping what is complete, stopping at the first failure, going on from there."""

import json
from pathlib import Path

import pytest

from house.tenth_room import Installed, install

TWO_STEPS = """
about = "two words"
[[step]]
run = "echo say"
word = "one"
out = "one"
[[step]]
run = "echo say"
word = "{word}"
out = "two"
voice = {{ loudness = 50 }}
"""


@pytest.fixture
def room(tmp_path: Path) -> Installed:
    return install(tmp_path)


def states(room: Installed, *words: str) -> tuple[int, list[str]]:
    done = room.sulan("run", "recipe.toml", "--json", *words)
    document = json.loads(done.stdout)
    return done.returncode, [row[2] for row in document["tables"][0]["rows"]]


def test_a_second_run_does_nothing(room: Installed) -> None:
    (room.folder / "recipe.toml").write_text(TWO_STEPS.format(word="two"))
    assert states(room) == (0, ["done", "done"])
    assert (room.folder / "two" / "heard.txt").read_text() == "two."
    assert states(room) == (0, ["skipped: complete", "skipped: complete"])
    (room.folder / "recipe.toml").write_text(TWO_STEPS.format(word="three"))
    assert states(room) == (0, ["skipped: complete", "done"])


def test_the_first_failure_stops_it_and_the_next_run_goes_on(room: Installed) -> None:
    (room.folder / "recipe.toml").write_text(TWO_STEPS.format(word="quiet"))
    done = room.sulan("run", "recipe.toml")
    assert done.returncode == 2
    assert "quiet cannot be said" in done.stderr
    assert (room.folder / "one" / "run.json").exists()
    (room.folder / "recipe.toml").write_text(TWO_STEPS.format(word="two"))
    assert states(room) == (0, ["skipped: complete", "done"])


def test_a_failed_check_stops_it_with_its_own_code(room: Installed) -> None:
    (room.folder / "recipe.toml").write_text(TWO_STEPS.format(word="wrong").replace("one", "wrong"))
    assert states(room) == (1, ["exit 1"])


def test_only_some_steps(room: Installed) -> None:
    (room.folder / "recipe.toml").write_text(TWO_STEPS.format(word="two"))
    assert states(room, "--only", "two") == (0, ["done"])
    assert not (room.folder / "one").exists()
    assert room.sulan("run", "recipe.toml", "--only", "three").returncode == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "[[step]]"),
        ("step = 1", "[[step]]"),
        ("[[step]]\nword = 'x'", "step 1"),
        ("[[step]]\nrun = 'echo'", "step 1"),
        ("stpe = 1\n[[step]]\nrun = 'echo say'\nword = 'x'\nout = 'y'", "stpe"),
        ("[[step]]\nrun = 'echo say'\nword = 'x'\nout = 'y'\nloud = true", "loud"),
        ("[[step]]\nrun = 'echo shout'\n", "shout"),
        ("[[step]\n", "TOML"),
    ],
)
def test_a_wrong_recipe_costs_one_line(room: Installed, text: str, says: str) -> None:
    (room.folder / "recipe.toml").write_text(text)
    done = room.sulan("run", "recipe.toml")
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr
