"""A usable LLVM is found, or one line says what to install: never a core dump."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from radiance import places
from sulan.errors import MissingFile
from sulan.radiance import backend

pytestmark = pytest.mark.xdist_group("radiance")


def render(scene: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "sulan", "radiance", "render", str(scene), "--camera-path", str(scene)]
    return subprocess.run(
        [*words, "--out", str(out)],
        env={**os.environ, "SULAN_HOME": str(out.parent / "home"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", ["absent", "no library"])
def test_without_a_usable_llvm_one_line_says_what_to_do(tmp_path, kind):
    """Dr.Jit itself would abort the process with the first kernel."""
    library = tmp_path / "libLLVM-15.so"
    if kind == "no library":
        library.write_bytes(b"\x7fELF, but no more")
    scene = places.folder(tmp_path / "scene", places.room())
    done = render(scene, tmp_path / "out", DRJIT_LIBLLVM_PATH=str(library))
    assert done.returncode == 2
    error, hint = done.stderr.splitlines()
    assert error == "error: no usable LLVM (16 or newer) among: libLLVM-15.so"
    assert hint.startswith("hint: apt-get install libllvm19 ")
    assert not (tmp_path / "out").exists()


def test_old_llvms_are_no_candidates_and_the_newest_comes_first(tmp_path):
    for name in (
        "libLLVM-15.so.1",
        "libLLVM-16.so.1",
        "libLLVM.so.19.1",
        "libLLVM.txt",
        "llvm-18/lib/libLLVM.so",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = backend.candidates((str(tmp_path),))
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "libLLVM.so.19.1",
        "llvm-18/lib/libLLVM.so",
        "libLLVM-16.so.1",
    ]


def test_one_that_aborts_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setenv(backend.VARIABLE, str(tmp_path / "nothing.so"))
    with pytest.raises(MissingFile, match="no usable LLVM"):
        backend.library()
