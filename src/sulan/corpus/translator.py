"""Translation models as they are used: CTranslate2 where there is such a copy, transformers otherwise.

The released MADLAD-400 checkpoints load the same way: a folder or an id on the Hub. A language that a model has no
token for is refused: taken for an unknown word, it would be answered in some language or other. Not covered:
models that take the target language in another way.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.models.quiet import quiet

FAST = "ctranslate2"
BATCH = 64
SPARE = 16
"""Tokens that an output may have beyond twice its source's."""


def save(network: PreTrainedModel, words: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a model for transformers, and a copy for CTranslate2."""
    from sulan.models.saving import save as save_checkpoint

    save_checkpoint(network, words, folder)
    from ctranslate2.converters import TransformersConverter

    with quiet():
        TransformersConverter(str(folder)).convert(str(folder / FAST), force=True)


class Translator:
    """A model that translates sentences.

    Parameters
    ----------
    name
        Folder of a checkpoint, or an id on the Hub.
    """

    def __init__(self, name: str) -> None:
        folder = Path(name)
        if ("/" not in name or folder.is_absolute() or folder.exists()) and not (
            folder / "config.json"
        ).is_file():
            raise MissingFile(
                f"no translation model at {name}", hint="sulan corpus translate-train makes one"
            )
        try:
            with quiet():
                self._words: Any = AutoTokenizer.from_pretrained(name)
        except (OSError, ValueError) as error:
            raise MissingFile(f"no translation model at {name}: {str(error).splitlines()[0]}") from error
        self._name = name
        self._fast: Any = None
        self._network: Any = None
        if (folder / FAST / "model.bin").exists():
            import ctranslate2

            try:
                self._fast = ctranslate2.Translator(str(folder / FAST), inter_threads=1, intra_threads=1)
            except (RuntimeError, ValueError) as error:
                raise BrokenArtefact(f"{folder / FAST} is damaged: {error}") from error
        else:
            with quiet():
                self._network = AutoModelForSeq2SeqLM.from_pretrained(name, weights_only=True).eval()

    def check(self, language: str) -> str:
        """Return the token that asks for a language.

        Raises
        ------
        InputError
            The model has none.
        """
        token = f"<2{language}>"
        if token not in self._words.get_vocab():
            known = sorted(
                word[2:-1] for word in self._words.get_vocab() if word.startswith("<2") and word.endswith(">")
            )
            raise InputError(
                f"{self._name} cannot translate into {language}: it has no token {token}",
                hint=f"it has {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}",
            )
        return token

    def translate(self, sentences: Sequence[str], language: str, *, beams: int = 1) -> list[str]:
        """Return the translations of sentences, each by itself; an empty one stays empty."""
        token = self.check(language)
        places = [number for number, said in enumerate(sentences) if said.strip()]
        out = [""] * len(sentences)
        # The longest together: no batch is padded to the length of a stranger.
        places.sort(key=lambda number: (len(sentences[number]), number))
        for start in range(0, len(places), BATCH):
            batch = places[start : start + BATCH]
            asked = [f"{token} {' '.join(sentences[number].split())}" for number in batch]
            for number, said in zip(batch, self._batch(asked, beams), strict=True):
                out[number] = said
        return out

    def _batch(self, asked: list[str], beams: int) -> list[str]:
        lines = [self._words(text, truncation=True, max_length=512)["input_ids"] for text in asked]
        limit = 2 * max(map(len, lines)) + SPARE
        if self._fast is not None:
            tokens = [self._words.convert_ids_to_tokens(line) for line in lines]
            results = self._fast.translate_batch(tokens, beam_size=beams, max_decoding_length=limit)
            ids = [self._words.convert_tokens_to_ids(result.hypotheses[0]) for result in results]
        else:
            import torch

            padded = self._words(asked, return_tensors="pt", padding=True, truncation=True, max_length=512)
            with torch.inference_mode():
                ids = self._network.generate(
                    input_ids=padded["input_ids"],
                    attention_mask=padded["attention_mask"],
                    num_beams=beams,
                    do_sample=False,
                    max_new_tokens=limit,
                ).tolist()
        return [said.strip() for said in self._words.batch_decode(ids, skip_special_tokens=True)]
