"""`python -m sulan`."""

from sulan.cli import main

if __name__ == "__main__":
    main()
