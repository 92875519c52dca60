"""Translation models as they are used: CTranslate2 where there is such a copy, transformers otherwise.

The released MADLAD-400 checkpoints load the same way: a folder or an id on the Hub. A language that a model has no
token for is refused: taken for an unknown word, it would be answered in some language or other. Not covered:
models that take the target language in another way.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sulan.errors import BrokenArtefact, InputError, MissingExtra, MissingFile

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FAST = "ctranslate2"
TOKENIZER = "tokenizer.json"
BATCH = 64
LONGEST = 512
"""Tokens of a source; T5 and the released models were trained on no longer ones."""

SPARE = 16
"""Tokens that an output may have beyond twice its source's."""


class Engine(Protocol):
    """What runs a model."""

    def vocabulary(self) -> dict[str, int]:
        """Return the tokens."""

    def batch(self, asked: Sequence[str], beams: int) -> list[str]:
        """Return the outputs of texts that begin with the token of their target language."""


class Translator:
    """A model that translates sentences.

    Parameters
    ----------
    name
        Folder of a checkpoint, or an id on the Hub.
    """

    def __init__(self, name: str) -> None:
        folder = Path(name)
        # An id on the Hub is OWNER/NAME, and no folder here.
        if (name.count("/") != 1 or folder.is_absolute() or folder.exists()) and not (
            folder / "config.json"
        ).is_file():
            raise MissingFile(
                f"no translation model at {name}", hint="sulan corpus translate-train makes one"
            )
        self._name = name
        self._engine: Engine = _Fast(folder) if (folder / FAST / "model.bin").exists() else _Plain(name)
        self._tokens = self._engine.vocabulary()

    def check(self, language: str) -> str:
        """Return the token that asks for a language.

        Raises
        ------
        InputError
            The model has none.
        """
        token = f"<2{language}>"
        if token not in self._tokens:
            known = sorted(
                word[2:-1] for word in self._tokens if word.startswith("<2") and word.endswith(">")
            )
            raise InputError(
                f"{self._name} cannot translate into {language}: it has no token {token}",
                hint=f"it has {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}",
            )
        return token

    def translate(self, sentences: Sequence[str], language: str, *, beams: int = 1) -> list[str]:
        """Return the translations of sentences, each by itself; an empty one stays empty."""
        token = self.check(language)
        out = [""] * len(sentences)
        # The longest together: no batch is padded to the length of a stranger.
        places = [number for number, said in enumerate(sentences) if said.strip()]
        places.sort(key=lambda number: (len(sentences[number]), number))
        for start in range(0, len(places), BATCH):
            batch = places[start : start + BATCH]
            asked = [f"{token} {' '.join(sentences[number].split())}" for number in batch]
            for number, said in zip(batch, self._engine.batch(asked, beams), strict=True):
                out[number] = said.strip()
        return out


class _Fast:
    """CTranslate2; loads no torch."""

    def __init__(self, folder: Path) -> None:
        try:
            import ctranslate2
            import tokenizers
        except ImportError as error:
            raise MissingExtra("ctranslate2", extra="corpus") from error
        try:
            self._model = ctranslate2.Translator(str(folder / FAST), inter_threads=1, intra_threads=1)
        except (RuntimeError, ValueError) as error:
            raise BrokenArtefact(f"{folder / FAST} is damaged: {error}") from error
        self._words = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER))
        self._words.enable_truncation(LONGEST)

    def vocabulary(self) -> dict[str, int]:
        return self._words.get_vocab()

    def batch(self, asked: Sequence[str], beams: int) -> list[str]:
        lines = [encoding.tokens for encoding in self._words.encode_batch(list(asked))]
        limit = 2 * max(map(len, lines)) + SPARE
        results = self._model.translate_batch(lines, beam_size=beams, max_decoding_length=limit)
        tokens = self.vocabulary()
        ids = [[tokens[token] for token in result.hypotheses[0]] for result in results]
        return self._words.decode_batch(ids, skip_special_tokens=True)


class _Plain:
    """transformers, for checkpoints as they were released."""

    def __init__(self, name: str) -> None:
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        from sulan.models.quiet import quiet

        try:
            with quiet():
                self._words: Any = AutoTokenizer.from_pretrained(name)
                self._model: Any = AutoModelForSeq2SeqLM.from_pretrained(name, weights_only=True).eval()
        except (OSError, ValueError) as error:
            raise MissingFile(f"no translation model at {name}: {str(error).splitlines()[0]}") from error

    def vocabulary(self) -> dict[str, int]:
        return self._words.get_vocab()

    def batch(self, asked: Sequence[str], beams: int) -> list[str]:
        import torch

        padded = self._words(
            list(asked), return_tensors="pt", padding=True, truncation=True, max_length=LONGEST
        )
        with torch.inference_mode():
            ids = self._model.generate(
                input_ids=padded["input_ids"],
                attention_mask=padded["attention_mask"],
                num_beams=beams,
                do_sample=False,
                # In tokens of the source: the library's own default of 20 would cut most sentences.
                max_new_tokens=2 * padded["input_ids"].shape[1] + SPARE,
            )
        return self._words.batch_decode(ids.tolist(), skip_special_tokens=True)


def save(network: "PreTrainedModel", words: "PreTrainedTokenizerBase", folder: Path) -> None:
    """Write a model for transformers, and a copy for CTranslate2."""
    from ctranslate2.converters import TransformersConverter

    from sulan.models.quiet import quiet
    from sulan.models.saving import save as save_checkpoint

    save_checkpoint(network, words, folder)
    with quiet():
        TransformersConverter(str(folder)).convert(str(folder / FAST), force=True)
