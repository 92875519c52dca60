"""Ray loses a worker and the corpus is the same; a build that is killed in every stage ends with the same bytes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corpus import small
from runs.ray_workers import workers_of
from sulan import corpus
from sulan.runs import fingerprints

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray"), pytest.mark.timeout(900)]

STAGES = (
    "extract",
    "identify",
    "filter",
    "deduplicate",
    ".deduplicate.work/sign",
    ".deduplicate.work/cut",
    ".deduplicate.work/keep",
    "audit-sample",
    "audit-report",
    "audit-apply",
)


def archive(folder: Path, *, pages: int) -> Path:
    path = folder / "pages.warc.gz"
    said = "This page is about number {0} and nothing else. It was written for a test of the corpus room. "
    text = (
        said
        + "It has five sentences that are long enough. The fourth is here to be counted. {0} ends it all."
    )
    path.write_bytes(
        b"".join(
            small.record(f"http://x/en/{n}", small.page(text.format(n % (pages - 20)))) for n in range(pages)
        )
    )
    return path


def test_a_build_that_is_killed_in_every_stage_ends_with_the_same_bytes(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f'[extract]\ninputs = ["{archive(tmp_path, pages=300)}"]\nlabel = "/([a-z]{{2}})/"\n'
        '[deduplicate]\nspans = false\n[audit]\nby = "label"\njudges = ["cld2"]\n'
    )

    def run(out: Path) -> "subprocess.Popen[bytes]":
        words = ["corpus", "build", str(recipe), "--out", str(out), "--workers", "2"]
        return subprocess.Popen([sys.executable, "-m", "sulan", *words], stdout=subprocess.DEVNULL)

    work = tmp_path / ".killed.work"
    kills = 0
    for stage in STAGES:
        place = Path(stage)
        begun = (work / place, work / place.with_name(f".{place.name}.partial"))
        with run(tmp_path / "killed") as process:
            while not any(path.exists() for path in begun) and process.poll() is None:
                time.sleep(0.0005)
            process.send_signal(signal.SIGKILL)
        kills += process.returncode == -signal.SIGKILL
        assert not (tmp_path / "killed").exists()
    assert kills == len(STAGES)
    for name in ("killed", "straight"):
        with run(tmp_path / name) as process:
            pass
        assert process.returncode == 0
    assert fingerprints.path(tmp_path / "killed") == fingerprints.path(tmp_path / "straight")
    assert not work.exists()


def test_ray_loses_a_worker_and_makes_the_same_corpus(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (extra `cluster`)")
    text = "This sentence is one of very many in this document. "
    source = small.corpus(tmp_path / "in", [text * 40 + str(number) for number in range(6000)], parts=12)
    command = [
        sys.executable,
        "-m",
        "sulan",
        "corpus",
        "identify",
        str(source),
        "--out",
        str(tmp_path / "ray"),
    ]
    with subprocess.Popen([*command, "--engine", "ray", "--workers", "2"], stderr=subprocess.PIPE) as process:
        killed = 0
        while process.poll() is None and not killed:
            done = list((tmp_path / ".ray.work").glob("shard-*/done.json"))
            for worker in workers_of(process.pid)[:1] if done else []:
                worker.send_signal(signal.SIGKILL)
                killed += 1
            time.sleep(0.01)
        _, said = process.communicate()
    assert killed
    assert process.returncode == 0, said
    corpus.identify(source, out=tmp_path / "local", workers=1)
    assert fingerprints.path(tmp_path / "ray") == fingerprints.path(tmp_path / "local")
