"""Where Sulan keeps what is not an artefact: the user's data (stores) and what can be made again (caches)."""

import os
from pathlib import Path

import platformdirs


def data() -> Path:
    """Folder for data that must survive, `$SULAN_HOME/data` where that variable is set."""
    home = os.environ.get("SULAN_HOME")
    return Path(home) / "data" if home else platformdirs.user_data_path("sulan")


def cache() -> Path:
    """Folder for what can be made again, `$SULAN_HOME/cache` where that variable is set."""
    home = os.environ.get("SULAN_HOME")
    return Path(home) / "cache" if home else platformdirs.user_cache_path("sulan")
