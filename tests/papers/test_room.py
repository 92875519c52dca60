import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import sulan
from sulan.errors import BrokenArtefact
from sulan.papers.room import Room, rooms

NINE = ["anytoany", "corpus", "digest", "neurons", "prune", "quantize", "radiance", "textbook", "tune"]


@pytest.fixture
def example(tmp_path, monkeypatch):
    """A third party's room on disk: two verbs, and a file of maths that is not one."""
    package = tmp_path / "example_room"
    package.mkdir()
    (package / "__init__.py").write_text(
        '"""An example.\n\nMore."""\n'
        "from sulan.papers.room import room\n"
        '__all__ = ["keep", "score"]\n'
        "room(__name__)\n"
    )
    (package / "keep.py").write_text("def keep():\n    return 'kept'\n")
    (package / "score.py").write_text("from example_room import keep\n\ndef score():\n    return keep()\n")
    (package / "selection.py").write_text("def select():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield Room(name="example", package="example_room")
    for name in [name for name in sys.modules if name.split(".")[0] == "example_room"]:
        del sys.modules[name]


def test_a_verb_is_a_function_before_its_file_was_imported(example):
    assert example.module.keep() == "kept"


def test_a_verb_is_still_a_function_after_its_file_was_imported(example):
    file = import_module("example_room.keep")
    assert example.module.keep is file.keep
    assert example.module.keep() == "kept"


def test_a_verb_can_be_imported_from_the_room_and_from_its_file(example):
    names: dict[str, object] = {}
    exec("from example_room import keep; from example_room.keep import keep as same", names)
    assert names["keep"] is names["same"]


def test_a_verb_may_use_another_verb_of_its_room(example):
    assert example.module.score() == "kept"


def test_what_is_not_a_verb_stays_a_module(example):
    import_module("example_room.selection")
    assert example.module.selection.select() == 1


def test_an_unknown_name_is_an_attribute_error(example):
    with pytest.raises(AttributeError, match="has no attribute 'shuffle'"):
        _ = example.module.shuffle


def test_verbs_are_listed_before_they_are_imported(example):
    assert {"keep", "score"} <= set(dir(example.module))
    assert "example_room.keep" not in sys.modules


def test_a_room_describes_itself(example):
    assert example.verbs == ("keep", "score")
    assert example.summary == "An example."
    assert example.card_path.name == "card.toml"
    assert example.card_path.parent.name == "example_room"
    assert example.target("keep") == "example_room.keep:keep"
    assert example.function("keep")() == "kept"


def test_a_room_that_cannot_be_imported_is_named():
    with pytest.raises(
        BrokenArtefact, match="room absent cannot be imported: No module named 'sulan_absent'"
    ):
        _ = Room(name="absent", package="sulan_absent").module


def test_a_package_that_is_not_a_room_is_named(tmp_path, monkeypatch):
    (tmp_path / "no_room.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BrokenArtefact, match="no_room has no __all__"):
        _ = Room(name="plain", package="no_room").verbs


def test_the_nine_rooms_come_through_the_entry_points():
    assert [name for name, room in rooms().items() if room.package.startswith("sulan.")] == NINE


def test_every_room_is_a_folder_of_the_package_with_a_summary():
    for room in (rooms()[name] for name in NINE):
        assert room.card_path.parent == Path(sulan.__file__).parent / room.name
        assert room.summary.endswith(".")


def test_looking_at_all_rooms_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from sulan.papers.room import rooms\n"
        "for room in rooms().values(): room.verbs, room.summary\n"
        "heavy = ('torch', 'transformers', 'pyarrow', 'pydantic', 'numpy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
