"""An n-gram reference model: a folder with `model.arpa` and the tokenizer whose tokens are its words.

Queried with KenLM. A bare `.arpa`, `.bin` or `.binary` file, as `lmplz` and `build_binary` make them, works
too: its words are then what stands between spaces. Not covered: estimation (`kneser_ney`), SentencePiece
models beside a file of CCNet.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sulan.errors import BrokenArtefact, MissingExtra, MissingFile
from sulan.runs import fingerprints

MODEL = "model.arpa"
TOKENIZER = "tokenizer.json"
ENDINGS = (".arpa", ".bin", ".binary")


@dataclass(frozen=True, kw_only=True)
class NgramModel:
    """An n-gram model that is ready to be asked.

    Attributes
    ----------
    name
        What was asked for.
    order
        Longest n-gram in tokens.
    fingerprint, tokenizer_fingerprint
        SHA-256 of its file and of its tokenizer's; of nothing where words stand between spaces.
    """

    name: Path
    order: int
    fingerprint: str
    tokenizer_fingerprint: str
    _model: Any
    _tokenizer: Any

    def tokens(self, text: str) -> np.ndarray:
        """Return the tokens of a text: int32, or words where the model has no tokenizer."""
        if self._tokenizer is None:
            return np.array(text.split(), dtype=object)
        return np.asarray(self._tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int32)

    def nll(self, sequence: np.ndarray) -> np.ndarray:
        """Return the negative log-likelihood of each token, nats, float32 [tokens].

        The sequence begins a document; its end is not predicted, as a language model's is not.
        """
        words = " ".join(map(str, sequence.tolist()))
        found = [log for log, _, _ in self._model.full_scores(words, bos=True, eos=False)]
        return (-np.log(10) * np.array(found)).astype(np.float32)


def is_one(path: Path) -> bool:
    """Tell whether a path is an n-gram model."""
    return (path.is_file() and path.suffix in ENDINGS) or (path / MODEL).is_file()


def load(path: Path) -> NgramModel:
    """Open an n-gram model.

    Raises
    ------
    MissingExtra
        kenlm is not installed.
    BrokenArtefact
        KenLM or the tokenizer's library cannot read the file.
    """
    try:
        import kenlm
    except ImportError as error:
        raise MissingExtra("kenlm", extra="prune") from error
    file = path if path.is_file() else path / MODEL
    tokenizer = None if path.is_file() else path / TOKENIZER
    try:
        settings = kenlm.Config()
        settings.show_progress = False
        settings.arpa_complain = kenlm.ARPALoadComplain.NONE
        model = kenlm.Model(str(file), settings)
    except OSError as error:
        raise BrokenArtefact(f"KenLM cannot read {file}: {' '.join(str(error).split())[:200]}") from error
    return NgramModel(
        name=path,
        order=model.order,
        fingerprint=fingerprints.file(file),
        tokenizer_fingerprint=fingerprints.file(tokenizer) if tokenizer else hashlib.sha256().hexdigest(),
        _model=model,
        _tokenizer=_tokenizer(tokenizer) if tokenizer else None,
    )


def _tokenizer(file: Path) -> Any:
    from tokenizers import Tokenizer

    if not file.is_file():
        raise MissingFile(f"no tokenizer at {file}")
    try:
        json.loads(file.read_text())
    except ValueError as error:
        raise BrokenArtefact(f"{file} is damaged: {error}") from error
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.encode_special_tokens = True  # a text that spells one is plain text
    return tokenizer
