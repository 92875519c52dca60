import json
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import feedparser
import pytest

from digest import editions
from digest.test_html import Page
from sulan.digest import archive
from sulan.digest.site import server, site
from sulan.errors import BrokenArtefact, InputError, MissingFile

DAYS = ("2023-06-30", "2023-09-11", "2023-09-12")


def store(folder: Path, day: str, **options) -> Path:
    path = folder / day / "edition.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(editions.edition(2, day=day, **options).model_dump_json(), encoding="utf-8")
    return path


@pytest.fixture
def stored(tmp_path) -> Path:
    """Three editions over two quarters of a year."""
    for day in DAYS:
        store(tmp_path / "editions", day, extractive=False)
    return tmp_path / "editions"


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


def test_a_site_has_every_page_and_every_link_leads_somewhere(stored, tmp_path):
    out = tmp_path / "site"
    report = site(stored, out=out, search=False)
    assert report.exit_code == 0
    assert (report.summary["editions"], report.summary["papers"], report.summary["last"]) == (
        3,
        6,
        "2023-09-12",
    )
    names = set(tree(out))
    assert {f"{day}/index.html" for day in DAYS} <= names
    assert {
        "index.html",
        "trends.html",
        "keywords/index.html",
        "months/2023-09.html",
        "atom.xml",
        "atom.en.xml",
    } <= names
    for name in names:
        if not name.endswith(".html"):
            continue
        page = Page((out / name).read_text(encoding="utf-8"))
        for _, attributes in page.elements:
            for link in (attributes.get("href"), attributes.get("src")):
                if link and not link.startswith(("https://", "data:", "#")):
                    target, _, anchor = link.partition("#")
                    goal = ((out / name).parent / target).resolve()
                    assert goal.is_file(), f"{name}: {link}"
                    assert not anchor or f'id="{anchor}"' in goal.read_text(encoding="utf-8")


def test_the_first_page_has_the_latest_edition_first(stored, tmp_path):
    site(stored, out=tmp_path / "site", search=False)
    page = (tmp_path / "site/index.html").read_text(encoding="utf-8")
    days = [link.split("/")[0] for link in re.findall(r'href="([\d-]+/index\.html)"', page)]
    assert days == ["2023-09-12", "2023-09-11", "2023-06-30"]


def test_neighbours_are_linked(stored, tmp_path):
    site(stored, out=tmp_path / "site", search=False)
    page = (tmp_path / "site/2023-09-11/index.html").read_text(encoding="utf-8")
    assert '<a rel="prev" href="../2023-06-30/index.html">' in page
    assert '<a rel="next" href="../2023-09-12/index.html">' in page


def test_building_twice_changes_nothing(stored, tmp_path):
    out = tmp_path / "site"
    site(stored, out=out, search=False)
    before, record = tree(out), (out / "run.json").read_bytes()
    report = site(stored, out=out, search=False)
    assert report.summary["files made"] == 0
    assert tree(out) == before and (out / "run.json").read_bytes() == record


def test_an_added_day_makes_the_same_site_as_a_full_build(stored, tmp_path):
    out = tmp_path / "site"
    site(stored, out=out, search=False)
    kept = (out / "2023-06-30/index.html").stat().st_ino
    store(stored, "2023-09-13")
    report = site(stored, out=out, search=False)
    assert (out / "2023-06-30/index.html").stat().st_ino == kept  # taken over, not made again
    assert report.summary["files kept"] == 5  # style, script, two days, June
    site(stored, out=tmp_path / "fresh", search=False)
    assert tree(out) == tree(tmp_path / "fresh")


def test_a_removed_day_leaves_no_page(stored, tmp_path):
    out = tmp_path / "site"
    site(stored, out=out, search=False)
    (stored / "2023-09-12/edition.json").unlink()
    site(stored, out=out, search=False)
    assert "2023-09-12/index.html" not in tree(out)
    assert (
        "2023-09-12"
        not in (out / "2023-09-11/index.html").read_text(encoding="utf-8").split("<main")[1].split("turn")[1]
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Invalid JSON"),
        (b'{"schema_version": 1', "Invalid JSON"),
        (b"<html>", "Invalid JSON"),
        (b"[]", "Input should be an object"),
        (b'{"schema_version": 2}', "schema_version"),
        (b'{"day": "\\ud800"}', "Invalid JSON"),
    ],
)
def test_a_broken_edition_is_reported_and_loses_nothing_else(stored, tmp_path, content, reason):
    broken = stored / "2023-09-10" / "edition.json"
    broken.parent.mkdir()
    broken.write_bytes(content)
    report = site(stored, out=tmp_path / "site", search=False)
    assert report.exit_code == 3
    assert report.summary["editions"] == 3
    ((path, why),) = report.tables[0].rows
    assert path == str(broken) and reason in str(why)
    assert json.loads((tmp_path / "site/run.json").read_text())["partial"]


def test_an_edition_with_a_time_that_is_none_is_broken(tmp_path):
    path = store(tmp_path, "2023-09-12", updated="soon")
    with pytest.raises(BrokenArtefact, match="not an ISO 8601 time"):
        archive.parse(path, archive.content(path))


def test_of_two_editions_of_a_day_the_higher_revision_stays(stored, tmp_path):
    copy = stored / "again" / "edition.json"
    copy.parent.mkdir()
    copy.write_text(editions.edition(1, day="2023-09-12", revision=4).model_dump_json(), encoding="utf-8")
    report = site(stored, out=tmp_path / "site", search=False)
    assert (report.summary["editions"], report.summary["papers"]) == (3, 5)
    assert report.tables[0].rows[0][0] == str(stored / "2023-09-12/edition.json")


