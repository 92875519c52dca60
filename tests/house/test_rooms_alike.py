"""The conformance suite: what every room and every verb does alike.

A tenth paper is accepted when it is green.

A room's small recipe is its worked example: the suite runs it once, then spoils its steps one by one.
"""

import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import docstring_parser
import pytest

from house import small_recipes
from house.small_recipes import Ran
from sulan.papers.room import rooms
from sulan.runs import fingerprints, record

ROOMS = rooms()
VERBS = [f"{name} {verb}" for name, room in ROOMS.items() for verb in room.verbs]

# Whichever test of a room comes first waits for the room's recipe.
pytestmark = pytest.mark.timeout(600)


def of(words: Iterable[str]) -> list[Any]:
    """Rooms or verbs as parameters; what belongs to one room runs in one process, which runs its recipe once."""
    return [
        pytest.param(each, marks=pytest.mark.xdist_group(f"room {each.split()[0]}"), id=each)
        for each in words
    ]


BUILT = of(name for name, room in ROOMS.items() if room.verbs)


class Recipes(dict[str, Ran]):
    """Rooms' small recipes, each run when it is first asked for."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        super().__init__()
        self._factory = factory

    def __missing__(self, name: str) -> Ran:
        self[name] = small_recipes.run(name, folder=self._factory.mktemp(name))
        return self[name]


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ran]:
    """Every built room's small recipe, run."""
    return Recipes(tmp_path_factory)


def flags(step: dict[str, Any]) -> list[str]:
    """A step's arguments as a TOML file would be, but as words of a command line."""
    words: list[str] = []

    def add(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                add(f"{prefix}.{name.replace('_', '-')}", inner)
        elif isinstance(value, bool):
            words.append(f"--{prefix}" if value else f"--no-{prefix}")
        else:
            words.extend(
                [f"--{prefix}", ",".join(map(str, value)) if isinstance(value, list) else str(value)]
            )

    for name, value in step.items():
        if name != "run":
            add(name.replace("_", "-"), value)
    return words


def parameters(verb: str) -> dict[str, inspect.Parameter]:
    room, name = verb.split()
    return dict(inspect.signature(ROOMS[room].function(name), eval_str=False).parameters)


def is_artefact(folder: Path) -> bool:
    """Tell an artefact from a store: a store (SQLite) grows, an artefact is made."""
    return (folder / "run.json").exists() and not any(folder.glob("*.sqlite*"))


@pytest.mark.parametrize("name", of(ROOMS))
def test_package_says_its_paper_and_an_example(name: str) -> None:
    text = ROOMS[name].module.__doc__ or ""
    assert re.search(r"arXiv \d{4}\.\d{5}|own room", text)
    if ROOMS[name].verbs:
        assert f"    sulan {name} " in text


@pytest.mark.parametrize("name", of(ROOMS))
def test_card_is_valid_and_cites_its_claims(name: str) -> None:
    from sulan.papers import card

    read = card.read(ROOMS[name].card_path)
    assert read.claims
    assert len({claim.id for claim in read.claims}) == len(read.claims)
    for claim in read.claims:
        assert claim.says
        assert claim.value
        assert re.search(
            r"section|table|figure|page|abstract|appendix|data set card|official code",
            claim.source,
            re.IGNORECASE,
        ), claim.source
        assert claim.measure.startswith(f"{name} ")
    assert bool(read.command) == bool(ROOMS[name].verbs)


@pytest.mark.parametrize("verb", of(VERBS))
def test_docstring_covers_every_parameter(verb: str) -> None:
    room, name = verb.split()
    function = ROOMS[room].function(name)
    assert inspect.signature(function).return_annotation in ("Report", "sulan.reports.report.Report") or (
        inspect.signature(function).return_annotation.__name__ == "Report"
    )
    parsed = docstring_parser.parse(inspect.getdoc(function) or "", docstring_parser.DocstringStyle.NUMPYDOC)
    described = {
        part.strip()
        for entry in parsed.params
        if entry.args[0] == "param"
        for part in entry.arg_name.split(",")
    }
    assert parsed.short_description
    assert described == set(parameters(verb))
    assert len(parameters(verb)) <= 12, "more than twelve: group them in a dataclass"


@pytest.mark.parametrize("verb", of(VERBS))
def test_only_the_first_parameters_are_positional(verb: str) -> None:
    kinds = [parameter.kind for parameter in parameters(verb).values()]
    assert kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) <= 1
    assert inspect.Parameter.VAR_POSITIONAL not in kinds
    assert inspect.Parameter.VAR_KEYWORD not in kinds


@pytest.mark.parametrize("name", BUILT)
def test_small_recipe_works_and_shows_every_verb(name: str, ran: Mapping[str, Ran]) -> None:
    assert ran[name].done.returncode == 0, ran[name].done.stderr[-3000:]
    assert {step["run"] for step in ran[name].document["step"]} == {f"{name} {v}" for v in ROOMS[name].verbs}


