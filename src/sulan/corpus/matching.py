"""Find what occurs more than once, in bounded memory: shards sort, buckets match, one pass joins.

Each shard writes what it has (a hash, and where it was) sorted by hash. A bucket is a range of hashes: it takes
its slice of every shard, sorts it, and of each group of equal hashes keeps the least. Which is least depends on the
documents' ids alone, so neither order nor sharding nor workers change it.

A bucket's rows are what must fit into memory. Not covered: joining pairs into groups (`groups`).
"""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 4_000_000
"""Rows of a bucket: about a quarter of a gigabyte while it is sorted."""

OCCURRENCE = np.dtype(
    [("high", np.uint64), ("low", np.uint64), ("key", np.uint64), ("document", np.int64), ("place", np.int32)]
)
"""One occurrence: a hash of 128 bits; the id's key; number of the document; number of the sentence."""

MATCH = np.dtype([("document", np.int64), ("place", np.int32), ("least", np.int64)])
"""One occurrence that is not the least of its group, and the document that is."""


def keys(ids: Sequence[str]) -> np.ndarray:
    """Return 64 bits of BLAKE2b of each id, uint64: their order decides who survives.

    Two ids of n have one key with odds below n**2 / 2**65; then the order of the input decides between them.
    """
    return np.array(
        [int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") for name in ids], np.uint64
    )


def write(path: Path, occurrences: np.ndarray) -> None:
    """Write what a shard has, sorted by hash."""
    np.save(path, np.sort(occurrences, order=["high", "low"]), allow_pickle=False)


def buckets(paths: Sequence[Path], *, rows: int = ROWS) -> int:
    """Return into how many ranges of hashes the occurrences of all shards are divided."""
    total = sum(len(np.load(path, mmap_mode="r", allow_pickle=False)) for path in paths)
    return max(1, -(-total // rows))


def match_bucket(shard: list[Any], folder: Path, *, shards: str, made: str) -> int:
    """Match one range of hashes: a stage of `runs.shards`.

    Parameters
    ----------
    shard
        File in each shard's folder, number of the bucket, how many buckets there are.
    folder
        Where `matches.npy` goes, sorted by document and place.
    shards
        Work folder of the shards.
    made
        What the shards were made from; another value is other work.

    Returns
    -------
    int
        Occurrences that are not the least of their group.
    """
    name, bucket, count = shard
    low, high = bucket * 2**64 // count, (bucket + 1) * 2**64 // count
    slices = []
    for path in sorted(Path(shards).glob(f"shard-*/{name}")):
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
        start = np.searchsorted(rows["high"], np.uint64(low))
        stop = len(rows) if high == 2**64 else np.searchsorted(rows["high"], np.uint64(high))
        slices.append(np.array(rows[start:stop]))
    rows = np.concatenate(slices) if slices else np.empty(0, OCCURRENCE)
    rows = rows[np.lexsort((rows["place"], rows["document"], rows["key"], rows["low"], rows["high"]))]
    same = np.zeros(len(rows), bool)
    same[1:] = (rows["high"][1:] == rows["high"][:-1]) & (rows["low"][1:] == rows["low"][:-1])
    first = np.flatnonzero(~same)
    least = rows["document"][np.repeat(first, np.diff(np.append(first, len(rows))))]
    matches = np.empty(int(same.sum()), MATCH)
    matches["document"], matches["place"] = rows["document"][same], rows["place"][same]
    matches["least"] = least[same]
    np.save(folder / "matches.npy", np.sort(matches, order=["document", "place"]), allow_pickle=False)
    return len(matches)


def between(paths: Sequence[str], start: int, stop: int) -> np.ndarray:
    """Return the matches of documents [start, stop) from all buckets; only these are read."""
    slices = []
    for path in paths:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
        first, last = np.searchsorted(rows["document"], [start, stop])
        slices.append(np.array(rows[first:last]))
    return np.concatenate(slices) if slices else np.empty(0, MATCH)
