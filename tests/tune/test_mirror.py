"""A mirror over HTTP: the same task as from files, and one clear line for whatever goes wrong with it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import sulan
from sulan.errors import BackendError, InputError, MissingFile, SulanError
from sulan.runs import fingerprints
from sulan.tune import mirror
from sulan.tune.miniature import LANGUAGE, Miniature
from tune.small_tasks import SIZES

SIZE = {"train": SIZES.train, "dev": SIZES.dev, "test": SIZES.test, "exemplars": SIZES.exemplars}
GONE, BROKEN, DAMAGED, ENDLESS = "gone", "broken", "damaged", "endless"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        _, how, path = self.path.split("/", 2)
        try:
            found = Miniature().fetch(path)
        except SulanError:
            self.send_error(404)
            return
        if how == BROKEN:
            self.send_error(503)
            return
        if how == GONE and path.endswith(".bz2"):
            self.send_error(404)
            return
        if how == DAMAGED and path.endswith(".bz2"):
            found = found[:-1] + b"?"
        self.send_response(200)
        self.end_headers()
        if how != ENDLESS:
            self.wfile.write(found)
            return
        for _ in range((mirror.LARGEST >> 20) + 1):
            self.wfile.write(bytes(1 << 20))

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_task_over_http_is_the_one_from_files(tmp_path):
    sulan.tune.fetch(mirror="miniature", languages=(LANGUAGE,), out=tmp_path / "files", **SIZE)
    with served() as url:
        sulan.tune.fetch(mirror=f"{url}/whole/", languages=(LANGUAGE,), out=tmp_path / "http", **SIZE)
    for name in ("task.toml", "examples.jsonl"):
        one, other = tmp_path / "files" / name, tmp_path / "http" / name
        assert fingerprints.path(one) == fingerprints.path(other)


@pytest.mark.parametrize(
    ("how", "language", "error", "says"),
    [
        (GONE, LANGUAGE, MissingFile, "the mirror has no dists/bookworm/main/i18n"),
        (BROKEN, LANGUAGE, BackendError, "503"),
        (DAMAGED, LANGUAGE, BackendError, "not what the archive's Release says"),
        (ENDLESS, LANGUAGE, BackendError, "is larger than 64 MB"),
        ("whole", "tlh", InputError, "the archive has no main/i18n/Translation-tlh"),
    ],
)
def test_a_mirror_at_fault_costs_one_line_and_leaves_nothing(tmp_path, how, language, error, says):
    with served() as url, pytest.raises(error, match=says):
        sulan.tune.fetch(mirror=f"{url}/{how}", languages=(language,), out=tmp_path / "task", **SIZE)
    assert not (tmp_path / "task").exists()
