"""A linear model over letter n-grams that tells hundreds of languages apart: features, training, scores.

The features of spaced writing are the 4-grams of each word with its borders, and the words; of writing without
spaces, letters and pairs of letters. The weights are those of multinomial naive Bayes, relative to an unseen
feature: sparse, so a model is a hash table of short lists.

With c(f, l) occurrences of feature f in language l, C(l) features of l, V kinds of feature and smoothing a::

    score(l) = sum over features f of  log((c(f, l) + a) / a) + log(a / (C(l) + a V))

Not covered: several languages inside one sentence.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numba
import numpy as np

from sulan.corpus.characters import SCRIPTS, WORD, tables, unspaced
from sulan.corpus.sentences import Texts, decode
from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.runs import outputs

FILE = "identifier.npz"
ORDER = 4
SMOOTHING = 0.03
"""Best of 0.3, 0.1, 0.03 and 0.01 on held-out paragraphs of the Universal Declaration of Human Rights."""

SCALE = 20
"""Steps of a weight for one nat; a weight is one byte."""

UNKNOWN = -1
BUCKET_BITS = 18
MAX_BYTES = 1 << 30
SCHEMA_VERSION = 1

_DIGITS = (48, 57)
_MIX_A, _MIX_B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained identifier.

    Attributes
    ----------
    labels
        Languages.
    buckets
        uint32[2**BUCKET_BITS + 1]: first feature of each bucket; a bucket is the hash's first bits.
    tags
        uint32[features]: the hash's next 32 bits, ascending inside a bucket.
    first
        uint32[features + 1]: first weight of each feature.
    languages, weights
        uint16 and uint8[weights]: a language that has the feature and what it is worth there, in 1 / SCALE nats.
    floors
        int32[labels]: what any feature is worth.
    scripts
        bool[labels, scripts]: which scripts a language's training text was in.
    """

    labels: tuple[str, ...]
    buckets: np.ndarray
    tags: np.ndarray
    first: np.ndarray
    languages: np.ndarray
    weights: np.ndarray
    floors: np.ndarray
    scripts: np.ndarray

    @cached_property
    def _tables(self) -> tuple[np.ndarray, ...]:
        return (*tables(), unspaced())

    def ranges(self, texts: Texts, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Return the language of each range of the texts' bytes.

        Returns
        -------
        numpy.ndarray
            int16[ranges], numbers into `labels`; `UNKNOWN` where no language has the script.
        """
        found = np.empty(len(starts), np.int16)
        model = (self.buckets, self.tags, self.first, self.languages, self.weights, self.floors, self.scripts)
        _score(texts.data, starts, ends, self._tables, model, found)
        return found

    def save(self, folder: Path) -> int:
        """Write the model; the same model gives the same bytes. Returns how many."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            about = {"schema_version": SCHEMA_VERSION, "labels": self.labels, "script_names": SCRIPTS}
            archive.writestr(zipfile.ZipInfo("about.json"), json.dumps(about), zipfile.ZIP_DEFLATED)
            for name in _ARRAYS:
                array = io.BytesIO()
                np.save(array, getattr(self, name), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), array.getvalue(), zipfile.ZIP_DEFLATED)
        outputs.write_bytes(folder / FILE, stream.getvalue())
        return len(stream.getvalue())


_ARRAYS = ("buckets", "tags", "first", "languages", "weights", "floors", "scripts")


def load(folder: Path) -> Model:
    """Read a model.

    Raises
    ------
    MissingFile
        The folder has none.
    BrokenArtefact
        It is damaged, or of another version.
    """
    path = folder / FILE
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(item.file_size for item in archive.infolist()) > MAX_BYTES:
                raise BrokenArtefact(f"{path} is larger than any identifier")
            about = json.loads(archive.read("about.json"))
            arrays = {
                name: np.load(io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False) for name in _ARRAYS
            }
    except FileNotFoundError as error:
        raise MissingFile(
            f"no identifier at {folder}", hint="sulan corpus train-identifier makes one"
        ) from error
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise BrokenArtefact(f"{path} is damaged: {error}") from error
    if about.get("schema_version") != SCHEMA_VERSION or tuple(about["script_names"]) != SCRIPTS:
        raise BrokenArtefact(f"{path} is of another version", hint="train it again")
    model = Model(labels=tuple(about["labels"]), **arrays)
    _check(model, path)
    return model


def _check(model: Model, path: Path) -> None:
    """Compiled loops do not check bounds, so what comes from disk is checked here."""
    good = (
        len(model.buckets) == 2**BUCKET_BITS + 1
        and model.buckets[0] == 0
        and model.buckets[-1] == len(model.tags) == len(model.first) - 1
        and model.first[-1] == len(model.languages) == len(model.weights)
        and (np.diff(model.buckets.astype(np.int64)) >= 0).all()
        and (np.diff(model.first.astype(np.int64)) >= 0).all()
        and (len(model.languages) == 0 or model.languages.max() < len(model.labels))
        and model.scripts.shape == (len(model.labels), len(SCRIPTS))
        and len(model.floors) == len(model.labels)
    )
    if not good:
        raise BrokenArtefact(f"{path} is damaged: its tables do not fit together")


