"""Packed token files: what goes in comes out, in an order that the seed and the step alone decide."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sulan.errors import BrokenArtefact, InputError, MissingFile, SulanError
from sulan.training import pack, stream
from training import examples
from training.examples import CONTEXT, VOCABULARY


def ids(count: int) -> st.SearchStrategy[list[list[int]]]:
    return st.lists(st.lists(st.integers(0, count - 1), max_size=30), min_size=1, max_size=20)


@given(documents=ids(300))
def test_documents_come_back(documents: list[list[int]], tmp_path_factory: pytest.TempPathFactory) -> None:
    packed = pack(documents, tmp_path_factory.mktemp("tokens"), vocabulary=300, end=299)
    expected = [token for document in documents for token in [*document, 299]]
    assert packed.tokens == len(expected)
    assert packed.sequences(numpy.array([0]), context=len(expected))[0].tolist() == expected
    wanted = list(range(len(documents)))[::-2]
    part = packed.documents(wanted)
    expected = [token for number in wanted for token in [*documents[number], 299]]
    assert part.sequences(numpy.array([0]), context=part.tokens)[0].tolist() == expected


@pytest.mark.parametrize(
    ("vocabulary", "kind"), [(65_535, "uint16"), (65_536, "uint32"), (256_000, "uint32")]
)
def test_file_is_plain_and_as_narrow_as_the_vocabulary_allows(
    vocabulary: int, kind: str, tmp_path: Path
) -> None:
    pack([[1, vocabulary - 1], [], [7]], tmp_path, vocabulary=vocabulary, end=0)
    assert numpy.memmap(tmp_path / "tokens.bin", dtype=kind).tolist() == [1, vocabulary - 1, 0, 0, 7, 0]
    assert numpy.memmap(tmp_path / "documents.bin", dtype="uint64").tolist() == [3, 4, 6]
    sidecar = json.loads((tmp_path / "tokens.json").read_text())
    assert (sidecar["dtype"], sidecar["tokens"], sidecar["documents"]) == (kind, 6, 3)


@pytest.mark.parametrize("wrong", [[-1], [128], [70_000], [2**40]])
def test_an_id_beyond_the_vocabulary_is_refused(wrong: list[int], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"document 1 has the token id {wrong[0]}; the vocabulary has 128"):
        pack([[1, 2], wrong], tmp_path, vocabulary=128, end=0)
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize("wrong", [[0.5], [[1]], ["a"]])
def test_what_is_no_id_is_refused(wrong: list[object], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="document 0 is not a list of token ids"):
        pack([wrong], tmp_path, vocabulary=128, end=0)  # pyrefly: ignore[bad-argument-type]


def test_repacking_replaces_and_a_failed_one_is_not_whole(tmp_path: Path) -> None:
    pack([[1]], tmp_path, vocabulary=128, end=0)
    assert pack([[1, 2]], tmp_path, vocabulary=128, end=0).tokens == 3

    def broken() -> Iterator[list[int]]:
        yield [1]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(broken(), tmp_path, vocabulary=128, end=0)
    with pytest.raises(MissingFile):
        stream.read(tmp_path)


def test_files_that_do_not_fit_their_sidecar(tmp_path: Path) -> None:
    pack([[1, 2, 3]], tmp_path, vocabulary=128, end=0)
    with (tmp_path / "tokens.bin").open("r+b") as file:
        file.truncate(6)
    with pytest.raises(BrokenArtefact, match="has 6 bytes, its sidecar says 8"):
        stream.read(tmp_path)
    (tmp_path / "tokens.json").write_text("{}")
    with pytest.raises(BrokenArtefact, match="not the sidecar of a token file"):
        stream.read(tmp_path)


def test_an_epoch_has_every_sequence_once_and_the_next_another_order(tmp_path: Path) -> None:
    packed = examples.stream(tmp_path)
    count = packed.count(CONTEXT)
    every = packed.sequences(numpy.arange(count), context=CONTEXT).tolist()
    seen = [
        row
        for step in range(2 * count)
        for row in packed.batch(step, size=3, context=CONTEXT, seed=1).tolist()
    ]
    epochs = [seen[n * count : (n + 1) * count] for n in range(6)]
    assert all(sorted(epoch) == sorted(every) for epoch in epochs)
    assert all(one != two for one, two in itertools.pairwise(epochs))


def test_parts_of_a_batch_are_the_batch(tmp_path: Path) -> None:
    packed = examples.stream(tmp_path)
    whole = packed.batch(5, size=8, context=CONTEXT, seed=0)
    parts = [packed.batch(5, size=8, context=CONTEXT, seed=0, part=slice(n, n + 2)) for n in range(0, 8, 2)]
    assert numpy.concatenate(parts).tolist() == whole.tolist()


def test_selected_sequences_alone_are_drawn(tmp_path: Path) -> None:
    packed = examples.stream(tmp_path)
    part = packed.select([3, 5, 8], context=CONTEXT)
    rows = part.batch(0, size=3, context=CONTEXT, seed=0)
    expected = packed.sequences(numpy.array([3, 5, 8]), context=CONTEXT)
    assert sorted(rows.tolist()) == sorted(expected.tolist())
    again = part.select([1], context=CONTEXT)
    assert again.sequences(numpy.array([0]), context=CONTEXT).tolist() == expected[1:2].tolist()
    assert len({packed.fingerprint, part.fingerprint, again.fingerprint}) == 3
    with pytest.raises(InputError, match=r"sequences of 32 tokens were selected, not of 16"):
        part.count(16)


def test_wrong_selections(tmp_path: Path) -> None:
    packed = examples.stream(tmp_path)
    with pytest.raises(InputError, match="there are 60 documents; number 60 was asked for"):
        packed.documents([0, 60])
    with pytest.raises(InputError, match="number -1 was asked for"):
        packed.select([-1], context=CONTEXT)
    with pytest.raises(InputError, match="no documents were selected"):
        packed.documents([])
    with pytest.raises(InputError, match="is a part already"):
        packed.documents([0]).documents([0])
    with pytest.raises(InputError, match="not one sequence of 100000"):
        packed.count(100_000)


def test_full_disk_costs_one_line(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from sulan.training import pack\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))\n"
        "try:\n"
        "    pack([[1] * (1 << 20)], Path(sys.argv[1]), vocabulary=128, end=0)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"SulanError cannot write to {tmp_path}: File too large\n"
    assert list(tmp_path.iterdir()) == []
    assert issubclass(InputError, SulanError)


def test_memory_does_not_grow_with_a_document(tmp_path: Path) -> None:
    # 25 million tokens, 100 MB of English; the document itself is a memmap, so that only packing counts.
    code = (
        "import resource, sys, numpy\n"
        "from pathlib import Path\n"
        "from sulan.training import pack\n"
        "folder = Path(sys.argv[1])\n"
        "big = numpy.memmap(folder / 'big', dtype='uint16', mode='w+', shape=25_000_000)\n"
        "pack([[5]], folder / 'small', vocabulary=50_257, end=0)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "packed = pack([big, [], [1]], folder / 'tokens', vocabulary=50_257, end=0)\n"
        "print(packed.tokens, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    tokens, kilobytes = map(int, done.stdout.split())
    assert tokens == 25_000_004
    assert kilobytes < 120_000  # the pages of the memmap are 50 MB of it


def test_examples_have_every_token_below_the_vocabulary() -> None:
    assert max(int(document.max(initial=0)) for document in examples.documents()) < VOCABULARY
