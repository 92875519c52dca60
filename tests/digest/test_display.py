import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.hostile import text, urls
from sulan.digest import archive, display, feeds, markdown, search, trends
from sulan.errors import BrokenArtefact

ANYTHING = st.text(st.characters())  # lone surrogates included


@pytest.mark.parametrize("module", [display, markdown, feeds, search, trends, archive])
def test_the_examples_of_the_docstrings_hold(module):
    failures, _ = doctest.testmod(module)
    assert failures == 0


@given(st.one_of(ANYTHING, text))
def test_what_is_shown_has_no_invisible_character_and_is_stable(raw):
    shown = display.visible(raw)
    assert all(c.isprintable() for c in shown)
    assert display.visible(shown) == shown
    shown.encode()


@given(st.one_of(ANYTHING, urls))
def test_a_link_is_http_or_nothing(raw):
    url = display.link(raw)
    assert not url or url.lower().startswith(("http://", "https://"))
    assert not set(url) & set("<>\"'`()[]{}|\\^ \n") and url.isascii()


def test_mathematics_is_left_alone():
    assert display.prose(r"\emph{a--b} $\textbf{x}--y$ ``c\"").startswith("a–b $\\textbf{x}--y$")


def test_a_time_that_is_none_is_refused():
    with pytest.raises(BrokenArtefact, match="not an ISO 8601 time: 'yesterday'"):
        display.moment("yesterday")
