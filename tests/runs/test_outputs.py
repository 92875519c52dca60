"""Outputs are whole or absent, whatever interrupts the run that makes them."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sulan.errors import InputError
from sulan.runs import fingerprints, outputs
from sulan.runs.record import record


def make(out: Path, *, text: str = "made", config: dict[str, object] | None = None) -> None:
    with (
        outputs.folder(out) as folder,
        record(verb="test make", folder=folder, config=config or {"text": text}),
    ):
        (folder / "file.txt").write_text(text)


def python(code: str, *, folder: Path) -> subprocess.CompletedProcess[str]:
    source = textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", source], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def test_folder_appears_when_whole(tmp_path: Path) -> None:
    with outputs.folder(tmp_path / "out") as folder:
        (folder / "file.txt").write_text("half")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "file.txt").read_text() == "half"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_failure_leaves_the_old_artefact_and_the_failed_record(tmp_path: Path) -> None:
    make(tmp_path / "out", text="old")
    before = fingerprints.path(tmp_path / "out")
    with (
        pytest.raises(ZeroDivisionError),
        outputs.folder(tmp_path / "out") as folder,
        record(verb="test make", folder=folder, config={}),
    ):
        (folder / "file.txt").write_text("new")
        _ = 1 / 0
    assert fingerprints.path(tmp_path / "out") == before
    assert '"status": "failed"' in (tmp_path / "out.failed.json").read_text()
    make(tmp_path / "out", text="new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_repeating_a_finished_run_changes_no_byte(tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(out)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    make(out)
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    assert after == before
    make(out, text="other")
    assert (out / "file.txt").read_text() == "other"


def test_an_artefact_that_was_changed_by_hand_is_made_again(tmp_path: Path) -> None:
    make(tmp_path / "out")
    (tmp_path / "out" / "file.txt").write_text("by hand")
    make(tmp_path / "out")
    assert (tmp_path / "out" / "file.txt").read_text() == "made"


def test_folders_that_no_run_made_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(InputError, match="no run of Sulan made"):
        make(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"


@pytest.mark.parametrize("existing", [False, True])
def test_kill_leaves_nothing_that_looks_whole(tmp_path: Path, existing: bool) -> None:
    if existing:
        make(tmp_path / "out", text="old")
    done = python(
        """
        import os, signal
        from pathlib import Path
        from sulan.runs import outputs
        from sulan.runs.record import record
        with outputs.folder(Path("out")) as folder, record(verb="t", folder=folder, config={}):
            (folder / "file.txt").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        folder=tmp_path,
    )
    assert done.returncode == -signal.SIGKILL
    if existing:
        assert (tmp_path / "out" / "file.txt").read_text() == "old"
    else:
        assert not (tmp_path / "out").exists()
    make(tmp_path / "out", text="new")
    assert (tmp_path / "out" / "file.txt").read_text() == "new"
    assert not (tmp_path / ".out.partial").exists()


def test_kill_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    make(tmp_path / "out", text="old")
    (tmp_path / "out").rename(tmp_path / ".out.previous")
    with pytest.raises(RuntimeError), outputs.folder(tmp_path / "out"):
        raise RuntimeError("the next run fails, too")
    assert (tmp_path / "out" / "file.txt").read_text() == "old"


def test_two_runs_do_not_share_a_destination(tmp_path: Path) -> None:
    with outputs.folder(tmp_path / "out") as folder:
        (folder / "file.txt").write_text("first")
        done = python(
            """
            from pathlib import Path
            from sulan.runs import outputs
            with outputs.folder(Path("out")):
                pass
            """,
            folder=tmp_path,
        )
        assert "another run is writing" in done.stderr
    assert (tmp_path / "out" / "file.txt").read_text() == "first"


def test_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    outputs.write_text(tmp_path / "file.txt", "old")
    done = python(
        """
        import resource, signal
        from pathlib import Path
        from sulan.runs import outputs
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        outputs.write_text(Path("file.txt"), "x" * 5000)
        """,
        folder=tmp_path,
    )
    assert "OSError" in done.stderr
    assert (tmp_path / "file.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]