def train(
    texts: Sequence[Texts], labels: Sequence[str], *, rarest: int = 2, smoothing: float = SMOOTHING
) -> Model:
    """Train on the texts of every language.

    Parameters
    ----------
    texts
        One for each label.
    labels
        Languages, sorted.
    rarest
        A feature that occurs less often over all languages is left out.
    smoothing
        The formula's a.

    Raises
    ------
    InputError
        There are no two languages with letters.
    """
    hashes, counts, owners = [], [], []
    scripts = np.zeros((len(labels), len(SCRIPTS)), bool)
    for number, each in enumerate(texts):
        found, seen = features(each)
        unique, count = np.unique(found, return_counts=True)
        hashes.append(unique)
        counts.append(count)
        owners.append(np.full(len(unique), number))
        # A script is a language's where it is more than a quotation.
        scripts[number] = seen * 20 >= max(seen[1:].sum(), 1)
        scripts[number, 0] = False
    if sum(len(found) > 0 for found in hashes) < 2:
        raise InputError("an identifier needs text of at least two languages")
    every, count, owner = np.concatenate(hashes), np.concatenate(counts), np.concatenate(owners)
    totals = np.bincount(owner, count, len(labels))
    vocabulary, place = np.unique(every, return_inverse=True)
    kept = np.bincount(place, count)[place] >= rarest
    every, count, owner = every[kept], count[kept], owner[kept]
    order = np.lexsort((owner, every))
    every, count, owner = every[order], count[order], owner[order]
    unique, first = np.unique(every, return_index=True)
    weights = np.round(SCALE * np.log((count + smoothing) / smoothing)).clip(0, 255)
    floors = np.round(SCALE * np.log(smoothing / (totals + smoothing * len(vocabulary))))
    bucket = (unique >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)
    return Model(
        labels=tuple(labels),
        buckets=np.searchsorted(bucket, np.arange(2**BUCKET_BITS + 1)).astype(np.uint32),
        tags=(unique >> np.uint64(32 - BUCKET_BITS)).astype(np.uint32),
        first=np.append(first, len(every)).astype(np.uint32),
        languages=owner.astype(np.uint16),
        weights=weights.astype(np.uint8),
        floors=floors.astype(np.int32),
        scripts=scripts,
    )


def features(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes of all features, uint64, and how many letters of each script there are."""
    out = np.empty(2 * len(texts.data) + 2, np.uint64)
    seen = np.zeros(len(SCRIPTS), np.int64)
    count = 0
    for start, end in zip(texts.offsets[:-1], texts.offsets[1:], strict=True):
        count += _features(texts.data, start, end, (*tables(), unspaced()), out[count:], seen)
    return out[:count], seen


@numba.njit(cache=True, inline="always")
def _mix(hashed, value, factor):
    hashed = (hashed ^ np.uint64(value)) * factor
    return hashed ^ (hashed >> np.uint64(29))


@numba.njit(cache=True)
def _features(data, start, end, tables, out, seen):
    """Write the features of one text; return how many. `seen` counts letters by script."""
    classes, lower, scripts, unspaced = tables
    count = 0
    a = b = c = np.uint64(0)  # the last three letters of the word, 0 before its border
    word = np.uint64(0)
    length = 0
    before = np.uint64(0)  # the letter before, in writing without spaces
    at = start
    while at <= end:
        code, script, letter = np.int64(32), 0, False
        if at < end:
            code, at = decode(data, at)
            letter = (classes[code] & WORD) != 0 and not (_DIGITS[0] <= code <= _DIGITS[1])
            script = scripts[code]
        else:
            at += 1
        if letter and script > 0:
            seen[script] += 1
        alone = letter and unspaced[script]
        small = np.uint64(lower[code])
        if alone:
            out[count] = _mix(np.uint64(0), small, _MIX_B)
            count += 1
            if before:
                out[count] = _mix(_mix(np.uint64(7), before, _MIX_A), small, _MIX_B)
                count += 1
        before = small if alone else np.uint64(0)
        if letter and not alone:
            if length == 0:
                a, b, c, word = np.uint64(0), np.uint64(0), np.uint64(32), np.uint64(0)
            if a:
                out[count] = _mix(
                    _mix(_mix(_mix(np.uint64(1), a, _MIX_A), b, _MIX_A), c, _MIX_A), small, _MIX_A
                )
                count += 1
            a, b, c = b, c, small
            word = _mix(word, small, _MIX_B)
            length += 1
        elif length:
            # The word's last n-gram ends with its border; a word of one or two letters is one short n-gram.
            out[count] = _mix(_mix(_mix(_mix(np.uint64(1), a, _MIX_A), b, _MIX_A), c, _MIX_A), 32, _MIX_A)
            out[count + 1] = word
            count += 2
            length = 0
    return count


@numba.njit(cache=True)
def _score(data, starts, ends, tables, model, found):
    buckets, tags, begins, languages, weights, floors, scripts = model
    labels = len(floors)
    longest = np.int64(0)
    for number in range(len(starts)):
        longest = max(longest, ends[number] - starts[number])
    hashes = np.empty(2 * longest + 2, np.uint64)
    scores = np.zeros(labels, np.int64)
    seen = np.zeros(scripts.shape[1], np.int64)
    for number in range(len(starts)):
        seen[:] = 0
        count = _features(data, starts[number], ends[number], tables, hashes, seen)
        for label in range(labels):
            scores[label] = count * floors[label]
        for feature in range(count):
            hashed = hashes[feature]
            bucket = np.int64(hashed >> np.uint64(64 - BUCKET_BITS))
            tag = np.uint32((hashed >> np.uint64(32 - BUCKET_BITS)) & np.uint64(0xFFFFFFFF))
            for place in range(buckets[bucket], buckets[bucket + 1]):
                if tags[place] >= tag:
                    if tags[place] == tag:
                        for entry in range(begins[place], begins[place + 1]):
                            scores[languages[entry]] += weights[entry]
                    break
        found[number] = _best(scores, seen, scripts)


@numba.njit(cache=True)
def _best(scores, seen, scripts):
    script = np.argmax(seen)
    best = np.int16(UNKNOWN)
    if seen[script] == 0:
        return best
    for label in range(len(scores)):
        if scripts[label, script] and (best < 0 or scores[label] > scores[best]):
            best = np.int16(label)
    return best
