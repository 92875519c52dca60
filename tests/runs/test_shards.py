"""Shards: resumed after kill -9, the same bytes whatever ran them, and one failure is one shard's."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runs import stages
from sulan.errors import BackendError, InputError, MissingExtra, MissingFile
from sulan.runs import outputs, processes
from sulan.runs.shards import DONE, map_shards, shard_folder

TESTS = Path(__file__).parents[1]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file that a reader would see, hidden ones left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def done_by_shard(log: Path) -> dict[int, int]:
    """How often each shard was really done; shards that never were are absent."""
    return {int(path.stem): len(path.read_text().splitlines()) for path in log.glob("*.log")}


def times(log: Path) -> list[int]:
    """How often each shard was really done, in their order."""
    return [count for _, count in sorted(done_by_shard(log).items())]


@pytest.fixture
def texts(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.txt" for name in "abcde"]
    for number, path in enumerate(paths):
        path.write_text(f"text {number} ü\n" * number)
    return paths


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return tmp_path / "log"


def test_results_in_order_and_the_same_bytes_for_any_number_of_workers(
    tmp_path: Path, texts: list[Path]
) -> None:
    found = [map_shards(stages.describe, texts, out=tmp_path / f"{n}", workers=n) for n in (1, 2, 3)]
    assert [result["size"] for result in found[0]] == [0, 9, 18, 27, 36]
    assert found[0] == found[1] == found[2]
    assert tree(tmp_path / "1") == tree(tmp_path / "2") == tree(tmp_path / "3")
    assert (shard_folder(tmp_path / "1", 1) / "upper.txt").read_text() == "TEXT 1 Ü\n"
    assert set(tree(tmp_path / "1")) == {f"shard-0000{n}/{f}" for n in range(5) for f in (DONE, "upper.txt")}


def test_what_is_done_is_not_done_again(tmp_path: Path, log: Path) -> None:
    for _ in range(2):
        assert map_shards(
            stages.logged, [1, 2, 3], out=tmp_path / "out", workers=1, arguments={"log": str(log)}
        ) == [1, 4, 9]
    assert times(log) == [1, 1, 1]


def test_only_a_changed_shard_runs_again(tmp_path: Path, texts: list[Path]) -> None:
    out = tmp_path / "out"
    before = map_shards(stages.describe, texts, out=out, workers=1)
    marks = {number: (shard_folder(out, number) / DONE).stat().st_mtime_ns for number in range(5)}
    texts[3].write_text("changed")
    os.utime(texts[1])  # touched, not changed
    after = map_shards(stages.describe, texts, out=out, workers=1)
    again = [n for n in range(5) if (shard_folder(out, n) / DONE).stat().st_mtime_ns != marks[n]]
    assert again == [3]
    assert after[3]["size"] == 7
    assert [after[n] for n in (0, 1, 2, 4)] == [before[n] for n in (0, 1, 2, 4)]


def test_other_arguments_run_everything_again(tmp_path: Path, texts: list[Path]) -> None:
    out = tmp_path / "out"
    map_shards(stages.describe, texts, out=out, workers=1)
    map_shards(stages.describe, texts, out=out, workers=1, arguments={"note": "!"})
    assert all((shard_folder(out, n) / "upper.txt").read_text().endswith("!") for n in range(5))


def test_a_damaged_marker_means_not_done(tmp_path: Path, log: Path) -> None:
    out, arguments = tmp_path / "out", {"log": str(log)}
    map_shards(stages.logged, [1, 2], out=out, workers=1, arguments=arguments)
    (shard_folder(out, 0) / DONE).write_text('{"fingerprint": "')
    assert map_shards(stages.logged, [1, 2], out=out, workers=1, arguments=arguments) == [1, 4]
    assert times(log) == [2, 1]


def test_shards_that_are_no_longer_there_leave(tmp_path: Path, log: Path) -> None:
    out, arguments = tmp_path / "out", {"log": str(log)}
    map_shards(stages.logged, [1, 2, 3], out=out, workers=1, arguments=arguments)
    map_shards(stages.logged, [1], out=out, workers=1, arguments=arguments)
    assert [path.name for path in out.glob("shard-*")] == ["shard-00000"]
    assert map_shards(stages.logged, [], out=out, arguments=arguments) == []


def test_a_killed_worker_costs_its_shard_and_is_tried_again(tmp_path: Path, log: Path) -> None:
    found = map_shards(
        stages.dies_once, list(range(6)), out=tmp_path / "out", workers=2, arguments={"log": str(log)}
    )
    assert found == [0, 1, 4, 9, 16, 25]
    assert (log / "died").exists()
    assert times(log) == [1] * 6  # no other shard was done twice
    assert (shard_folder(tmp_path / "out", 2) / "square.txt").read_text() == "4"


def test_stages_of_one_job_have_the_same_processes(tmp_path: Path, log: Path) -> None:
    def asked(name: str) -> int:
        return map_shards(stages.process, [0], out=tmp_path / name, workers=1)[0]

    with processes.kept():
        first = asked("a")
        with processes.kept():  # a stage that has stages of its own
            assert asked("b") == first
        assert asked("c") == first
        map_shards(stages.dies_once, [2], out=tmp_path / "d", workers=1, arguments={"log": str(log)})
        other = asked("e")
        assert other != first  # that one was killed
    for number in (first, other):
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)
    assert asked("f") != asked("g")


def test_failures_are_listed_and_stop_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BackendError) as caught:
        map_shards(stages.fails, list(range(6)), out=tmp_path / "out", workers=2, attempts=2)
    assert caught.value.exit_code == 3
    assert str(caught.value) == (
        "2 of 6 shards failed: shard 1 (1): Unpicklable: shard 1: it is one; "
        "shard 3 (3): its worker died 2 times (killed, or out of memory)"
    )
    whole = sorted(path.name for path in (tmp_path / "out").glob("shard-*"))
    assert whole == ["shard-00000", "shard-00002", "shard-00004", "shard-00005"]
    assert "in fails" in caplog.text  # where it happened, for the log


RUN = """
import sys
from pathlib import Path
from runs import stages
from sulan.runs.shards import map_shards

