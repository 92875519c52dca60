import pytest

from digest import editions
from sulan.digest.edition import Edition
from sulan.digest.render import files, render
from sulan.errors import BrokenArtefact


def test_a_folder_has_every_format(tmp_path):
    render(editions.edition(2), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "20230912-hf-daily-papers.en.md",
        "20230912-hf-daily-papers.md",
        "atom.xml",
        "edition.eml",
        "edition.json",
        "feed.json",
        "index.html",
        "rss.xml",
    ]


def test_the_same_edition_gives_the_same_bytes():
    assert files(editions.edition(3)) == files(editions.edition(3))


def test_what_is_written_reads_back_and_renders_the_same():
    edition = editions.edition(3, extractive=False)
    first = files(edition)
    again = Edition.model_validate_json(first["edition.json"])
    assert again == edition
    assert files(again) == first


def test_a_time_that_is_none_is_refused():
    broken = editions.edition(1).model_copy(update={"updated": "soon"})
    with pytest.raises(BrokenArtefact, match="not an ISO 8601 time: 'soon'"):
        files(broken)
