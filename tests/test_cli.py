"""The command line: names to functions, text to types, errors to one line and the right exit code."""

import json
from pathlib import Path

import pytest

from house.tenth_room import Installed, install


@pytest.fixture
def room(tmp_path: Path) -> Installed:
    return install(tmp_path)


def test_a_third_party_room_comes_in_through_the_same_door(room: Installed) -> None:
    done = room.sulan("--help")
    assert done.returncode == 0
    assert "echo" in done.stdout
    assert "digest" in done.stdout


def test_flags_come_from_the_signature(room: Installed) -> None:
    done = room.sulan(
        "echo",
        "say",
        "--word",
        "hi",
        "--out",
        "heard",
        "--times",
        "2",
        "--ends",
        "!,?",
        "--voice.loudness",
        "70",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (room.folder / "heard" / "heard.txt").read_text() == "hi!?hi!?"
    config = json.loads((room.folder / "heard" / "run.json").read_text())["config"]
    assert config == {
        "word": "hi",
        "out": "heard",
        "times": 2,
        "ends": ["!", "?"],
        "voice": {"loudness": 70.0},
    }


def test_help_is_the_docstring(room: Installed) -> None:
    done = room.sulan("echo", "say", "--help")
    assert done.returncode == 0
    for text in ("Say a word.", "--voice.loudness", "In decibels.", "Marks at the end.", "--out"):
        assert text in done.stdout


def test_flag_beats_file_beats_default(room: Installed) -> None:
    (room.folder / "voice.toml").write_text('word = "file"\ntimes = 3\n[voice]\nloudness = 80\n')
    done = room.sulan("echo", "say", "--config", "voice.toml", "--out", "heard", "--times", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert (room.folder / "heard" / "heard.txt").read_text() == "file."
    assert json.loads(done.stdout)["summary"] == {"times": 1, "loudness": 80.0}


def test_stdout_is_the_result_and_markup_in_it_is_text(room: Installed) -> None:
    done = room.sulan("echo", "say", "--word", "hi", "--out", "heard")
    assert "say [bold]hi[/bold]" in done.stdout
    assert "Heard" in done.stdout
    as_json = room.sulan("echo", "say", "--word", "hi", "--out", "heard", "--json")
    assert json.loads(as_json.stdout)["tables"][0]["rows"] == [["hi", 1]]


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["echo", "say", "--word", "quiet"], 2, "error: quiet cannot be said\nhint: say something else\n"),
        (["echo", "say", "--word", "remote"], 3, "error: nobody answered\n"),
        (["echo", "say", "--word", "wrong"], 1, ""),
        (["echo", "say", "--word", "stop"], 130, "error: interrupted; what was finished is kept\n"),
    ],
)
def test_exit_codes(room: Installed, words: list[str], code: int, line: str) -> None:
    done = room.sulan(*words, "--out", "heard")
    assert (done.returncode, done.stderr) == (code, line)
    assert (room.folder / "heard").exists() == (code == 1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "nowhere"),
        (["echo", "shout"], "shout"),
        (["echo", "say", "--word", "hi"], "--out"),
        (["echo", "say", "--word", "hi", "--out", "heard", "--tmies", "3"], "--times"),
        (["echo", "say", "--word", "hi", "--out", "heard", "--times", "many"], "many"),
        (["echo", "say", "--word", "hi", "--out", "heard", "--ends", "%"], "%"),
        (["echo", "say", "--word", "hi", "--out", "heard", "stray"], "stray"),
        (["echo", "say", "--config", "absent.toml"], "absent.toml"),
        (["echo", "say", "--config"], "--config"),
        (["run"], "RECIPE"),
        (["run", "absent.toml"], "absent.toml"),
    ],
)
def test_a_wrong_line_costs_one_line(room: Installed, words: list[str], says: str) -> None:
    done = room.sulan(*words)
    assert done.returncode == 2
    first, *rest = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert says in first
    assert all(line.startswith("hint: ") for line in rest)
    assert len(rest) <= 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    "text", ["tmies = 3", "[voice]\nloud = 1", "times = 'many'", "times = [", "times = 3\x00"]
)
def test_a_wrong_file_costs_one_line(room: Installed, text: str) -> None:
    (room.folder / "config.toml").write_text(text)
    done = room.sulan("echo", "say", "--word", "hi", "--out", "heard", "--config", "config.toml")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not (room.folder / "heard").exists()


def test_our_own_mistake_is_a_traceback(room: Installed) -> None:
    done = room.sulan("echo", "say", "--word", "bug", "--out", "heard")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "our mistake" in done.stderr


def test_debug_shows_where_an_error_comes_from(room: Installed) -> None:
    done = room.sulan("echo", "say", "--word", "quiet", "--out", "heard", "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