if __name__ == "__main__":
    out, log, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    arguments = {"log": log, "seconds": seconds}
    print(map_shards(stages.slow, list(range(6)), out=out, workers=2, arguments=arguments))
"""


def until(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    """Wait for a condition; the assertion that follows says what is wrong when it never came."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_killed_run_is_resumed_and_gives_the_same_bytes(tmp_path: Path, log: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(RUN)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])}

    def command(out: str) -> list[str]:
        return [sys.executable, str(script), str(tmp_path / out), str(log), "0.2"]

    killed = subprocess.Popen(command("out"), env=environment, stdout=subprocess.PIPE, text=True)
    until(lambda: bool(list((tmp_path / "out").glob("shard-*"))))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    before = {path.name for path in (tmp_path / "out").glob("shard-*")}
    assert 1 <= len(before) < 6
    time.sleep(0.5)
    done_by_orphans = {path.name for path in (tmp_path / "out").glob("shard-*")} - before
    assert not done_by_orphans, "workers outlived the run that was killed"

    counts = done_by_shard(log)
    resumed = subprocess.run(command("out"), env=environment, capture_output=True, text=True, check=True)
    assert resumed.stdout == "[0, 1, 4, 9, 16, 25]\n"
    again = {shard: count - counts.get(shard, 0) for shard, count in done_by_shard(log).items()}
    assert [again[int(name[-1])] for name in sorted(before)] == [0] * len(before)

    fresh = subprocess.run(command("fresh"), env=environment, capture_output=True, text=True, check=True)
    assert fresh.stdout == resumed.stdout
    assert tree(tmp_path / "fresh") == tree(tmp_path / "out")


def test_an_interrupted_run_ends_its_workers_at_once(tmp_path: Path, log: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(RUN)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])}
    command = [sys.executable, str(script), str(tmp_path / "out"), str(log), "60"]
    run = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    until(lambda: len(list((tmp_path / "out").glob(".shard-*.partial/square.txt"))) == 2)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=20)  # the shards themselves would take a minute
    assert "KeyboardInterrupt" in errors.splitlines()[-1]
    assert not list((tmp_path / "out").glob("shard-*"))


