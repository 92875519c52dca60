import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings

from digest import editions
from digest.hostile import hostile
from sulan.digest import display, html

URLS = ("href", "src", "action", "data", "formaction", "poster", "srcset")


class Page(HTMLParser):
    """Elements with their attributes, and the text inside the elements asked for."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in <{tag}>"
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        for tag in set(self._open):
            self.texts[tag][-1] += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def test_the_page_of_a_small_edition(snapshot):
    page = html.page(editions.edition(2))
    assert page.replace(html.asset("style.css"), "STYLE").replace(html.asset("page.js"), "SCRIPT") == snapshot


def test_one_main_heading_and_one_heading_a_paper():
    page = Page(html.page(editions.edition(3)))
    assert page.count("h1") == 1
    assert [attributes["id"] for tag, attributes in page.elements if tag == "h2"] == [
        "contents",
        "2309.04564",
        "2309.04565",
        "2309.04566",
    ]


def test_the_policy_names_exactly_what_the_page_holds():
    page = html.page(editions.edition(1))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    rules = policy[1].replace("&#39;", "'")
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in rules
    assert rules.startswith("default-src 'none';") and "unsafe" not in rules and "http" not in rules


def test_only_the_search_page_may_run_web_assembly():
    assert "wasm" not in html.policy(standalone=False) + html.policy(standalone=True)
    assert "'wasm-unsafe-eval'" in html.policy(standalone=False, search=True)
    assert "'unsafe-eval'" not in html.policy(standalone=False, search=True)


def test_one_language_needs_no_switch():
    page = Page(html.page(editions.edition(1, languages=("en",))))
    assert page.count("input") == 0
    assert ("html", {"lang": "en"}) in page.elements


def test_scores_are_text_too():
    page = Page(html.page(editions.edition(1, languages=("zh",))))
    assert page.texts["meter"] == ["4.5 / 5", "3.0 / 5", "5.0 / 5"]
    assert "4.5 / 5" in page.texts["dd"][0]


def test_evidence_leads_to_the_sentence():
    page = Page(html.page(editions.edition(2)))
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    targets = {
        (attributes["href"] or "")[1:]
        for tag, attributes in page.elements
        if (attributes.get("href") or "").startswith("#")
    }
    assert "2309.04564-S3" in targets and targets <= ids


@settings(max_examples=60, deadline=None)
@given(hostile())
def test_a_hostile_edition_has_the_elements_of_a_tame_one(edition):
    page = Page(html.page(edition))
    entry = edition.entries[0]
    allowed = {display.link(url) for url in (entry.paper.code_url, entry.paper.project_url, entry.paper.url)}
    assert page.count("script") == page.count("style") == page.count("h1") == page.count("title") == 1
    assert not {"img", "svg", "iframe", "object", "form", "b-", "math", "template"} & {
        tag for tag, _ in page.elements
    }
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in URLS:
            value = attributes.get(name)
            if tag == "a" and value is not None:
                own = value.startswith(("#", "https://huggingface.co/papers")) or re.fullmatch(
                    r"[\w.-]+", value
                )
                assert own or value in allowed
            elif value is not None:
                assert (tag, value) == ("link", html.ICON)
    assert page.texts["h2"][1] == (display.prose(entry.paper.title) or entry.paper.id)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edition=hostile())
def test_a_browser_runs_nothing_of_a_hostile_edition(browser, tmp_path, edition):
    path = tmp_path / "hostile.html"
    path.write_text(html.page(edition), encoding="utf-8")
    page = browser.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(path.as_uri())
    assert page.evaluate("window.pwned") is None
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert said == []
    page.close()


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    """The page of a small edition, opened from disk."""
    path = tmp_path_factory.mktemp("edition") / "index.html"
    path.write_text(html.page(editions.edition(3)), encoding="utf-8")

    def open_page(**options):
        context = browser.new_context(**options)
        page = context.new_page()
        page.problems = []
        page.asked = []
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri())
        return page

    return open_page


def test_the_page_opens_from_disk_and_asks_no_network(opened):
    page = opened()
    assert page.title() == "2023-09-12 · 速览 Sulan"
    assert page.problems == []
    assert [url for url in page.asked if not url.startswith(("data:", "file:"))] == []
    assert (
        page.locator("h1").evaluate("node => getComputedStyle(node).fontSize") != "32px"
    )  # our style applies


def test_the_language_switch_works_by_keyboard_and_is_kept(opened):
    page = opened()
    english, chinese = page.get_by_text("Main work").first, page.get_by_text("主要工作").first
    assert chinese.is_visible() and not english.is_visible()
    page.locator("#show-zh").focus()
    page.keyboard.press("ArrowRight")
    assert english.is_visible() and not chinese.is_visible()
    assert page.evaluate("document.documentElement.lang") == "en"
    page.reload()
    assert english.is_visible() and page.evaluate("document.documentElement.lang") == "en"


def test_the_language_switch_works_without_script(opened):
    page = opened(java_script_enabled=False)
    page.locator("label[for=show-en]").click()
    assert page.get_by_text("Main work").first.is_visible()
    assert not page.get_by_text("主要工作").first.is_visible()


def test_a_sentence_number_opens_the_abstract_at_the_sentence(opened):
    page = opened()
    sentence = page.locator("[id='2309.04564-S2']")
    assert not sentence.is_visible()
    page.locator("article .zh .ref").first.click()
    assert sentence.is_visible()
    assert sentence.inner_text() == editions.SENTENCES[1]


def test_the_skip_link_is_the_first_stop(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"


def brightness(page) -> float:
    channels = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).slice(0, 3).map(Number)"
    )
    return sum(channels) / 3


def test_dark_mode_follows_the_system(opened):
    assert brightness(opened(color_scheme="light")) > 200
    assert brightness(opened(color_scheme="dark")) < 60


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_sticks_out_sideways(opened, width):
    page = opened(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_print_hides_what_cannot_be_clicked(opened):
    page = opened()
    page.emulate_media(media="print")
    assert not page.locator(".switch").is_visible()
    assert page.locator("article h2").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_axe_finds_nothing(opened, scheme, language):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    page = opened(color_scheme=scheme)
    page.locator(f"label[for=show-{language}]").click()
    page.locator("summary").first.click()
    response = axe.Axe().run(page, options={"resultTypes": ["violations", "passes"]}).response
    assert {"color-contrast", "html-has-lang", "label"} <= {rule["id"] for rule in response["passes"]}
    found = response["violations"]
    assert [(each["id"], node["html"]) for each in found for node in each["nodes"]] == []