@pytest.mark.parametrize("name", BUILT)
def test_run_records_are_valid(name: str, ran: Mapping[str, Ran]) -> None:
    outs = [ran[name].folder / step["out"] for step in ran[name].document["step"] if "out" in step]
    assert outs
    for out in outs:
        document = record.read(out)
        assert document["status"] == "complete"
        assert document["verb"] in VERBS
        if is_artefact(out):
            assert document["outputs"] == fingerprints.files(out, skip=frozenset({"run.json"}))


@pytest.mark.parametrize("name", BUILT)
def test_running_again_skips_what_is_complete(name: str, ran: Mapping[str, Ran]) -> None:
    words = ("run", str(small_recipes.recipe(name)), "--json")
    done = small_recipes.sulan(*words, folder=ran[name].folder)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["tables"][0]["rows"]
    outs = {row[1]: row[2] for row in rows if row[1] and is_artefact(ran[name].folder / row[1])}
    assert outs
    assert set(outs.values()) == {"skipped: complete"}


@pytest.mark.parametrize("verb", of(VERBS))
def test_missing_input_costs_one_line(verb: str, ran: Mapping[str, Ran], tmp_path: Path) -> None:
    example = ran[verb.split()[0]]
    step = example.step(verb)
    inputs = [name for name, p in parameters(verb).items() if "Path" in str(p.annotation) and name != "out"]
    read = [name for name in inputs if name in step]
    if not read:
        pytest.skip("reads no file in its example")
    for name in read:
        spoilt = {**step, name: "nowhere/at-all"}
        if "out" in step:
            spoilt["out"] = str(tmp_path / "out")
        done = small_recipes.sulan(*verb.split(), *flags(spoilt), folder=example.folder)
        assert done.returncode == 2, (name, done.stderr)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("hint: ")]
        assert lines[-1].startswith("error: ")
        assert "nowhere/at-all" in lines[-1]
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out" / "run.json").exists()


@pytest.mark.parametrize("verb", of(VERBS))
def test_unknown_configuration_key_costs_one_line(verb: str, ran: Mapping[str, Ran], tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("no_such_knob = 1\n")
    example = ran[verb.split()[0]]
    words = [*verb.split(), *flags({**example.step(verb), "config": str(tmp_path / "wrong.toml")})]
    done = small_recipes.sulan(*words, folder=example.folder)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "no-such-knob" in done.stderr.replace("_", "-")


@pytest.mark.parametrize("verb", of(VERBS))
def test_killed_it_leaves_nothing_that_looks_whole_and_run_again_makes_the_same_bytes(
    verb: str, ran: Mapping[str, Ran], tmp_path: Path
) -> None:
    example = ran[verb.split()[0]]
    step = example.step(verb)
    if "out" not in step or not is_artefact(example.folder / step["out"]):
        pytest.skip("makes no artefact")
    out = tmp_path / "out"
    words = [sys.executable, "-m", "sulan", *verb.split(), *flags({**step, "out": str(out)})]
    environment = {**os.environ, "SULAN_HOME": str(tmp_path / "home"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    aside = tmp_path / ".out.partial"
    for _ in range(5):  # on a busy machine a short run may end before it is seen to have begun
        with subprocess.Popen(
            words, cwd=example.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            while not aside.exists() and process.poll() is None:
                time.sleep(0.0002)
            process.send_signal(signal.SIGKILL)
        if process.returncode == -signal.SIGKILL and not out.exists():
            break
        shutil.rmtree(out)
    assert process.returncode == -signal.SIGKILL, "it always ended before it could be killed"
    assert not out.exists()
    done = small_recipes.sulan(*verb.split(), *flags({**step, "out": str(out)}), folder=example.folder)
    assert done.returncode == 0, done.stderr
    assert fingerprints.path(out) == fingerprints.path(example.folder / step["out"])
    assert not aside.exists()


class References(HTMLParser):
    """Collects what a page would fetch by itself; links that a reader may follow do not count."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            loads = name in ("src", "srcset", "data", "poster") or (
                name == "href" and tag in ("link", "base", "use")
            )
            if loads and re.match(r"(?:https?:)?//", value or "") and tag != "a":
                relation = dict(attrs).get("rel") or ""
                if relation not in ("canonical", "alternate"):
                    self.fetched.append(f"{tag} {value}")


@pytest.mark.parametrize("name", BUILT)
def test_pages_fetch_nothing_from_a_network(name: str, ran: Mapping[str, Ran]) -> None:
    pages = [page for page in ran[name].folder.rglob("*.html") if "home" not in page.parts]
    assert pages
    for page in pages:
        references = References()
        references.feed(page.read_text())
        assert not references.fetched, page