def test_libraries_in_workers_do_not_take_all_cores(tmp_path: Path) -> None:
    before = dict(os.environ)
    (found,) = map_shards(stages.threads, [0], out=tmp_path / "one", workers=2)
    assert {found[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "MKL")} == {"1"}
    (found,) = map_shards(stages.threads, [0], out=tmp_path / "two", threads=3)
    assert found["OMP_NUM_THREADS"] == found["POLARS_MAX_THREADS"] == "3"
    assert dict(os.environ) == before


def test_one_run_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with (
        outputs.locked((tmp_path / "out").absolute()),
        pytest.raises(InputError, match="another run is writing"),
    ):
        map_shards(stages.logged, [1], out=tmp_path / "out", arguments={"log": str(tmp_path)})


def test_what_cannot_be_sent_or_stored_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be sent to another process"):
        map_shards(lambda shard, folder: shard, [1], out=tmp_path / "a")
    with pytest.raises(InputError, match="workers must be at least 1"):
        map_shards(stages.fails, [1], out=tmp_path / "b", workers=0)
    with pytest.raises(MissingFile, match="no file at"):
        map_shards(stages.logged, [1], out=tmp_path / "c", arguments={"log": tmp_path / "nowhere"})
    with pytest.raises(BackendError, match="returned what JSON cannot hold"):
        map_shards(stages.returns_a_set, [1], out=tmp_path / "d", workers=1)


def test_without_ray_the_error_is_the_pip_line(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['ray'] = None\n"
        "from pathlib import Path; from runs import stages; from sulan.runs.shards import map_shards\n"
        f"map_shards(stages.fails, [0], out=Path({str(tmp_path / 'out')!r}), engine='ray')"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert MissingExtra.__name__ in done.stderr.splitlines()[-1]
    assert "ray is not installed" in done.stderr.splitlines()[-1]


@pytest.mark.xdist_group("ray")
def test_ray_retries_a_killed_worker_and_makes_the_same_bytes(tmp_path: Path, log: Path) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed (extra `cluster`)")
    importable = {"env_vars": {"PYTHONPATH": os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])}}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=importable)
    try:
        arguments = {"log": str(log)}
        found = map_shards(
            stages.dies_once, list(range(6)), out=tmp_path / "ray", engine="ray", arguments=arguments
        )
        assert found == [0, 1, 4, 9, 16, 25]
        assert (log / "died").exists()
        assert times(log) == [1] * 6
        # The shards that Ray made are done for the process pool too, and the pool makes the same bytes.
        assert (
            map_shards(stages.dies_once, list(range(6)), out=tmp_path / "ray", arguments=arguments) == found
        )
        assert times(log) == [1] * 6
        map_shards(stages.dies_once, list(range(6)), out=tmp_path / "local", arguments=arguments)
        assert tree(tmp_path / "local") == tree(tmp_path / "ray")
        with pytest.raises(BackendError, match=r"2 of 6 shards failed: shard 1 .*; shard 3 .* died 1 times"):
            map_shards(stages.fails, list(range(6)), out=tmp_path / "bad", engine="ray", attempts=1)
        assert ray.is_initialized()  # a cluster that was there stays
    finally:
        ray.shutdown()


@pytest.mark.xdist_group("ray")
def test_ray_starts_a_cluster_for_the_length_of_the_call(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed (extra `cluster`)")
    (limits,) = map_shards(stages.threads, [0], out=tmp_path / "threads", engine="ray", workers=1)
    assert limits["OMP_NUM_THREADS"] == limits["POLARS_MAX_THREADS"] == "1"
    assert not ray.is_initialized()


@pytest.mark.xdist_group("ray")
def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (extra `cluster`)")
    with pytest.raises(BackendError, match=r"no Ray cluster at 127\.0\.0\.1:1") as caught:
        map_shards(stages.threads, [0], out=tmp_path / "out", engine="ray", cluster="127.0.0.1:1")
    assert caught.value.exit_code == 3
