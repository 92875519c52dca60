"""How work is done and remembered: outputs that are whole or absent, records, seeds, shards, progress."""
