"""Docs are executed: generated parts are up to date, commands run, links lead somewhere."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sulan
from house import forked

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def commands(page: Path) -> list[str]:
    """The `$ sulan ...` lines of a page's console blocks, in order."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ sulan ")]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_commands_of_a_page_work_one_after_another(page: Path, tmp_path: Path) -> None:
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    environment = {"SULAN_HOME": str(tmp_path / "home"), **forked.OFFLINE}
    for command in commands(page):
        words = shlex.split(command, comments=True)[1:]  # as a shell reads it
        done = forked.sulan(*words, folder=tmp_path, environment=environment, timeout=120)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def test_generated_parts_are_up_to_date() -> None:
    program = Path(sys.executable).with_name("cog")
    pages = [str(page) for page in PAGES if "[[[cog" in page.read_text()]
    assert pages
    done = subprocess.run(
        [program, "-P", "--check", *pages], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"run `make docs`: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


def test_readme_names_what_make_can_do() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|\$ )make ([a-z]+)", (ROOT / "README.md").read_text()))
    assert named <= targets
    assert {"demo", "test"} <= named


def test_every_system_package_has_its_reason() -> None:
    lines = (ROOT / "system-packages.txt").read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert packages
    assert all(re.fullmatch(r"[a-z0-9.+-]+  # .+", line) for line in packages)


def test_citation_and_package_agree() -> None:
    cited = dict(re.findall(r"^([a-z-]+): (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert cited["version"] == sulan.__version__
    assert cited["license"] == project["license"] == "Apache-2.0"
