"""Bounded concurrency: order, isolation, interruption."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sulan.chat.parallel import in_order
from sulan.errors import BackendError


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=20), st.integers(1, 6))
def test_order_is_the_inputs_and_the_bound_is_kept(delays: list[int], concurrency: int) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def work(delay: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(delay / 1000)
        with lock:
            running -= 1
        return delay

    outcomes = list(in_order(work, delays, concurrency=concurrency))
    assert [outcome.get() for outcome in outcomes] == delays
    assert most <= concurrency


def test_the_bound_is_used_in_full() -> None:
    barrier = threading.Barrier(4, timeout=10)  # passes only when four are inside at once
    assert [
        outcome.get() for outcome in in_order(lambda n: barrier.wait() >= 0, range(8), concurrency=4)
    ] == [True] * 8


def test_a_failure_is_the_outcome_of_its_item() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise BackendError("down")
        return 10 // number

    outcomes = list(in_order(work, [1, 2, 0, 5], concurrency=2))
    assert [outcome.value for outcome in outcomes] == [10, None, None, 2]
    assert [type(outcome.error) for outcome in outcomes] == [
        type(None),
        BackendError,
        ZeroDivisionError,
        type(None),
    ]
    with pytest.raises(BackendError, match="down"):
        outcomes[1].get()


def test_nothing_new_starts_when_the_caller_stops() -> None:
    started = []

    def work(number: int) -> int:
        started.append(number)
        time.sleep(0.01)
        return number

    outcomes = in_order(work, range(1000), concurrency=2)
    assert next(outcomes).get() == 0
    outcomes.close()  # type: ignore[attr-defined]
    count = len(started)
    time.sleep(0.05)
    assert len(started) == count < 20


PROGRAM = """
import sys, time
from sulan.chat.parallel import in_order
def work(number):
    time.sleep(0.05)
    with open(sys.argv[1], "a") as file:
        file.write(f"{number}\\n")
    return number
try:
    for outcome in in_order(work, range(1000), concurrency=3):
        print(outcome.get(), flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


def test_ctrl_c_keeps_what_is_finished_and_waits_for_what_is_under_way(tmp_path: object) -> None:
    kept = f"{tmp_path}/kept"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, kept], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = [process.stdout.readline().strip() for _ in range(4)]
    os.kill(process.pid, signal.SIGINT)
    rest = process.stdout.read()  # communicate() would miss what readline() has read ahead
    assert process.wait(timeout=20) == 130
    seen = printed + rest.split()[:-1]
    assert seen == [str(number) for number in range(len(seen))]
    with open(kept) as file:  # noqa: PTH123
        written = {int(line) for line in file}
    assert len(seen) <= len(written) <= len(seen) + 6  # whole lines only: nobody was cut off in the middle
    assert written == set(range(len(written)))
