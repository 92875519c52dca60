"""Groups of documents from pairs, by union-find; 8 bytes a document.

Not covered: unions that do not fit on one machine.
"""

from collections.abc import Sequence

import numba
import numpy as np


def union(paths: Sequence[str], keys: np.ndarray) -> np.ndarray:
    """Join matches into groups; return the least document of each document's group, int64[documents].

    Parameters
    ----------
    paths
        Matches of all buckets.
    keys
        uint64[documents]: the order.
    """
    parents = np.arange(len(keys), dtype=np.int64)
    for path in paths:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
        _join(np.ascontiguousarray(rows["document"]), np.ascontiguousarray(rows["least"]), keys, parents)
    return _roots(parents)


@numba.njit(cache=True)
def _root(parents, document):
    while parents[document] != document:
        parents[document] = parents[parents[document]]
        document = parents[document]
    return document


@numba.njit(cache=True)
def _join(documents, others, keys, parents):
    for number in range(len(documents)):
        a, b = _root(parents, documents[number]), _root(parents, others[number])
        if a == b:
            continue
        if keys[a] < keys[b] or (keys[a] == keys[b] and a < b):
            parents[b] = a
        else:
            parents[a] = b


@numba.njit(cache=True)
def _roots(parents):
    found = np.empty(len(parents), np.int64)
    for document in range(len(parents)):
        found[document] = _root(parents, document)
    return found