def test_the_feeds_of_a_site_lead_to_its_pages(stored, tmp_path):
    site(stored, out=tmp_path / "site", search=False, base_url="https://example.org/digest")
    parsed = feedparser.parse((tmp_path / "site/atom.xml").read_bytes())
    assert parsed.bozo == 0 and len(parsed.entries) == 6
    assert parsed.entries[0].link == "https://example.org/digest/2023-09-12/index.html#2309.04564"
    assert len({entry.id for entry in parsed.entries}) == 6
    raw = (tmp_path / "site/atom.en.xml").read_bytes()
    english = feedparser.parse(raw)
    assert not {entry.id for entry in english.entries} & {entry.id for entry in parsed.entries}
    assert (
        b'<link rel="self" type="application/atom+xml" href="https://example.org/digest/atom.en.xml" />'
        in raw
    )
    assert "https://example.org/digest/2023-09-11/index.html" in (tmp_path / "site/sitemap.xml").read_text()


def test_wrong_input_is_one_clear_error(tmp_path):
    with pytest.raises(MissingFile, match="no folder at"):
        site(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no edition in"):
        site(tmp_path)
    store(tmp_path, "2023-09-12")
    with pytest.raises(InputError, match="not an http"):
        site(tmp_path, base_url="ftp://example.org")


def test_without_pagefind_the_site_says_how_to_get_it(stored, tmp_path, monkeypatch):
    monkeypatch.setitem(
        sys.modules, "pagefind_bin_extended", None
    )  # what an import sees when it is not installed
    report = site(stored, out=tmp_path / "site")
    assert report.exit_code == 0 and report.summary["search"] == "no"
    assert report.notes == (
        'No search: pagefind_bin_extended is not installed. pip install -c constraints.txt -e ".[search]"',
    )
    assert "search.html" not in (tmp_path / "site/index.html").read_text(encoding="utf-8")


@pytest.fixture
def served(stored, tmp_path):
    """A site with search, served on loopback; yields its address."""
    pytest.importorskip(
        "pagefind_bin_extended", reason="pagefind_bin_extended is not installed: search not tested"
    )
    hostile = editions.paper(
        5,
        title="A <img src=x onerror=window.pwned=1> title",
        abstract="Zebra </script><script>window.pwned=1</script>",
    )
    entry = editions.entry(5, of=hostile, sentences=("Zebra </script><script>window.pwned=1</script> ends.",))
    path = stored / "2023-09-13" / "edition.json"
    path.parent.mkdir()
    path.write_text(editions.edition(day="2023-09-13", entries=(entry,)).model_dump_json(), encoding="utf-8")
    report = site(stored, out=tmp_path / "site")
    assert report.summary["search"] == "yes"
    with server(tmp_path / "site", port=0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}/"
        running.shutdown()
        thread.join()


def test_search_finds_chinese_and_english_and_shows_results_as_text(browser, served):
    page = browser.new_page()
    problems, asked = [], []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served + "search.html")

    def search(query):
        page.get_by_label(re.compile("检索所有各期|Search all")).fill(query)
        page.keyboard.press("Enter")
        page.wait_for_function(
            "query => document.getElementById('results').dataset.query === query", arg=query
        )
        return page.locator("#results a").evaluate_all(
            "nodes => nodes.map(node => node.getAttribute('href'))"
        )

    everywhere = 2 * len(DAYS) + 1  # two papers on each of three days, in two bundles, and the hostile one
    assert len(search("困惑度")) == everywhere
    assert page.locator("#results mark").first.inner_text() in "困惑度"
    assert search("qqxzzv") == [] and page.inner_text("#status") == "没有找到。"
    (found,) = search("zebra")
    assert found == served + "2023-09-13/index.html#2309.04569"
    assert "<img src=x onerror=window.pwned=1>" in page.inner_text("#results")
    assert page.locator("#results").evaluate("node => node.querySelectorAll('img, script').length") == 0
    assert page.evaluate("window.pwned") is None
    page.locator("label[for=show-en]").click()
    page.reload()
    assert page.evaluate("document.documentElement.lang") == "en"
    search("困惑度数据裁剪")  # cut into words whatever the reader's language: all of them are found
    assert {"数据", "裁剪"} <= set(page.locator("#results mark").all_inner_texts())
    assert problems == []
    assert all(url.startswith((served, "data:", "blob:")) for url in asked)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"index\.html#2309\."))
    page.close()


def test_serving_listens_on_loopback_until_interrupted(stored, tmp_path):
    program = (
        "import logging, sys; from pathlib import Path; from sulan.digest.site import site\n"
        "logging.basicConfig(level=logging.INFO)\n"
        "print(site(Path(sys.argv[1]), out=Path(sys.argv[2]), search=False, serve=True, port=0).title)"
    )
    command = [sys.executable, "-c", program, str(stored), str(tmp_path / "site")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None and running.stdout is not None
        address = None
        while address is None:
            address = re.search(r"http://127\.0\.0\.1:\d+/", running.stderr.readline())
        with urllib.request.urlopen(address[0]) as answer:
            assert "2023-09-12" in answer.read().decode()
        running.send_signal(signal.SIGINT)
        try:
            said, _ = running.communicate(timeout=30)
        finally:
            running.kill()
    assert said == f"digest site {stored}\n"
    assert running.returncode == 0


@pytest.mark.parametrize(
    "name", ["index.html", "trends.html", "search.html", "keywords/index.html", "2023-09-12/index.html"]
)
def test_axe_finds_nothing_on_the_site_s_pages(browser, stored, tmp_path, name):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    site(stored, out=tmp_path / "site")
    page = browser.new_page()
    page.goto((tmp_path / "site" / name).as_uri())
    found = axe.Axe().run(page).response["violations"]
    assert [(each["id"], node["html"]) for each in found for node in each["nodes"]] == []
    page.close()
