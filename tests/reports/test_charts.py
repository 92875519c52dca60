"""Charts are the same bytes every time, cannot be acted on by their texts, and pass the page's own policy."""

import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sulan.errors import InputError
from sulan.reports import canvas, charts, html
from sulan.reports.charts import Line
from sulan.reports.report import Report

pytest.importorskip("matplotlib")

HOSTILE = "<script>alert(1)</script> & $x_1$ \x00\x1b[31m \ud800 速览 \"'"
VALUES = numpy.arange(1.0, 50.0)
PAGES = ("#ffffff", "#15181d")
"""The backgrounds of `report.css`."""

KINDS: dict[str, Callable[[str], str]] = {
    "histogram": lambda text: charts.histogram({text: VALUES, "b": VALUES**2}, title=text, x=text),
    "logarithmic": lambda text: charts.histogram({text: VALUES}, title=text, x=text, logarithmic=True),
    "lines": lambda text: charts.lines(
        [
            Line(name=text, x=[1, 2, 3], y=[1, numpy.nan, 3], low=[0, numpy.nan, 2], high=[2, numpy.nan, 4]),
            Line(name="b", x=[1, 2, 3], y=[3, 2, 1]),
        ],
        title=text,
        x=text,
        y=text,
        logarithmic_y=True,
    ),
    "bars": lambda text: charts.bars(
        [text, "d"],
        {text: [1, 2], "b": [2, numpy.nan]},
        title=text,
        y=text,
        intervals={"b": [(1, 3), (1, 2)]},
    ),
    "stacked": lambda text: charts.bars(
        [f"{text} {place}" for place in range(13)], {text: range(13)}, title=text, y=text, stacked=True
    ),
    "scatter": lambda text: charts.scatter({text: ([1, 2], [3, 4])}, title=text, x=text, y=text),
    "heat map": lambda text: charts.heat_map(
        [[1, numpy.nan], [3, 4]], rows=[text, "b"], columns=[text, "d"], title=text, x=text, y=text
    ),
}


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_is_inert_and_self_contained(kind: str) -> None:
    chart = KINDS[kind](HOSTILE)
    found = Elements(chart)
    assert set(found.tags) <= {"svg", "title", "desc", "g", "path", "use", "text", "defs", "clippath", "rect"}
    assert not {name for name, _ in found.attributes} & {"style", "class", "xmlns"}
    assert not any(name.startswith("on") or ":" in name for name, _ in found.attributes)
    assert "http" not in chart
    assert "DOCTYPE" not in chart
    said = HOSTILE.replace("\x00", "").replace("\x1b", "").replace("\ud800", "")
    assert any(said in text for text in found.texts)
    assert all(value.startswith("#") for name, value in found.attributes if name == "href")


@pytest.mark.parametrize("kind", KINDS)
def test_references_lead_somewhere_and_ids_are_the_charts_own(kind: str) -> None:
    one, two = Elements(KINDS[kind]("one")), Elements(KINDS[kind]("two"))
    ids = [value for name, value in one.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    references = {value.lstrip("#") for name, value in one.attributes if name == "href"}
    references |= {value[5:-1] for name, value in one.attributes if name == "clip-path"}
    assert references == set(ids)
    assert not set(ids) & {value for name, value in two.attributes if name == "id"}


def test_same_data_same_bytes_in_every_process() -> None:
    code = (
        "import sys; from sulan.reports import charts;"
        "sys.stdout.write(charts.histogram({'a': [1, 2, 2.5], 'b': [3]}, title='t', x='x'))"
    )
    done = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert done[0] == done[1] == charts.histogram({"a": [1, 2, 2.5], "b": [3]}, title="t", x="x")


def test_a_users_own_settings_change_nothing() -> None:
    import matplotlib

    before = KINDS["lines"]("a")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert KINDS["lines"]("a") == before
        assert matplotlib.rcParams["font.size"] == 20


def test_the_page_shows_charts_with_captions_and_its_policy_allows_them() -> None:
    page = html.render(Report(title="t", summary={}, charts={"What <b> shows": KINDS["bars"]("a")}))
    assert re.search(r"<figure><svg .*</svg><figcaption>What &lt;b&gt; shows</figcaption></figure>", page)
    assert "style-src 'sha256-" in page  # no style attribute would be obeyed, so there may be none
    assert " style=" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_it_is_told_to_those_who_do_not_see_it() -> None:
    chart = charts.bars(["arc"], {"web": [0.25]}, title="Accuracy", y="accuracy")
    assert "<svg " in chart and 'role="img"' in chart
    assert "<title>Accuracy</title><desc>web: arc 0.25</desc>" in chart


@pytest.mark.parametrize("colour", canvas.COLOURS)
@pytest.mark.parametrize("page", PAGES)
def test_colours_stand_out_on_white_and_on_black(colour: str, page: str) -> None:
    def luminance(code: str) -> float:  # WCAG 2.2, relative luminance
        parts = [int(code[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(colour), luminance(page)))
    assert (high + 0.05) / (low + 0.05) >= 3


def test_a_histogram_counts_what_numpy_counts() -> None:
    values = [1.0, 1.0, 2.0, 9.0, numpy.nan, numpy.inf, -1.0, 0.0]
    chart = charts.histogram({"a": values}, title="t", x="x", bins=3, logarithmic=True)
    assert "a: 4 values" in chart
    edges = numpy.geomspace(1, 9, 4)
    edges[0], edges[-1] = 1, 9
    counted = charts.steps(edges, {"a": [3, 0, 1]}, title="t", x="x", logarithmic=True)
    assert chart == counted


@settings(max_examples=15, deadline=None)
@given(text=st.text(max_size=12), value=st.floats(-1e9, 1e9))
def test_any_text_and_any_number_can_be_drawn(text: str, value: float) -> None:
    chart = charts.bars([text], {text: [value]}, title=text, y=text)
    assert Elements(chart).tags[0] == "svg"


@pytest.mark.parametrize(
    "draw",
    [
        lambda: charts.histogram({"a": []}, title="t", x="x"),
        lambda: charts.steps([1, 2], {"a": [1, 2]}, title="t", x="x"),
        lambda: charts.lines([], title="t", x="x", y="y"),
        lambda: charts.lines([Line(name="a", x=[1], y=[1, 2])], title="t", x="x", y="y"),
        lambda: charts.lines([Line(name="a", x=[1], y=[1], low=[1])], title="t", x="x", y="y"),
        lambda: charts.bars(["a"], {"b": [1, 2]}, title="t", y="y"),
        lambda: charts.bars(["a"], {"b": [1]}, title="t", y="y", stacked=True, intervals={"b": [(0, 1)]}),
        lambda: charts.scatter({}, title="t", x="x", y="y"),
        lambda: charts.heat_map([[1]], rows=["a", "b"], columns=["a"], title="t"),
        lambda: charts.heat_map([[numpy.nan]], rows=["a"], columns=["a"], title="t"),
    ],
)
def test_what_cannot_be_drawn_costs_one_line(draw: Callable[[], str]) -> None:
    with pytest.raises(InputError) as caught:
        draw()
    assert "\n" not in str(caught.value)


def test_without_matplotlib_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from sulan.reports import charts\n"
        "from sulan.errors import MissingExtra\n"
        "try: charts.scatter({'a': ([1], [1])}, title='t', x='x', y='y')\n"
        "except MissingExtra as error: print(error, error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 'matplotlib is not installed pip install -c constraints.txt -e ".[charts]"\n'
